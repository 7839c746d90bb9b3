"""Data at rest: sealed under a named key, bound to its place, and never opened half-way."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.crypto import KeyRing
from services.common.errors import ConfigurationError, DataLoss

RING = KeyRing("k1", {"k1": bytes(32), "k0": bytes(range(32))})


@given(plaintext=st.binary(max_size=200), associated=st.binary(max_size=50))
def test_what_was_sealed_opens_with_the_same_key_and_place(plaintext: bytes, associated: bytes) -> None:
    sealed = RING.seal(plaintext, associated)
    assert sealed.key_id == "k1"
    assert RING.open(sealed.key_id, sealed.blob, associated) == plaintext


@given(plaintext=st.binary(min_size=1, max_size=50), bit=st.integers(min_value=0))
def test_any_changed_bit_is_found(plaintext: bytes, bit: int) -> None:
    blob = bytearray(RING.seal(plaintext, b"row 1").blob)
    bit %= len(blob) * 8
    blob[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DataLoss, match="does not decrypt"):
        RING.open("k1", bytes(blob), b"row 1")


def test_a_blob_moved_to_another_row_or_cut_short_does_not_open() -> None:
    sealed = RING.seal(b"template", b"row 1")
    for blob, row in ((sealed.blob, b"row 2"), (sealed.blob[:20], b"row 1"), (b"", b"row 1")):
        with pytest.raises(DataLoss) as raised:
            RING.open(sealed.key_id, blob, row)
        assert raised.value.reason == "CIPHERTEXT_DAMAGED"


def test_the_same_plaintext_never_looks_the_same_twice() -> None:
    assert len({RING.seal(b"template", b"row 1").blob for _ in range(100)}) == 100


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(DataLoss) as raised:
        RING.open("k7", b"x" * 40, b"row 1")
    assert (raised.value.reason, raised.value.metadata) == ("KEY_MISSING", {"key_id": "k7"})


def test_a_first_start_makes_a_keyring_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    sealed = KeyRing.load(path).seal(b"template", b"row 1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyRing.load(path).open(sealed.key_id, sealed.blob, b"row 1") == b"template"


def test_replicas_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: KeyRing.load(path), range(8)))
    sealed = [ring.seal(b"x", b"") for ring in rings]
    assert all(rings[0].open(one.key_id, one.blob, b"") == b"x" for one in sealed)


def test_a_keyring_that_is_there_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    # A mounted Secret. Root may write anywhere, so a directory stands in the lock's way.
    sealed = KeyRing.load(tmp_path / "keys.json").seal(b"face", b"row")
    (tmp_path / "keys.json.lock").unlink()
    (tmp_path / "keys.json.lock").mkdir()
    assert KeyRing.load(tmp_path / "keys.json").open(*sealed, b"row") == b"face"


def test_after_a_rotation_new_data_has_the_new_key_and_old_data_still_opens(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old = KeyRing.load(path).seal(b"old", b"")
    content = json.loads(path.read_text())
    content["keys"]["k2"] = base64.b64encode(bytes(32)).decode()
    path.write_text(json.dumps({**content, "active": "k2"}))
    ring = KeyRing.load(path)
    assert ring.open(old.key_id, old.blob, b"") == b"old"
    assert ring.seal(b"new", b"").key_id == "k2"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"active": "k1", "keys": {}}',
        '{"active": "k1", "keys": {"k1": "AAAA"}}',
        '{"active":1,"keys":[]}',
    ],
)
def test_a_damaged_keyring_stops_the_start_and_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="key"):
        KeyRing.load(path)
    assert path.read_text() == content


def test_a_keyring_open_to_everyone_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyRing.load(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="0600"):
        KeyRing.load(path)
