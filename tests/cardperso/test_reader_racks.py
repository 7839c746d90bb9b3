"""Several pcscd on one host: 24 readers, helpers that die, readers and services that go and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.cardperso.globalplatform import AttemptGuard, PcscTransport, commands, fixed, open_channel
from services.cardperso.globalplatform.commands import Dgi
from services.cardperso.globalplatform.manager import CardManager, CardState
from services.cardperso.pcsc import (
    CardChanged,
    CardRemoved,
    CardSession,
    CardTimeout,
    CommandApdu,
    PcscUnavailable,
    Rack,
    ReaderGone,
    ReaderWatcher,
    parse_sockets,
)
from services.common.errors import ConfigurationError
from sim.card import Faults, ReaderBank, Traits, VirtualCard
from sim.card.globalplatform import FACTORY_KEYS, MODULE_AID, PACKAGE_AID, VirtualGlobalPlatformCard
from tests.cardperso.card_makers import eventually
from tests.cardperso.globalplatform.conftest import host_keys

ROOT = Path(__file__).parents[2]
KTP = b"\xf0TUNGGAL\x01"
GET_UID = CommandApdu("GET DATA (UID)", 0xFF, 0xCA, 0x00, 0x00, ne=256)
SELECT_MF = CommandApdu("SELECT", 0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00")


@pytest.fixture(scope="module")
def banks(pcsc: None) -> Iterator[dict[str, ReaderBank]]:
    """Two pcscd of twelve readers each."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(ReaderBank(12, name=name.title())) for name in ("hall", "annex")}


@pytest.fixture
def rack(banks: dict[str, ReaderBank]) -> Iterator[Rack]:
    with Rack({name: bank.socket for name, bank in banks.items()}) as made:
        yield made


def lay(card: VirtualCard, rack: Rack, reader: str) -> VirtualCard:
    """Lay a card on a reader whose last card pcscd has seen go."""
    eventually(lambda: not on(rack, reader), 60)
    return card.insert()


def on(rack: Rack, reader: str) -> bool:
    return any(state.card_present for state in rack.states() if state.name == reader)


def place(banks: dict[str, ReaderBank], number: int = 0, instance: str = "annex") -> tuple[str, int]:
    """Full name and port of a reader."""
    reader = banks[instance].readers[number]
    return f"{instance}/{reader.name}", reader.port


def issue_card(rack: Rack, reader: str, content: bytes) -> str:
    """A whole issuance over SCP03 and the reading back; the UID."""
    with CardSession(reader, wait_seconds=60, apdu_seconds=60, rack=rack) as session:
        line, uid = PcscTransport(session), session.uid()
        line.transmit(commands.select().encode())
        channel = open_channel(
            line,
            fixed(host_keys(FACTORY_KEYS)),
            chip=uid,
            guard=AttemptGuard(),
            limit=session.traits.write_block,
        )
        manager = CardManager(channel)
        manager.install(PACKAGE_AID, MODULE_AID, KTP)
        manager.personalize(KTP, [Dgi(0x0101, content)])
        manager.set_card_state(CardState.SECURED)
        session.power_cycle()
        assert session.uid() == uid
        session.command(commands.select(KTP))
        read = session.command(CommandApdu("READ BINARY", 0x00, 0xB0, 0x81, 0x00, ne=len(content)))
        assert read == content
        return uid


