"""The profile `icao-lds1` as a border's reader sees it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from services.cardperso.chip import profile
from services.cardperso.chip.plan import encode
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.issue import CardKeys, CardType, issue
from services.cardperso.holder import Holder
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey
from sim.card.globalplatform import FACTORY_KEYS, IMAGE_CAPACITY, MODULE_AID, PACKAGE_AID, GlobalPlatformCard
from sim.card.memory import CardMemory
from tests.cardperso.globalplatform.conftest import host_keys
from tests.cardperso.signing_office import TODAY, Office
from tests.cardperso.verify.independent_reader import COM, ELEMENTS, SOD, Reader, objects, signed_hashes


@dataclass
class Line:
    """Our host's end of the line."""

    card: GlobalPlatformCard

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self.card.exchange(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")


@pytest.fixture
def card(tmp_path: Path, office: Office, holder: Holder) -> GlobalPlatformCard:
    """A card that was issued by our host."""
    made = GlobalPlatformCard(CardMemory(tmp_path / "card", capacity=IMAGE_CAPACITY))
    new = KeySet(0x41, *(SoftwareKey("AES", bytes(range(start, start + 16))) for start in (1, 2, 3)))
    issue(
        Line(made),
        encode(profile.find("icao-lds1"), holder, office).for_chip("00", lambda _: []),
        card_type=CardType(PACKAGE_AID, MODULE_AID),
        keys=CardKeys(lambda _: host_keys(FACTORY_KEYS), frozenset({0xFF}), lambda _: new, lambda _: new),
        guard=AttemptGuard(),
        chip="00",
        limit=255,
        examine=lambda found: None,
    )
    made.reset()
    return made


def zone(holder: Holder) -> list[str]:
    """The three lines on the back of the card, as a person would type them from it."""
    birth = f"{holder.birth_date:%y%m%d}"
    number = holder.nik[:9] + "<" + holder.nik[9:]

    def check(text: str) -> str:
        worth = {sign: at for at, sign in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
        return str(sum(worth.get(sign, 0) * (7, 3, 1)[at % 3] for at, sign in enumerate(text)) % 10)

    first = f"IDIDN{number}{check(holder.nik)}".ljust(30, "<")
    return [first, f"{birth}{check(birth)}F<<<<<<0IDN".ljust(30, "<"), "".ljust(30, "<")]


def test_a_reader_that_knows_the_zone_reads_everything_and_finds_it_signed(
    card: GlobalPlatformCard, holder: Holder, office: Office, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    reader = Reader(card.exchange)
    reader.open(zone(holder))
    ((tag, inside),) = objects(reader.file(COM))
    listed = dict(objects(inside))
    assert (tag, listed[0x5F01], listed[0x5F36]) == (0x60, b"0107", b"040000")
    assert bytes(sorted(listed[0x5C])) == bytes(sorted(ELEMENTS))
    groups = {element: reader.file(identifier) for element, identifier in ELEMENTS.items()}
    ca = tmp_path / "ca.pem"
    ca.write_bytes(office.ca.public_bytes(serialization.Encoding.PEM))
    signed = signed_hashes(reader.file(SOD), ca, int(TODAY.timestamp()), tmp_path)
    assert signed == {
        1: hashlib.sha256(groups[0x61]).digest(),
        2: hashlib.sha256(groups[0x75]).digest(),
    }
    ((_, dg1),) = objects(groups[0x61])
    ((tag, printed),) = objects(dg1)
    assert tag == 0x5F1F
    assert (
        printed.decode()[:60] == "".join(zone(holder))[:29] + printed.decode()[29] + printed.decode()[30:60]
    )
    # All but the check digit over the whole zone, which a person need not type.
    assert printed.decode()[:59] == "".join(zone(holder))[:59]
    assert printed.decode()[60:] == "SITI<NURHALIZA<RAHMAWATI".ljust(30, "<")


def test_a_reader_with_another_zone_and_one_without_any_are_sent_away(
    card: GlobalPlatformCard, holder: Holder
) -> None:
    wrong = zone(holder)
    wrong[1] = "8" + wrong[1][1:]
    with pytest.raises(AssertionError, match="6300"):
        Reader(card.exchange).open(wrong)
    for apdu, answer in (
        ("00B09E0000", "6982"),
        ("00B0810000", "6982"),
        ("00A4020C020101", "9000"),
        ("00B0000010", "6982"),
        ("00B00000", "6700"),
        ("00A4020C020110", "6A82"),
        ("00A4020C0101", "6700"),
        ("00A4090C020101", "6A86"),
    ):
        assert card.exchange(bytes.fromhex(apdu)).hex().upper() == answer, apdu


def test_what_is_not_there_is_said_under_secure_messaging(card: GlobalPlatformCard, holder: Holder) -> None:
    reader = Reader(card.exchange)
    reader.open(zone(holder))
    assert reader.protected("0CA4020C", b"\x01\x03") == (b"", 0x6A82)
    assert reader.protected("0CB08300", le=8) == (b"", 0x6A82)
    assert len(reader.file(COM)) > 10
    size = len(reader.file(COM))
    assert reader.protected(f"0CB0{size - 2:04X}", le=8)[1] == 0x6282
    # A plain command ends the session.
    assert card.exchange(bytes.fromhex("00B0000008")) == b"\x69\x82"
