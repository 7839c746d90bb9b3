"""The PC/SC layer over a real pcscd and vpcd."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smartcard import scard

from services.cardperso import pcsc
from services.cardperso.pcsc import (
    CardChanged,
    CardRemoved,
    CardSession,
    CardStatusError,
    CardTimeout,
    CommandApdu,
    CommandTooLong,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
    traits,
)
from services.cardperso.pcsc.scard import _connections, fault
from services.common.errors import FailedPrecondition, Unavailable
from sim.card import Faults, ReaderBank, Traits, VirtualReader
from sim.card.answer import atr, ef_atr
from sim.card.apdu import parse
from tests.cardperso.card_makers import eventually, present
from tests.cardperso.conftest import MakeCard

SELECT_MF = CommandApdu("SELECT", 0x00, 0xA4, 0x00, 0x00, b"\x3f\x00", ne=256)


def open_card(reader: VirtualReader, *, wait: float = 60.0, apdu: float = 60.0) -> CardSession:
    return CardSession(reader.name, wait_seconds=wait, apdu_seconds=apdu)


def test_readers_are_listed_with_the_cards_on_them(
    bank: ReaderBank, reader: VirtualReader, make_card: MakeCard
) -> None:
    assert [found.name for found in pcsc.readers()] == [each.name for each in bank.readers]
    card = make_card().insert()
    eventually(lambda: present(reader.name))
    found = next(state for state in pcsc.readers() if state.name == reader.name)
    assert found.atr == card.card.atr


def test_a_session_reads_the_uid_and_what_the_card_can_do(reader: VirtualReader, make_card: MakeCard) -> None:
    card = make_card(uid=bytes.fromhex("04112233445566")).insert()
    with open_card(reader) as session:
        assert session.uid() == card.uid == "04112233445566"
        assert session.traits.extended
        assert session.traits.longest_command == 2048
        assert session.apdus == 2


def test_a_card_that_comes_during_the_wait_is_met(reader: VirtualReader, make_card: MakeCard) -> None:
    card = make_card()
    late = threading.Timer(0.3, card.insert)
    late.start()
    with open_card(reader) as session:
        assert session.uid() == card.uid
    late.join()


def test_no_card_within_the_deadline_is_a_timeout(reader: VirtualReader) -> None:
    with pytest.raises(CardTimeout, match="Waiting for a card"):
        open_card(reader, wait=0.3)


def test_a_wait_ends_when_the_service_stops(reader: VirtualReader) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CardTimeout):
        # Longer than any test may take.
        CardSession(reader.name, wait_seconds=3600, apdu_seconds=60, stop=stop)


def test_an_unknown_reader_is_gone(bank: ReaderBank) -> None:
    with pytest.raises(ReaderGone) as caught:
        CardSession("No such reader", wait_seconds=1, apdu_seconds=1)
    assert isinstance(caught.value, Unavailable)
    assert caught.value.metadata["reader"] == "No such reader"


def test_a_card_taken_away_is_removed_and_stays_so(reader: VirtualReader, make_card: MakeCard) -> None:
    card = make_card().insert()
    with open_card(reader) as session:
        card.remove()
        for _ in range(2):
            with pytest.raises(CardRemoved):
                session.uid()


def test_a_card_that_dies_in_the_middle_of_an_apdu_is_removed(
    reader: VirtualReader, make_card: MakeCard
) -> None:
    make_card(faults=Faults(die_at=2)).insert()
    with open_card(reader) as session, pytest.raises(CardRemoved):
        session.uid()


def test_another_card_in_the_middle_of_a_session_is_noticed(
    reader: VirtualReader, make_card: MakeCard
) -> None:
    first, second = make_card("first").insert(), make_card("second")
    with open_card(reader) as session:
        first.remove()
        eventually(lambda: not present(reader.name))
        second.insert()
        eventually(lambda: present(reader.name))
        with pytest.raises(CardChanged):
            session.uid()


def test_a_card_of_another_type_after_the_power_cycle_is_noticed(
    reader: VirtualReader, make_card: MakeCard
) -> None:
    first, second = make_card("first").insert(), make_card("second", traits=Traits(buffer=261))
    with open_card(reader) as session:
        first.remove()
        eventually(lambda: not present(reader.name))
        second.insert()
        eventually(lambda: present(reader.name))
        with pytest.raises(CardChanged):
            session.power_cycle()


def test_a_slow_card_meets_our_deadline_and_the_reader_recovers(
    reader: VirtualReader, make_card: MakeCard
) -> None:
    slow = make_card("slow", faults=Faults(slow=300, slow_at=2)).insert()
    with open_card(reader, apdu=3) as session, pytest.raises(CardTimeout, match="took longer"):
        session.uid()
    with pytest.raises(CardTimeout):
        open_card(reader, wait=0.3, apdu=3)
    slow.remove()
    card = make_card("quick").insert()
    with open_card(reader) as session:
        assert session.uid() == card.uid


def test_a_reader_held_by_another_program_is_waited_for(reader: VirtualReader, make_card: MakeCard) -> None:
    make_card().insert()
    with open_card(reader), pytest.raises(CardTimeout):
        open_card(reader, wait=0.3)
    with open_card(reader) as session:
        assert session.uid()


def test_a_status_word_that_was_not_expected_names_the_command(
    reader: VirtualReader, make_card: MakeCard
) -> None:
    make_card().insert()
    missing = CommandApdu("SELECT", 0x00, 0xA4, 0x00, 0x0C, b"\x12\x34")
    with open_card(reader) as session, pytest.raises(CardStatusError, match="6A82: file not found") as caught:
        session.command(missing)
    assert caught.value.sw == 0x6A82
    assert isinstance(caught.value, FailedPrecondition)


@pytest.mark.parametrize(
    "kind", [Traits(), Traits(buffer=261), Traits(protocol="T=0")], ids=["extended", "short", "T=0"]
)
def test_long_commands_and_responses_go_through_whatever_the_card_can(
    reader: VirtualReader, make_card: MakeCard, kind: Traits
) -> None:
    make_card(traits=kind).insert()
    content = bytes(range(256)) * 2
    with open_card(reader) as session:
        session.command(
            CommandApdu("CREATE FILE", 0, 0xE0, 0, 0, bytes.fromhex("620E 80020200 820101 83020101 880108"))
        )
        session.command(CommandApdu("UPDATE BINARY", 0, 0xD6, 0, 0, content))
        read = b""
        while len(read) < len(content):
            length = min(session.traits.read_block, len(content) - len(read))
            command = CommandApdu("READ BINARY", 0, 0xB0, len(read) >> 8, len(read) & 0xFF, ne=length)
            read += session.command(command)
        assert read == content
        assert session.command(SELECT_MF)


def test_pcscd_may_be_killed_and_come_back(
    bank: ReaderBank, reader: VirtualReader, make_card: MakeCard
) -> None:
    card = make_card().insert()
    session = open_card(reader)
    bank.kill()
    with pytest.raises(PcscUnavailable):
        session.uid()
    session.close()
    with pytest.raises(PcscUnavailable):
        pcsc.readers()
    with pytest.raises(PcscUnavailable):
        open_card(reader)
    bank.restart()
    card.insert()
    with open_card(reader) as again:
        assert again.uid() == card.uid


def test_many_threads_come_and_go_without_taking_one_another_s_connection(bank: ReaderBank) -> None:
    def look(_: int) -> int:
        return len(pcsc.readers())

    before = set(_connections())
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(look, range(400))) == {len(bank.readers)}
    assert set(_connections()) <= before


def test_a_pcscd_that_hangs_is_given_up_and_used_again_when_it_goes_on(
    bank: ReaderBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cardperso.pcsc.scard._HOUSEKEEPING", 2.0)
    assert pcsc.readers()
    os.kill(bank.pid, signal.SIGSTOP)
    try:
        with pytest.raises(PcscUnavailable):
            pcsc.readers()
    finally:
        os.kill(bank.pid, signal.SIGCONT)
    monkeypatch.undo()
    assert len(pcsc.readers()) == len(bank.readers)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SCARD_E_UNKNOWN_READER", ReaderGone),
        ("SCARD_E_READER_UNAVAILABLE", ReaderGone),
        ("SCARD_E_NO_READERS_AVAILABLE", ReaderGone),
        ("SCARD_E_NO_SMARTCARD", CardRemoved),
        ("SCARD_E_NOT_TRANSACTED", CardRemoved),
        ("SCARD_W_UNRESPONSIVE_CARD", CardRemoved),
        ("SCARD_W_UNPOWERED_CARD", CardRemoved),
        ("SCARD_E_COMM_DATA_LOST", CardRemoved),
        ("SCARD_E_PROTO_MISMATCH", CardRemoved),
        ("SCARD_W_RESET_CARD", CardChanged),
        ("SCARD_W_REMOVED_CARD", CardChanged),
        ("SCARD_E_NO_SERVICE", PcscUnavailable),
        ("SCARD_F_COMM_ERROR", PcscUnavailable),
        ("SCARD_F_INTERNAL_ERROR", PcscUnavailable),
        ("SCARD_E_INVALID_HANDLE", PcscUnavailable),
    ],
)
def test_every_result_of_pcsc_is_one_of_four_faults(code: str, kind: type[PcscFault]) -> None:
    assert type(fault(getattr(scard, code) & 0xFFFFFFFF, "here")) is kind


def test_a_card_without_chaining_is_sent_nothing_that_it_cannot_take(
    reader: VirtualReader, make_card: MakeCard
) -> None:
    make_card(traits=Traits(buffer=261, chaining=False)).insert()
    with open_card(reader) as session:
        before = session.apdus
        with pytest.raises(CommandTooLong, match="512 bytes of data") as caught:
            session.command(CommandApdu("UPDATE BINARY", 0, 0xD6, 0, 0, bytes(512)))
        assert session.apdus == before
        assert isinstance(caught.value, FailedPrecondition)


@given(
    data=st.binary(max_size=2000),
    ne=st.one_of(st.integers(0, 300), st.sampled_from([256, 257, 65535, 65536])),
    p1p2=st.integers(0, 0xFFFF),
)
def test_every_command_arrives_as_it_was_meant(data: bytes, ne: int, p1p2: int) -> None:
    meant = CommandApdu("ANY", 0x00, 0xD6, p1p2 >> 8, p1p2 & 0xFF, data, ne)
    arrived = parse(meant.encode())
    assert (arrived.p1p2, arrived.data, arrived.ne) == (p1p2, data, ne)


@given(data=st.binary(min_size=1, max_size=3000), block=st.integers(1, 255))
def test_a_chain_carries_all_the_data_in_order(data: bytes, block: int) -> None:
    links = CommandApdu("ANY", 0x00, 0xE2, 0, 0, data, 256).chain(block)
    assert b"".join(link.data for link in links) == data
    assert [bool(link.cla & 0x10) for link in links] == [True] * (len(links) - 1) + [False]
    assert all(parse(link.encode()).data == link.data for link in links)


def test_traits_come_from_the_atr_and_ef_atr() -> None:
    kind = Traits(buffer=1024)
    known = traits.from_atr(atr(kind))
    assert (known.chaining, known.extended, known.information_file) == (True, True, True)
    full = traits.with_information(known, ef_atr(kind))
    assert (full.longest_command, full.longest_response) == (1024, 1024)
    assert (full.write_block, full.read_block) == (1015, 1022)


@pytest.mark.parametrize("information", [b"", b"\x7f\x66", bytes.fromhex("7F6603020101"), b"\xff" * 9])
def test_extended_length_is_not_trusted_without_a_length(information: bytes) -> None:
    known = traits.with_information(traits.from_atr(atr(Traits())), information)
    assert not known.extended
    assert known.write_block == 255


@given(st.binary(max_size=33))
def test_no_atr_can_crash_the_reading_of_it(raw: bytes) -> None:
    traits.from_atr(raw)
