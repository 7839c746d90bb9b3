"""Minutiae records of 2011, of ANSI/INCITS 378 and for cards: vectors and round trips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.common.v1 import biometric_pb2

from services.abis.fingerprint import interchange
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.template import Template
from services.abis.formats import (
    ansi378,
    extended,
    finger_record,
    iso19794_2,
    iso19794_2_2011,
    iso19794_2_card,
)
from services.abis.formats.extended import Area
from services.abis.formats.iso19794_2_card import CardFormat
from services.abis.formats.minutiae import FingerMinutiae, Minutia, MinutiaType
from services.abis.samples import Reader

WIDTH, HEIGHT = 240, 320
bytes_ = st.integers(0, 255)
words = st.integers(0, 65535)


def minutiae(steps: int, quality: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Minutia, ...]]:
    one = st.builds(
        Minutia,
        x=st.integers(0, WIDTH - 1),
        y=st.integers(0, HEIGHT - 1),
        angle=st.integers(0, steps - 1),
        type=st.sampled_from(MinutiaType),
        quality=quality,
    )
    return st.lists(one, max_size=40).map(tuple)


areas = st.lists(st.builds(Area, type=words, content=st.binary(max_size=40)), max_size=3).map(tuple)
ansi_records = st.builds(
    ansi378.Ansi378Record,
    width=st.just(WIDTH),
    height=st.just(HEIGHT),
    resolution_x=st.integers(1, 65535),
    resolution_y=st.integers(1, 65535),
    fingers=st.lists(
        st.builds(
            ansi378.Ansi378View,
            position=st.integers(0, 10),
            minutiae=minutiae(180, st.integers(0, 100)),
            view=st.integers(0, 15),
            impression=st.integers(0, 15),
            quality=st.integers(0, 100),
            areas=areas,
        ),
        max_size=3,
    ).map(tuple),
    owner=words,
    subformat=words,
    device=st.integers(0, 4095),
    compliance=st.integers(0, 15),
)


@st.composite
def records_of_2011(draw: st.DrawFn) -> iso19794_2_2011.Record2011:
    certified = draw(st.booleans())
    fingers = []
    for _ in range(draw(st.integers(0, 3))):
        with_quality = draw(st.booleans())
        fingers.append(
            iso19794_2_2011.Representation(
                position=draw(st.integers(0, 10)),
                width=WIDTH,
                height=HEIGHT,
                resolution_x=draw(st.integers(1, 65535)),
                resolution_y=197,
                minutiae=draw(minutiae(256, bytes_ if with_quality else st.just(0))),
                with_quality=with_quality,
                number=draw(bytes_),
                impression=draw(bytes_),
                ending_type=draw(st.integers(0, 15)),
                qualities=tuple(
                    iso19794_2_2011.Quality(score, 7, 9)
                    for score in draw(st.lists(st.sampled_from([0, 50, 100, 255]), max_size=3))
                ),
                certifications=tuple(
                    iso19794_2_2011.Certification(authority, 1)
                    for authority in (draw(st.lists(words, max_size=2)) if certified else [])
                ),
                captured=draw(st.binary(min_size=9, max_size=9)),
                technology=draw(bytes_),
                vendor=draw(words),
                device=draw(words),
                areas=draw(areas),
            )
        )
    return iso19794_2_2011.Record2011(tuple(fingers), certified)


@pytest.fixture
def vectors(shared_dir: Path) -> dict[str, Any]:
    content = json.loads((shared_dir / "vectors" / "iso19794-2.json").read_text())
    return {vector["id"]: vector for vector in content["records"]}


def test_every_published_vector_is_recognized_and_says_what_others_read(vectors: dict[str, Any]) -> None:
    assert len(vectors) == 7
    for vector in vectors.values():
        fingers = finger_record.read(bytes.fromhex(vector["record"]))
        decoded = vector["decoded"]
        for finger, wanted in zip(fingers, decoded["fingers"], strict=True):
            at = wanted if "width" in wanted else decoded
            assert (finger.width, finger.height) == (at["width"], at["height"])
            assert (finger.resolution_x, finger.resolution_y) == (at["resolution_x"], at["resolution_y"])
            assert finger.position == wanted["position_code"]
            for found, expected in zip(finger.minutiae, wanted["minutiae"], strict=True):
                assert (found.x, found.y, found.angle) == (expected["x"], expected["y"], expected["angle"])
                assert found.angle * finger.angle_unit == pytest.approx(expected["angle_degrees"])
                assert (found.type.name, found.quality) == (expected["type"], expected["quality"] or 0)


def test_every_published_vector_is_written_back_byte_for_byte(vectors: dict[str, Any]) -> None:
    for vector in vectors.values():
        data = bytes.fromhex(vector["record"])
        if vector["format"].startswith("ANSI"):
            assert ansi378.write(ansi378.read(data)) == data
        elif ":2011" in vector["format"]:
            assert iso19794_2_2011.write(iso19794_2_2011.read(data)) == data
        else:
            assert iso19794_2.write(iso19794_2.read(data)) == data


def test_the_ansi_vector_carries_its_header_ridge_counts_cores_and_delta(vectors: dict[str, Any]) -> None:
    vector = vectors["ansi378-2004"]
    record, decoded = ansi378.read(bytes.fromhex(vector["record"])), vector["decoded"]
    assert (record.owner, record.subformat) == (decoded["vendor_id"], decoded["vendor_subformat"])
    assert record.device == decoded["sensor_id"]
    (finger,), (wanted,) = record.fingers, decoded["fingers"]
    assert finger.quality == wanted["quality"]
    by_type = {area.type: area for area in finger.areas}
    counts = extended.ridge_counts(by_type[extended.RIDGE_COUNTS])
    assert [list(edge) for edge in counts.edges] == wanted["ridge_counts"]["edges"]
    assert counts.method == 0
    cores, deltas = extended.singularities(by_type[extended.CORES_AND_DELTAS])
    assert [(c.x, c.y, *c.angles) for c in cores] == [(c["x"], c["y"], c["angle"]) for c in wanted["cores"]]
    assert [(d.x, d.y, list(d.angles)) for d in deltas] == [
        (d["x"], d["y"], d["angles"]) for d in wanted["deltas"]
    ]


@given(ansi_records)
def test_an_ansi_record_is_read_back_and_never_taken_for_an_iso_record(record: ansi378.Ansi378Record) -> None:
    data = ansi378.write(record)
    assert ansi378.read(data) == record
    assert finger_record.read(data) == record.impressions()


def test_an_ansi_record_beyond_64_kib_has_a_long_length() -> None:
    views = (ansi378.Ansi378View(1, (), areas=(Area(9, bytes(60000)),)),) * 2
    record = ansi378.Ansi378Record(WIDTH, HEIGHT, 197, 197, views)
    data = ansi378.write(record)
    assert data[8:10] == b"\0\0"
    assert ansi378.read(data) == record
    assert len(finger_record.read(data)) == 2


@given(records_of_2011())
def test_a_record_of_2011_is_read_back(record: iso19794_2_2011.Record2011) -> None:
    data = iso19794_2_2011.write(record)
    assert iso19794_2_2011.read(data) == record
    assert finger_record.read(data) == record.impressions()


def test_special_qualities_of_2011_mean_not_reported() -> None:
    found = tuple(Minutia(5, 5, 0, MinutiaType.ENDING, quality) for quality in (100, 254, 255))
    finger = iso19794_2_2011.Representation(1, WIDTH, HEIGHT, 197, 197, found)
    (read,) = iso19794_2_2011.Record2011((finger,)).impressions()
    assert [m.quality for m in read.minutiae] == [100, 0, 0]


@pytest.mark.parametrize("packing", CardFormat)
@given(data=st.data())
def test_card_minutiae_are_read_back(packing: CardFormat, data: st.DataObject) -> None:
    steps = round(360 / packing.angle_unit)
    one = st.builds(
        Minutia,
        x=st.integers(0, packing.most),
        y=st.integers(0, packing.most),
        angle=st.integers(0, steps - 1),
        type=st.sampled_from(MinutiaType),
    )
    found = tuple(data.draw(st.lists(one, max_size=60)))
    content = iso19794_2_card.write(found, packing)
    assert len(content) == packing.size * len(found)
    assert iso19794_2_card.read(content, packing) == found


def test_card_formats_pack_their_bits_as_the_standard_says() -> None:
    normal = Minutia(0x1234, 0x0567, 0x89, MinutiaType.BIFURCATION)
    assert iso19794_2_card.write([normal], CardFormat.NORMAL).hex() == "9234056789"
    compact = Minutia(0x12, 0xFE, 0x2A, MinutiaType.ENDING)
    assert iso19794_2_card.write([compact], CardFormat.COMPACT).hex() == "12fe6a"


@pytest.mark.parametrize("packing", CardFormat)
def test_a_finger_is_found_again_through_its_card_minutiae(
    packing: CardFormat, templates: list[list[Template]]
) -> None:
    def through_card(template: Template) -> Template:
        content = iso19794_2_card.write(interchange.to_card(template, packing), packing)
        found = iso19794_2_card.read(content, packing)
        # The card's grid as an image: in the normal format it is finer than any scanner's.
        per_pixel = max(1, packing.steps_per_mm // 20)
        pixels = tuple(Minutia(m.x // per_pixel, m.y // per_pixel, m.angle, m.type) for m in found)
        resolution = packing.steps_per_mm * 10 // per_pixel
        finger = FingerMinutiae(2, 600, 600, resolution, resolution, packing.angle_unit, pixels)
        return interchange.from_record(finger)

    card = through_card(templates[0][0])
    mate = compare(templates[0][1], card).score
    assert mate > 3.0
    assert mate > max(compare(templates[k][1], card).score for k in range(1, len(templates)))


def test_a_finger_is_found_again_through_a_record_of_2011_and_one_of_ansi(
    templates: list[list[Template]],
) -> None:
    view = interchange.to_view(templates[0][0], 2)
    size = (templates[0][0].width, templates[0][0].height, 197, 197)
    in_2011 = iso19794_2_2011.Representation(2, *size, view.minutiae)
    halves = tuple(
        Minutia(m.x, m.y, round(m.angle * iso19794_2.ANGLE_UNIT / 2) % 180, m.type, m.quality)
        for m in view.minutiae
    )
    for data in (
        iso19794_2_2011.write(iso19794_2_2011.Record2011((in_2011,))),
        ansi378.write(ansi378.Ansi378Record(*size, (ansi378.Ansi378View(2, halves),))),
    ):
        sample = pb.FingerSample(position=biometric_pb2.FINGER_POSITION_RIGHT_INDEX, iso19794_2_record=data)
        reader = Reader(1)
        finger = reader.person([sample])[0].finger
        reader.close()
        assert compare(templates[0][1], finger.template).score > 4.0


def test_values_that_do_not_fit_are_not_written() -> None:
    far = Minutia(1 << 14, 0, 0, MinutiaType.ENDING)
    for packing in CardFormat:
        with pytest.raises(ValueError, match="cannot hold"):
            iso19794_2_card.write([far], packing)
    finger = iso19794_2_2011.Representation(1, WIDTH, HEIGHT, 197, 197, (far,))
    with pytest.raises(ValueError, match="cannot hold"):
        iso19794_2_2011.write(iso19794_2_2011.Record2011((finger,)))
    steep = Minutia(1, 1, 200, MinutiaType.ENDING)
    with pytest.raises(ValueError, match="cannot hold"):
        ansi378.write(ansi378.Ansi378Record(WIDTH, HEIGHT, 197, 197, (ansi378.Ansi378View(1, (steep,)),)))
