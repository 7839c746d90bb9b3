"""Fingers on the chip: the compact card format."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cardperso import tlv
from services.cardperso.chip import fingers, minutiae
from services.cardperso.chip.fingers import StoredFinger, finger
from services.cardperso.chip.minutiae import Minutia, MinutiaeError
from services.cardperso.holder import Finger, Holder
from tests.cardperso.card_makers import finger_record

MINUTIAE = st.lists(
    st.builds(
        Minutia,
        st.integers(0, 400),
        st.integers(0, 400),
        st.integers(0, 63),
        st.integers(0, 2),
        st.integers(0, 100),
    ),
    max_size=200,
).map(tuple)


def test_a_published_record_comes_out_in_tenths_of_a_millimetre(shared_dir: Path) -> None:
    path = shared_dir / "vectors" / "iso19794-2.json"
    if not path.exists():
        pytest.skip("no test vectors iso19794-2.json in the shared data")
    for vector in json.loads(path.read_text())["records"]:
        if vector["format"] != "ISO/IEC 19794-2:2005 finger minutiae record":
            continue
        record = bytes.fromhex(vector["record"])
        decoded = vector["decoded"]
        expected = decoded["fingers"][0]["minutiae"]
        found = minutiae.from_record(record)
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert abs(mine.x - theirs["x"] * 100 / decoded["resolution_x"]) <= 0.5
            assert abs(mine.y - theirs["y"] * 100 / decoded["resolution_y"]) <= 0.5
            turn = abs(mine.angle * 5.625 - theirs["angle_degrees"])
            assert min(turn, 360 - turn) <= 2.9


@given(MINUTIAE)
def test_minutiae_come_back_from_the_card_format(given_minutiae: tuple[Minutia, ...]) -> None:
    chosen = minutiae.best(given_minutiae, 60)
    back = minutiae.from_card(minutiae.to_card(chosen))
    assert [(m.x, m.y, m.angle, m.kind) for m in back] == [(m.x, m.y, m.angle, m.kind) for m in chosen]


@given(MINUTIAE, st.integers(0, 100))
def test_the_worst_minutiae_go_first(given_minutiae: tuple[Minutia, ...], most: int) -> None:
    inside = tuple(m for m in given_minutiae if m.x <= 255 and m.y <= 255)
    chosen = minutiae.best(inside, most)
    assert len(chosen) == min(most, len(inside))
    left = sorted((m.quality for m in inside), reverse=True)[:most]
    assert sorted((m.quality for m in chosen), reverse=True) == left


def test_a_finger_larger_than_the_format_is_moved_into_it() -> None:
    chosen = minutiae.best((Minutia(50, 3, 0, 1), Minutia(300, 40, 0, 1)), 10)
    assert [(m.x, m.y) for m in chosen] == [(0, 3), (250, 40)]


def test_a_finger_of_many_minutiae_fits_four_hundred_bytes(holder: Holder) -> None:
    one = Finger(2, finger_record(250), 80)
    content = finger(holder.__class__(**{**vars(holder), "fingers": (one,)}), 1, 400)
    assert len(content) <= 400
    assert len(fingers.decode(content).minutiae) >= 120


@given(st.integers(0, 10), MINUTIAE)
def test_a_finger_comes_back_with_its_position(position: int, found: tuple[Minutia, ...]) -> None:
    plain = tuple(Minutia(m.x, m.y, m.angle, m.kind) for m in minutiae.best(found, 100))
    stored = StoredFinger(position, plain)
    assert fingers.decode(fingers.encode(stored)) == stored


@given(st.binary(max_size=120))
def test_no_bytes_can_crash_the_readers(raw: bytes) -> None:
    with contextlib.suppress(MinutiaeError):
        minutiae.from_record(minutiae.MAGIC + raw)
    with contextlib.suppress(MinutiaeError, tlv.TlvError):
        fingers.decode(raw)
