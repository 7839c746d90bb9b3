"""The virtual GlobalPlatform card, by bare commands as any other host would send them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.card.answer import Traits, ef_atr
from sim.card.globalplatform import (
    FACTORY_KEYS,
    IMAGE_CAPACITY,
    ISD_AID,
    CardSettings,
    GlobalPlatformCard,
    KeyRecord,
)
from sim.card.globalplatform.channel02 import session_key
from sim.card.globalplatform.channel03 import kdf
from sim.card.globalplatform.primitives import aes_cmac, des_mac
from sim.card.memory import CardMemory


@pytest.fixture
def card(tmp_path: Path) -> GlobalPlatformCard:
    return GlobalPlatformCard(CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY))


def send(card: GlobalPlatformCard, apdu: str) -> str:
    return card.exchange(bytes.fromhex(apdu)).hex().upper()


def authenticate(card: GlobalPlatformCard, level: int = 1) -> bytes:
    """Open a session by hand; the MAC chaining value."""
    host = bytes(8)
    answer = card.exchange(bytes.fromhex("8050000008") + host + b"\0")
    assert answer[-2:] == b"\x90\x00"
    context = host + answer[13:21]
    s_mac = kdf(FACTORY_KEYS.mac, 0x06, context, 128)
    assert answer[21:29] == kdf(s_mac, 0x00, context, 64)
    command = bytes([0x84, 0x82, level, 0x00, 0x10]) + kdf(s_mac, 0x01, context, 64)
    chain = aes_cmac(s_mac, bytes(16), command)
    assert card.exchange(command + chain[:8]) == b"\x90\x00"
    return chain


def test_the_issuer_security_domain_is_selected_by_default_and_by_name(card: GlobalPlatformCard) -> None:
    for apdu in ("00A4040000", "00A4040008A00000015100000000", "00A4040005A00000015100"):
        answer = send(card, apdu)
        assert answer.startswith("6F")
        assert ISD_AID.hex().upper() in answer
        assert answer.endswith("9000")


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("00A4040005F0111111110000", "6700"),
        ("00A4040005F011111111", "6A82"),
        ("80F28002024F00", "6982"),
        ("80E60C000100", "6982"),
        ("84F28002024F00", "6982"),
        ("8482010010" + "00" * 16, "6985"),
        ("80500000070000000000000000", "6700"),
        ("805055000800000000000000000000"[:26] + "00", "6A88"),
        ("8050000107" + "00" * 7, "6700"),
        ("80CA9F7F00", "6A88"),
        ("8099000000", "6D00"),
        ("0099000000", "6D00"),
        ("00A40000023F00", "6A82"),
        ("81F28002024F00", "6881"),
        ("8CF28002024F00", "6E00"),
        ("90F28002024F00", "6884"),
        ("A0A4000000", "6E00"),
        ("80", "6700"),
        ("00C0000000", "6985"),
    ],
)
def test_what_is_not_allowed_or_not_known_is_answered_as_the_standard_says(
    card: GlobalPlatformCard, apdu: str, sw: str
) -> None:
    assert send(card, apdu) == sw


def test_the_card_says_what_it_is_without_a_session(card: GlobalPlatformCard) -> None:
    assert "2A864886FC6B040370" in send(card, "80CA006600")
    assert send(card, "80CA00E000") == "E012" + "C00401FF8810" + "C00402FF8810" + "C00403FF8810" + "9000"
    assert send(card, "FFCA000000") == card.memory.uid.hex().upper() + "9000"
    assert send(card, "00B0810000") == ef_atr(Traits()).hex().upper() + "9000"


@pytest.mark.parametrize(("buffer", "capabilities"), [(2048, "60"), (261, "00")])
def test_the_card_promises_no_chaining_for_it_has_none(
    tmp_path: Path, buffer: int, capabilities: str
) -> None:
    memory = CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY)
    card = GlobalPlatformCard(memory, Traits(buffer=buffer))
    assert card.atr.hex().upper()[8:-2] == f"8031D873F401{capabilities}"
    assert send(card, "90E2000001AA") == "6884"


def test_external_authenticate_must_follow_initialize_update_at_once(card: GlobalPlatformCard) -> None:
    send(card, "805000000800000000000000000000"[:28])
    send(card, "80CA006600")
    assert send(card, "8482010010" + "00" * 16) == "6985"


def test_wrong_authentications_lock_the_keys_for_good(tmp_path: Path) -> None:
    settings = CardSettings(tries=2)
    memory = CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY)
    card = GlobalPlatformCard(memory, settings=settings)
    for _ in range(2):
        assert send(card, "8050000008" + "00" * 8 + "00").endswith("9000")
        assert send(card, "8482010010" + "00" * 16) == "6300"
    assert send(card, "8050000008" + "00" * 8 + "00") == "6983"
    card.reset()
    assert send(card, "8050000008" + "00" * 8 + "00") == "6983"


def test_the_sequence_counter_goes_up_with_every_session_and_lasts(card: GlobalPlatformCard) -> None:
    for expected in range(3):
        assert card.persistent.registry.sequence == expected
        authenticate(card)
        card.reset()


def test_a_session_without_secure_messaging_takes_plain_commands(card: GlobalPlatformCard) -> None:
    authenticate(card, level=0)
    assert send(card, "80F28002024F0000").endswith("9000")
    assert send(card, "80F28000024F0000") == "08" + ISD_AID.hex().upper() + "019E" + "9000"


def test_a_t0_card_announces_what_it_has(tmp_path: Path) -> None:
    memory = CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY)
    card = GlobalPlatformCard(memory, Traits(protocol="T=0"))
    assert send(card, "8050000008" + "00" * 8) == "6120"
    assert send(card, "00C0000020").endswith("9000")
    assert send(card, "00C0000020") == "6985"


def test_two_cards_of_one_type_differ_in_what_they_say_of_themselves(tmp_path: Path) -> None:
    cards = [
        GlobalPlatformCard(CardMemory(tmp_path / name, capacity=IMAGE_CAPACITY)) for name in ("one", "two")
    ]
    named = {send(card, "8050000008" + "00" * 8 + "00")[:20] for card in cards}
    assert len(named) == 2


def test_a_random_challenge_is_another_one_each_time(tmp_path: Path) -> None:
    settings = CardSettings(i=0x60)
    card = GlobalPlatformCard(CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY), settings=settings)
    answers = {send(card, "8050000008" + "00" * 8 + "00") for _ in range(5)}
    assert len(answers) == 5
    assert {len(answer) for answer in answers} == {2 * (10 + 3 + 8 + 8 + 2)}


def test_an_i_55_card_has_the_challenge_that_follows_from_counter_and_name(tmp_path: Path) -> None:
    """E.4.2: six bytes of a MAC over the name with the session's MAC key, first vector zero."""
    keys = KeyRecord(0x20, "DES", bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))
    card = GlobalPlatformCard(
        CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY), settings=CardSettings(2, 0x55, keys)
    )
    answers = {send(card, "8050000008" + "00" * 8 + "00") for _ in range(2)}
    (answer,) = answers
    s_mac = session_key(keys.mac, 0x0101, 0)
    assert answer[24:40] == "0000" + des_mac(s_mac, ISD_AID, bytes(8))[:6].hex().upper()


def test_an_image_that_is_too_small_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2048"):
        GlobalPlatformCard(CardMemory(tmp_path / "card", capacity=2048))