def test_24_readers_of_two_pcscd_each_make_a_card_at_the_same_time(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    names = [f"{instance}/{reader.name}" for instance, bank in banks.items() for reader in bank.readers]
    assert [state.name for state in rack.states()] == names
    assert len(names) == 24
    ports = [reader.port for bank in banks.values() for reader in bank.readers]
    with ExitStack() as stack:
        cards = [stack.enter_context(VirtualGlobalPlatformCard(tmp_path / str(port), port)) for port in ports]
        with ThreadPoolExecutor(24) as pool:
            made = list(pool.map(lambda name: issue_card(rack, name, name.encode() * 40), names))
        assert made == [card.uid for card in cards]
        assert len(set(made)) == 24


def test_a_card_is_named_by_instance_and_reader(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    name, port = place(banks)
    with VirtualCard(tmp_path / "card", port):
        with CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as session:
            assert session.uid()
        for unknown in ("annex/No such reader", "attic/" + name.partition("/")[2], name.partition("/")[2]):
            with pytest.raises(ReaderGone) as caught:
                CardSession(unknown, wait_seconds=1, apdu_seconds=60, rack=rack)
            assert caught.value.reader == unknown


def test_faults_come_through_the_helper_as_they_are(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    name, port = place(banks, 1)
    with pytest.raises(CardTimeout, match="Waiting for a card"):
        CardSession(name, wait_seconds=0.2, apdu_seconds=60, rack=rack)
    first, second = VirtualCard(tmp_path / "first", port), VirtualCard(tmp_path / "second", port)
    with first:
        with (
            CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as session,
            pytest.raises(CardTimeout),
        ):
            CardSession(name, wait_seconds=0.2, apdu_seconds=60, rack=rack)
        with CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as session:
            first.remove()
            with pytest.raises(CardRemoved) as removed:
                session.uid()
            assert removed.value.reader == name
            eventually(lambda: not on(rack, name), 60)
            second.insert()
            eventually(lambda: on(rack, name), 60)
            with pytest.raises((CardChanged, CardRemoved)):
                session.uid()
    second.close()


def test_a_slow_card_behind_a_helper_meets_the_deadline(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    name, port = place(banks, 2)
    with VirtualCard(tmp_path / "slow", port, faults=Faults(slow=120, slow_at=3)) as slow:
        session = CardSession(name, wait_seconds=60, apdu_seconds=3, rack=rack)
        # The first APDU read EF.ATR.
        session.uid()
        with pytest.raises(CardTimeout, match=r"GET DATA .* took longer than 3 s"):
            session.uid()
        with pytest.raises(CardRemoved):
            session.uid()
        slow.remove()
    with (
        lay(VirtualCard(tmp_path / "quick", port), rack, name),
        CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as again,
    ):
        assert again.uid()


def exhaust(session: CardSession) -> None:
    for _ in range(1000):
        session.transmit(SELECT_MF)


@pytest.mark.parametrize("behind", ["helper", "here"])
def test_a_session_has_a_deadline_of_its_own(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path, behind: str, request: pytest.FixtureRequest
) -> None:
    if behind == "here":
        bank: ReaderBank = request.getfixturevalue("bank")
        (name, port), used = (bank.readers[0].name, bank.readers[0].port), Rack()
    else:
        (name, port), used = place(banks, 3), rack
    with lay(VirtualCard(tmp_path / "card", port, faults=Faults(slow=0.1)), used, name):
        session = CardSession(name, wait_seconds=60, apdu_seconds=60, session_seconds=3.0, rack=used)
        with pytest.raises(CardTimeout, match=r"The session .* took longer than 3 s"):
            exhaust(session)
        assert 1 < session.apdus < 100
        session.close()


def test_a_helper_that_was_killed_is_started_again(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    name, port = place(banks, 4)
    with VirtualCard(tmp_path / "card", port):
        session = CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack)
        before = rack.helper_pids["annex"]
        assert before is not None
        os.kill(before, signal.SIGKILL)
        with pytest.raises(PcscUnavailable) as caught:
            session.uid()
        assert caught.value.reader == name
        session.close()
        with CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as again:
            assert again.uid()
        assert rack.helper_pids["annex"] != before


def test_no_helper_outlives_its_master(banks: dict[str, ReaderBank]) -> None:
    rack = Rack({"annex": banks["annex"].socket})
    rack.states()
    pid = rack.helper_pids["annex"]
    assert pid is not None
    rack.close()
    assert not Path(f"/proc/{pid}").exists()


def test_no_helper_outlives_a_master_that_was_killed(banks: dict[str, ReaderBank]) -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from services.cardperso.pcsc import Rack\n"
        f"rack = Rack({{'annex': Path({str(banks['annex'].socket)!r})}})\n"
        "rack.states()\n"
        "print(rack.helper_pids['annex'], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    killed = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    helper = Path(f"/proc/{int(killed.stdout)}/cmdline")
    eventually(lambda: not helper.exists() or not helper.read_bytes(), 60)


def test_one_pcscd_is_killed_in_the_middle_and_the_other_goes_on(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    (dying, port), (living, other) = place(banks, 5), place(banks, 5, "hall")
    with VirtualCard(tmp_path / "dying", port) as card, VirtualCard(tmp_path / "living", other):
        with (
            CardSession(dying, wait_seconds=60, apdu_seconds=60, rack=rack) as broken,
            CardSession(living, wait_seconds=60, apdu_seconds=60, rack=rack) as whole,
        ):
            banks["annex"].kill()
            with pytest.raises(PcscUnavailable):
                broken.uid()
            assert whole.uid()
            assert {state.name.partition("/")[0] for state in rack.states()} == {"hall"}
            with pytest.raises(PcscUnavailable):
                CardSession(dying, wait_seconds=1, apdu_seconds=60, rack=rack)
            banks["annex"].restart()
            assert whole.uid()
        card.insert()
        with CardSession(dying, wait_seconds=60, apdu_seconds=60, rack=rack) as again:
            assert again.uid() == card.uid


@pytest.fixture
def watched(rack: Rack) -> Iterator[ReaderWatcher]:
    watcher, stop = ReaderWatcher(rack), threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    yield watcher
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def sees(watcher: ReaderWatcher, condition: Callable[[dict[str, bool], tuple[str, ...]], bool]) -> None:
    """Wait until what is seen fits: readers with whether a card is on them, instances that do not answer."""
    eventually(
        lambda: condition(
            {state.name: state.card_present for state in watcher.sight.readers}, watcher.sight.unavailable
        ),
        60,
    )


def test_cards_readers_and_services_are_seen_to_go_and_come(
    banks: dict[str, ReaderBank], watched: ReaderWatcher, tmp_path: Path
) -> None:
    name, port = place(banks, 6)
    sees(watched, lambda readers, lost: len(readers) == 24 and not lost)
    card = VirtualCard(tmp_path / "card", port)
    rings = watched.bell.rings
    card.insert()
    sees(watched, lambda readers, lost: readers[name])
    eventually(lambda: watched.bell.rings > rings, 60)  # it rings once the news can be read
    card.remove()
    sees(watched, lambda readers, lost: not readers[name])

    banks["annex"].kill()
    sees(watched, lambda readers, lost: lost == ("annex",) and len(readers) == 12)
    # Two readers were unplugged meanwhile: there are ten.
    banks["annex"].restart(10)
    sees(watched, lambda readers, lost: not lost and len(readers) == 22)
    banks["annex"].restart()
    sees(watched, lambda readers, lost: not lost and len(readers) == 24)
    card.insert()
    sees(watched, lambda readers, lost: readers[name])
    card.close()


def test_a_reader_that_was_unplugged_is_gone_and_works_again_when_it_is_back(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    name, port = place(banks, 11)
    with VirtualCard(tmp_path / "card", port) as card:
        with CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as session:
            banks["annex"].restart(10)
            with pytest.raises(PcscUnavailable):
                session.uid()
        with pytest.raises(ReaderGone):
            CardSession(name, wait_seconds=1, apdu_seconds=60, rack=rack)
        banks["annex"].restart()
        card.insert()
        with CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as again:
            assert again.uid() == card.uid


def test_a_card_without_extended_length_gets_chains_through_a_helper(
    banks: dict[str, ReaderBank], rack: Rack, tmp_path: Path
) -> None:
    name, port = place(banks, 7)
    content = bytes(range(256)) * 4
    with (
        VirtualCard(tmp_path / "card", port, traits=Traits(buffer=261)),
        CardSession(name, wait_seconds=60, apdu_seconds=60, rack=rack) as session,
    ):
        assert not session.traits.extended
        session.command(
            CommandApdu("CREATE FILE", 0, 0xE0, 0, 0, bytes.fromhex("620E 80020400 820101 83020101 880108"))
        )
        before = session.apdus
        session.command(CommandApdu("UPDATE BINARY", 0, 0xD6, 0, 0, content))
        assert session.apdus - before == 5
        # Le 00 asks for 256 bytes at most.
        read = b"".join(
            session.command(CommandApdu("READ BINARY", 0, 0xB0, at >> 8, at & 0xFF, ne=256))
            for at in range(0, 1024, 256)
        )
        assert read == content


@pytest.mark.parametrize("text", ["hall", "=/run/x", "hall=run/x", "a/b=/run/x", "hall=/run/x,hall=/run/y"])
def test_sockets_that_are_no_list_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TUNGGAL_PCSC_SOCKETS"):
        parse_sockets(text)


def test_sockets_are_named() -> None:
    assert parse_sockets(" hall=/run/a/pcscd.comm, annex=/run/b/pcscd.comm ") == {
        "hall": Path("/run/a/pcscd.comm"),
        "annex": Path("/run/b/pcscd.comm"),
    }
    assert parse_sockets("") == {}
