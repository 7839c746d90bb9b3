"""The virtual card alone, spoken to in APDUs written out from ISO/IEC 7816-4."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.card import CAPACITY, CardMemory, Traits
from sim.card.apdu import MalformedError, parse
from sim.card.card import Card
from sim.card.memory import PowerLossError
from sim.card.virtual import VirtualCard

AID = "F054554E4747414C01"
CREATE_DF = "00E0000017 6215 820138 83027F01 8409F054554E4747414C01 8A0101"
CREATE_EF = "00E0000010 620E 80020010 820101 83020101 880108"
SEALED_EF = "00E0000019 6217 80020010 820101 83020101 880108 8A0101 8C0443FFFF00"
ACTIVATE = f"0044040009{AID}"


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(CardMemory(tmp_path / "card", uid=bytes.fromhex("04A1B2C3D4E5F6")))


def send(card: Card, apdu: str) -> str:
    return card.exchange(bytes.fromhex(apdu)).hex().upper()


def test_get_data_of_the_reader_class_gives_uid_and_historical_bytes(card: Card) -> None:
    assert send(card, "FFCA000000") == "04A1B2C3D4E5F69000"
    assert send(card, "FFCA010000") == "8031D873F401E09000"
    assert send(card, "FFCA020000") == "6A81"


def test_atr_is_that_of_a_contactless_card_with_a_right_check_byte(card: Card) -> None:
    check = 0
    for byte in card.atr[1:]:
        check ^= byte
    assert card.atr.hex().upper().startswith("3B878001")
    assert check == 0


def test_ef_atr_tells_the_longest_apdus_by_its_short_identifier(card: Card) -> None:
    assert send(card, "00B0810000") == "4301D87F6608020208000202" + "0800" + "9000"
    assert send(card, "00CA7F6600") == "7F66080202080002020800" + "9000"


@pytest.mark.parametrize(
    ("apdu", "answer"),
    [
        ("00A40400 09 F054554E4747414C01 00", "6A82"),
        ("00A40000 02 1234", "6A82"),
        ("00A40000 01 12", "6700"),
        ("00A40055 02 3F00", "6A86"),
        ("0012000000", "6D00"),
        ("E0A40000023F00", "6E00"),
        ("0CA40000023F00", "6882"),
        ("01A40000023F00", "6881"),
        ("00B0000010", "6986"),
        ("00B0820000", "6A82"),
        ("00D6000001AA", "6986"),
        ("00C0000010", "6985"),
        ("00CA9F7F00", "6A88"),
        ("00A4", "6700"),
        ("00A4040005AABB", "6700"),
        ("00E000000362FF00", "6A80"),
        ("00E0000004 62028201", "6A80"),
        ("00E4000000", "6985"),
    ],
)
def test_what_a_fresh_card_refuses(card: Card, apdu: str, answer: str) -> None:
    assert send(card, apdu)[-4:] == answer


def test_files_are_created_written_and_read_back(card: Card) -> None:
    assert send(card, CREATE_DF) == "9000"
    assert send(card, CREATE_EF) == "9000"
    assert send(card, "00D6000E02BEEF") == "9000"
    assert send(card, "00B0000E02") == "BEEF9000"
    assert send(card, "00B0810E02") == "BEEF9000"
    assert send(card, "00B0000E05") == "BEEF6282"
    assert send(card, "00B0001101") == "6B00"
    assert send(card, "00D6000F02AABB") == "6A84"
    assert send(card, "00D6001101AA") == "6B00"
    assert send(card, CREATE_EF) == "6A89"


def test_select_answers_with_the_control_parameters(card: Card) -> None:
    send(card, CREATE_DF)
    assert send(card, f"00A4040409{AID}00") == f"621582013883027F018409{AID}8A01019000"
    assert send(card, "00A40404 03 F05455 00").endswith("9000")
    assert send(card, f"00A4040C09{AID}") == "9000"
    send(card, CREATE_EF)
    assert send(card, "00A4020402010100") == "6211800200108201018302010188010" + "88A01019000"


def test_an_activated_application_can_be_read_but_not_changed(card: Card) -> None:
    send(card, CREATE_DF)
    send(card, SEALED_EF)
    assert send(card, "00D6000002CAFE") == "9000"
    assert send(card, ACTIVATE) == "9000"
    send(card, f"00A4040C09{AID}")
    assert send(card, "00D6810002DEAD") == "6982"
    assert send(card, "00B0810002") == "CAFE9000"
    assert send(card, ACTIVATE) == "6985"


def test_an_application_that_is_not_activated_can_be_deleted_and_leaves_its_room_free(card: Card) -> None:
    before = card.files.free()
    send(card, CREATE_DF)
    send(card, CREATE_EF)
    assert card.files.free() < before
    assert send(card, f"00E4040009{AID}") == "9000"
    assert card.files.free() == before
    assert send(card, f"00A4040409{AID}00") == "6A82"


def test_a_file_that_does_not_fit_is_refused_and_the_card_stays_as_it_was(card: Card) -> None:
    send(card, CREATE_DF)
    free = card.files.free()
    assert send(card, f"00E000000D 620B 8002{CAPACITY:04X} 820101 83020102") == "6A84"
    assert card.files.free() == free


def test_memory_survives_the_loss_of_power(tmp_path: Path) -> None:
    first = Card(CardMemory(tmp_path / "card"))
    send(first, CREATE_DF)
    send(first, CREATE_EF)
    send(first, "00D60000020102")
    uid = first.memory.uid
    again = Card(CardMemory(tmp_path / "card"))
    assert again.memory.uid == uid
    send(again, f"00A4040C09{AID}")
    assert send(again, "00B0810002") == "01029000"


def test_a_reset_forgets_the_session_but_not_the_files(card: Card) -> None:
    send(card, CREATE_DF)
    send(card, CREATE_EF)
    card.reset()
    assert send(card, "00B0000002") == "6986"
    assert send(card, f"00A4040C09{AID}") == "9000"


@pytest.mark.parametrize("page", range(1, 8))
def test_power_lost_at_any_page_of_creating_a_file_leaves_no_half_file(tmp_path: Path, page: int) -> None:
    pages = 0

    def fail() -> bool:
        nonlocal pages
        pages += 1
        if pages == page:
            raise PowerLossError
        return False

    torn = Card(CardMemory(tmp_path / "card", before_page=fail))
    try:
        for apdu in (CREATE_DF, CREATE_EF):
            send(torn, apdu)
    except PowerLossError:
        pass
    again = Card(CardMemory(tmp_path / "card"))
    assert all(file.fid in (0x7F01, 0x0101) for file in again.files.files())
    if send(again, f"00A4040C09{AID}") == "6A82":
        assert send(again, CREATE_DF) == "9000"
    assert send(again, CREATE_EF) in ("9000", "6A89")
    assert send(again, "00D6810010" + "5A" * 16) == "9000"


def test_old_bytes_of_a_deleted_application_never_become_a_file(card: Card) -> None:
    send(card, CREATE_DF)
    send(card, CREATE_EF.replace("80020010", "80020200"))
    send(card, "00D60000FF" + "A5" * 255)
    send(card, f"00E4040009{AID}")
    send(card, CREATE_DF)
    assert [file.fid for file in card.files.files()] == [0x7F01]


def test_a_chain_of_commands_is_one_command(card: Card) -> None:
    send(card, CREATE_DF)
    send(card, CREATE_EF)
    assert send(card, "10D60000020102") == "9000"
    assert send(card, "00D60000020304") == "9000"
    assert send(card, "00B0000004") == "010203049000"
    send(card, "10D60000020102")
    assert send(card, "00B0000004") == "6883"


def test_a_t0_card_announces_its_response_and_corrects_the_length(tmp_path: Path) -> None:
    card = Card(CardMemory(tmp_path / "card"), Traits(protocol="T=0"))
    send(card, CREATE_DF)
    assert send(card, f"00A4040409{AID}00") == "6700"
    assert send(card, f"00A4040409{AID}") == "6117"
    assert send(card, "00C0000017").endswith("9000")
    assert send(card, "FFCA000000") == "6C07"


def test_an_apdu_longer_than_the_buffer_is_refused(tmp_path: Path) -> None:
    card = Card(CardMemory(tmp_path / "card"), Traits(buffer=300))
    assert send(card, "00D60000 000130" + "00" * 0x130) == "6700"


def test_an_image_of_another_card_is_not_taken_for_this_one(tmp_path: Path) -> None:
    VirtualCard(tmp_path / "card", uid=bytes(4)).close()
    with pytest.raises(ValueError, match="is the card 00000000"):
        VirtualCard(tmp_path / "card", uid=b"\x01" * 4)
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not a card image"):
        VirtualCard(tmp_path / "other")


@given(st.binary(max_size=40))
def test_no_bytes_can_crash_the_card(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    card = Card(CardMemory(tmp_path_factory.mktemp("card") / "image"))
    assert len(card.exchange(raw)) >= 2


@given(st.binary(max_size=12))
def test_every_command_is_one_of_the_seven_cases_or_malformed(raw: bytes) -> None:
    try:
        command = parse(raw)
    except MalformedError:
        return
    assert len(command.data) <= len(raw) - 4
