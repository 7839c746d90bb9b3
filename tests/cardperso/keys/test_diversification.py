"""Diversified keys, against published and computed vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cardperso.keys.diversify import Scheme, an10922, chip_keys
from services.cardperso.keys.errors import KeyMismatch
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey, check_value, pad, unpad

MASTER = bytes.fromhex("404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F")
KDD = bytes.fromhex("00010203040506070809")


def test_every_vector_of_an10922_is_met(shared_dir: Path) -> None:
    path = shared_dir / "vectors" / "an10922.json"
    if not path.is_file():
        pytest.skip("no test vectors an10922.json in the shared data")
    vectors = json.loads(path.read_text())["vectors"]
    for vector in vectors:
        algorithm: Algorithm = "AES" if vector["algorithm"].startswith("AES") else "TDES"
        version = int(vector["key_version"], 16) if "key_version" in vector else None
        master = SoftwareKey(algorithm, bytes.fromhex(vector["k"]))
        key = an10922(master, bytes.fromhex(vector["m"]), version)
        assert key.value.hex().upper() == vector["diversified_key"]
    assert len(vectors) >= 12


@pytest.mark.parametrize(
    ("scheme", "size", "expected"),
    [
        (Scheme.VISA2, 16, ("2BE598", "58DA38", "3C328E")),
        (Scheme.EMV, 16, ("C33013", "6F4CA6", "BB8179")),
        (Scheme.KDF3, 16, ("E79C05", "D1BD77", "3FDE8C")),
        (Scheme.KDF3, 24, ("1DE8EA", "47C00C", "C04D76")),
        (Scheme.KDF3, 32, ("2972D2", "036F94", "5D57B8")),
    ],
)
def test_check_values_are_those_that_globalplatformpro_tests_for(
    scheme: Scheme, size: int, expected: tuple[str, ...]
) -> None:
    """Values from the unit tests of GlobalPlatformPro (TestPlaintextKeys)."""
    master = SoftwareKey("AES" if scheme is Scheme.KDF3 else "TDES", MASTER[:size])
    keys = chip_keys(master, 1, scheme, KDD)
    assert tuple(check_value(key).hex().upper() for key in (keys.enc, keys.mac, keys.dek)) == expected


def test_kdf3_gives_the_whole_key_of_an_external_vector() -> None:
    """From the same unit tests."""
    master = bytes.fromhex("8C72C72CF908411653018807950D82FBAD947562F0828A0B10B8B9606ABF3BCD")
    keys = chip_keys(SoftwareKey("AES", master), 1, Scheme.KDF3, bytes.fromhex("D9B1DE5D0362DEDCE4FB"))
    assert keys.enc.value.hex().upper() == "9AAC5D0B3601F89438A0D9D0B6B256CFB47E6462DFA5228D3420C4AC7C224781"


@given(
    st.sampled_from(list(Scheme)), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10)
)
def test_no_two_purposes_share_a_key_and_no_two_chips_a_set(scheme: Scheme, one: bytes, two: bytes) -> None:
    master = SoftwareKey("TDES" if scheme in (Scheme.VISA2, Scheme.EMV) else "AES", MASTER[:16])
    keys = chip_keys(master, 1, scheme, one)
    assert len({keys.enc.value, keys.mac.value, keys.dek.value}) == 3
    if scheme in (Scheme.AN10922, Scheme.KDF3) and one != two:
        assert chip_keys(master, 1, scheme, two).enc != keys.enc


@pytest.mark.parametrize(
    ("scheme", "algorithm", "data"),
    [
        (Scheme.VISA2, "AES", KDD),
        (Scheme.EMV, "AES", KDD),
        (Scheme.KDF3, "TDES", KDD),
        (Scheme.VISA2, "TDES", KDD[1:]),
        (Scheme.KDF3, "AES", KDD + b"\0"),
        (Scheme.AN10922, "AES", bytes(31)),
        (Scheme.AN10922, "TDES", bytes(15)),
    ],
)
def test_what_does_not_go_together_is_refused(scheme: Scheme, algorithm: str, data: bytes) -> None:
    master = SoftwareKey("AES" if algorithm == "AES" else "TDES", MASTER[:16])
    with pytest.raises(KeyMismatch):
        chip_keys(master, 1, scheme, data)


@given(st.binary(max_size=100), st.sampled_from([8, 16]))
def test_padding_comes_off_again(message: bytes, block: int) -> None:
    padded = pad(message, block)
    assert len(padded) % block == 0
    assert 1 <= len(padded) - len(message) <= block
    assert unpad(padded) == message


def test_what_is_not_padded_is_noticed() -> None:
    assert unpad(b"") is None
    assert unpad(bytes(16)) is None
    assert unpad(b"text") is None


def test_a_key_shows_itself_to_nobody_who_prints_it() -> None:
    assert "404142" not in repr(SoftwareKey("AES", MASTER)).lower()
    with pytest.raises(ValueError, match="15"):
        SoftwareKey("AES", bytes(15))
