"""The application's own secure messaging: whatever a reader sends, nothing protected comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.card.globalplatform import IMAGE_CAPACITY, GlobalPlatformCard
from sim.card.globalplatform.persistent import PERSONALIZED, Instance, StoredFile
from sim.card.memory import CardMemory

AID = b"\xf0TUNGGAL\x02"
SECRET = b"thirty-two bytes of a protected file, and more"
FREE = b"everyone may read this"
SELECT = bytes([0x00, 0xA4, 0x04, 0x00, len(AID)]) + AID
COMMANDS = st.builds(
    lambda cla, ins, rest: bytes([cla, ins]) + rest,
    st.sampled_from([0x00, 0x0C, 0x04, 0x80]) | st.integers(0, 255),
    st.sampled_from([0xA4, 0xB0, 0x84, 0x82, 0xC0, 0xCA]) | st.integers(0, 255),
    st.binary(max_size=60)
    | st.sampled_from([bytes.fromhex(text) for text in ("000008", "820000", "810000", "00000201")]),
)


def personalized(path: Path) -> GlobalPlatformCard:
    """A card with a file for everyone, one for authenticated readers, rules and keys."""
    path.unlink(missing_ok=True)
    card = GlobalPlatformCard(CardMemory(path, capacity=IMAGE_CAPACITY))
    contents = {
        0x0070: bytes.fromhex("010100 010201"),
        0x0101: FREE,
        0x0102: SECRET,
        0x8010: bytes(range(32)),
    }
    files: tuple[StoredFile, ...] = ()
    for tag, content in contents.items():
        files += (StoredFile(tag, card.persistent.store(content, files), len(content)),)
    instance = replace(Instance(AID, PERSONALIZED, 0), files=files)
    card.persistent.commit(card.persistent.registry.with_instance(instance))
    return card


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.lists(COMMANDS, max_size=20))
def test_no_commands_of_a_stranger_bring_out_a_protected_byte(tmp_path: Path, apdus: list[bytes]) -> None:
    card = personalized(tmp_path / "card")
    assert card.exchange(SELECT)[-2:] == b"\x90\x00"
    for apdu in apdus:
        answer = card.exchange(apdu)
        assert answer[-2] >> 4 in (6, 9)
        assert SECRET[:8] not in answer
        assert bytes(range(16)) not in answer
    card.memory.close()


@pytest.mark.parametrize(
    ("apdu", "status"),
    [
        ("00B0820000", "6982"),  # by short identifier
        ("00A4020C020102", "9000"),
        ("00A4020C020070", "6A82"),  # the rules are no file
        ("00A4020C028010", "6A82"),  # nor are the keys
        ("0CB0820000", "6985"),  # protected, without a session
        ("0082000028" + "00" * 40, "6985"),  # no challenge was asked for
    ],
)
def test_what_is_not_free_is_refused(tmp_path: Path, apdu: str, status: str) -> None:
    card = personalized(tmp_path / "card")
    card.exchange(SELECT)
    assert card.exchange(bytes.fromhex(apdu))[-2:].hex().upper() == status
    assert card.exchange(bytes.fromhex("00B0810000")) == FREE + b"\x90\x00"


def test_a_challenge_is_good_for_one_attempt(tmp_path: Path) -> None:
    card = personalized(tmp_path / "card")
    card.exchange(SELECT)
    assert len(card.exchange(bytes.fromhex("0084000008"))) == 10
    attempt = bytes.fromhex("0082000028" + "00" * 40 + "28")
    assert card.exchange(attempt)[-2:].hex() == "6300"
    assert card.exchange(attempt)[-2:].hex() == "6985"
