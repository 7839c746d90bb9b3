"""ISO/IEC 19794-2:2005 records: vectors, round trips, and hostile bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.abis.fingerprint import interchange
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.template import Template
from services.abis.formats import iso19794_2 as fmr
from services.abis.formats.minutiae import Minutia, MinutiaType
from services.common.errors import InvalidArgument

SMALL = bytes.fromhex(
    "464D52002032300000000066000000F0014000C500C501000000640C804A00B0D600409600A8E700408301267200407400D7E900"
    "402D0080BE00404800FD6600807A0074DF00808E00CC63004048010B6A00806E0082D60080770068EE00405601127C000000"
)

minutiae = st.builds(
    Minutia,
    x=st.integers(0, 239),
    y=st.integers(0, 319),
    angle=st.integers(0, 255),
    type=st.sampled_from(MinutiaType),
    quality=st.integers(0, 100),
)
views = st.builds(
    fmr.FingerView,
    position=st.integers(0, 10),
    minutiae=st.lists(minutiae, max_size=255).map(tuple),
    view=st.integers(0, 15),
    impression=st.integers(0, 15),
    quality=st.integers(0, 100),
)
records = st.builds(
    fmr.FingerMinutiaeRecord,
    width=st.just(240),
    height=st.just(320),
    resolution_x=st.integers(1, 65535),
    resolution_y=st.integers(1, 65535),
    fingers=st.lists(views, max_size=4).map(tuple),
    device=st.integers(0, 4095),
    certification=st.integers(0, 15),
)


def test_a_known_record_is_read_as_others_read_it() -> None:
    record = fmr.read(SMALL)
    assert (record.width, record.height, record.resolution_x) == (240, 320, 197)
    (finger,) = record.fingers
    assert (finger.position, finger.quality, len(finger.minutiae)) == (0, 100, 12)
    assert finger.minutiae[0] == Minutia(74, 176, 214, MinutiaType.BIFURCATION)
    assert fmr.write(record) == SMALL


def test_all_published_vectors_are_read_and_written_back(shared_dir: Path) -> None:
    vectors = json.loads((shared_dir / "vectors" / "iso19794-2.json").read_text())["records"]
    of_2005 = [v for v in vectors if v["format"].startswith("ISO/IEC 19794-2:2005")]
    assert len(of_2005) == 4
    for vector in of_2005:
        record = fmr.read(bytes.fromhex(vector["record"]))
        decoded = vector["decoded"]
        assert (record.width, record.height) == (decoded["width"], decoded["height"])
        assert record.device == decoded["sensor_id"]
        for finger, expected in zip(record.fingers, decoded["fingers"], strict=True):
            assert (finger.position, finger.view) == (expected["position_code"], expected["view"])
            assert finger.quality == expected["quality"]
            for found, wanted in zip(finger.minutiae, expected["minutiae"], strict=True):
                assert (found.x, found.y, found.angle) == (wanted["x"], wanted["y"], wanted["angle"])
                assert (found.type.name, found.quality) == (wanted["type"], wanted["quality"])
        assert fmr.write(record).hex().upper() == vector["record"]


@given(records)
def test_what_is_written_is_read_back(record: fmr.FingerMinutiaeRecord) -> None:
    assert fmr.read(fmr.write(record)) == record


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_but_never_crashes(offset: int, value: int) -> None:
    changed = bytearray(SMALL)
    changed[offset] = value
    with suppress(InvalidArgument):
        assert len(fmr.write(fmr.read(bytes(changed)))) <= len(SMALL)


@given(st.integers(0, len(SMALL) - 1))
def test_a_record_cut_short_is_refused(length: int) -> None:
    with pytest.raises(InvalidArgument, match="byte"):
        fmr.read(SMALL[:length])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgument):
        fmr.read(data)


def test_extended_data_is_read_over() -> None:
    longer = bytearray(SMALL[:-2] + b"\x00\x03abc")
    longer[8:12] = len(longer).to_bytes(4, "big")
    assert fmr.read(bytes(longer)) == fmr.read(SMALL)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, b"X", "TEMPLATE_HEADER"),
        (5, b"3", "TEMPLATE_HEADER"),
        (11, b"\x67", "TEMPLATE_LENGTH"),
        (14, b"\0\0", "TEMPLATE_VALUE"),
        (24, b"\x0b", "TEMPLATE_VALUE"),
        (26, b"\x65", "TEMPLATE_VALUE"),
        (27, b"\x0d", "TEMPLATE_LENGTH"),
        (28, b"\xc0", "TEMPLATE_VALUE"),
    ],
)
def test_each_wrong_field_has_its_reason(offset: int, value: bytes, reason: str) -> None:
    changed = SMALL[:offset] + value + SMALL[offset + len(value) :]
    with pytest.raises(InvalidArgument) as refused:
        fmr.read(changed, field="fingers[0]")
    assert (refused.value.reason, refused.value.field) == (reason, "fingers[0]")
    assert 0 <= int(refused.value.metadata["offset"]) <= len(SMALL)


def test_values_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        fmr.write(fmr.FingerMinutiaeRecord(70000, 10, 197, 197, ()))
    far = fmr.FingerView(0, (Minutia(1 << 14, 0, 0, MinutiaType.ENDING),))
    with pytest.raises(ValueError, match="cannot hold"):
        fmr.write(fmr.FingerMinutiaeRecord(10, 10, 197, 197, (far,)))


def test_a_finger_is_found_again_through_its_interchange_record(templates: list[list[Template]]) -> None:
    enrolled = fmr.read(fmr.write(interchange.to_record(templates[0][0], 2)))
    through = interchange.from_record(*enrolled.impressions())
    mate = compare(templates[0][1], through).score
    strangers = [compare(templates[k][1], through).score for k in range(1, len(templates))]
    assert mate > 4.0
    assert max(strangers) < 2.0


def test_a_record_of_twice_the_resolution_is_brought_to_500_dpi(templates: list[list[Template]]) -> None:
    fine = interchange.to_record(templates[0][0], 2)
    (view,) = fine.fingers
    doubled = tuple(Minutia(2 * m.x, 2 * m.y, m.angle, m.type, m.quality) for m in view.minutiae)
    record = fmr.FingerMinutiaeRecord(
        2 * fine.width, 2 * fine.height, 394, 394, (fmr.FingerView(2, doubled),)
    )
    template = interchange.from_record(*record.impressions())
    assert template.width == pytest.approx(fine.width, abs=1)
    assert compare(template, templates[0][1]).score > 4.0


def test_records_of_an_absurd_resolution_or_of_an_image_of_no_width_are_refused() -> None:
    one = fmr.read(SMALL)
    flat = fmr.FingerView(2, ())
    for record in (
        fmr.FingerMinutiaeRecord(240, 320, 3, 3, one.fingers),
        fmr.FingerMinutiaeRecord(1, 320, 787, 787, (flat,)),
        fmr.FingerMinutiaeRecord(16000, 320, 197, 197, one.fingers),
    ):
        with pytest.raises(InvalidArgument) as refused:
            interchange.from_record(*record.impressions())
        assert refused.value.reason == "TEMPLATE_RESOLUTION"


@pytest.mark.parametrize(
    "places",
    [
        [(200, 200)] * 60,
        [(100, 100), (200, 120), (150, 250)] * 20,
        [(60 + 12 * k, 200) for k in range(15)],
        [(60 + 9 * k, 100 + 7 * k + k % 2) for k in range(20)],
    ],
)
def test_minutiae_that_are_all_in_a_few_places_or_on_a_line_are_refused(
    places: list[tuple[int, int]],
) -> None:
    minutiae = tuple(Minutia(x, y, 17 * k % 256, MinutiaType.ENDING) for k, (x, y) in enumerate(places))
    record = fmr.FingerMinutiaeRecord(400, 400, 197, 197, (fmr.FingerView(2, minutiae),))
    with pytest.raises(InvalidArgument) as refused:
        interchange.from_record(*record.impressions(), field="fingers[0].iso19794_2_record")
    assert (refused.value.reason, refused.value.field) == (
        "TEMPLATE_DEGENERATE",
        "fingers[0].iso19794_2_record",
    )
    assert refused.value.remedy
