"""Minutiae records that are damaged, cut short or hostile: read or refused, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.abis.formats import (
    ansi378,
    extended,
    finger_record,
    iso19794_2_2011,
    iso19794_2_card,
)
from services.abis.formats.extended import Area
from services.abis.formats.iso19794_2_card import CardFormat
from services.abis.formats.minutiae import Minutia, MinutiaType
from services.common.errors import InvalidArgument

WIDTH, HEIGHT = 240, 320
bytes_ = st.integers(0, 255)
SEEDS = [
    iso19794_2_2011.write(
        iso19794_2_2011.Record2011(
            (
                iso19794_2_2011.Representation(
                    3,
                    WIDTH,
                    HEIGHT,
                    197,
                    197,
                    (Minutia(9, 8, 7, MinutiaType.ENDING, 60),) * 3,
                    qualities=(iso19794_2_2011.Quality(70, 1, 1),),
                    certifications=(iso19794_2_2011.Certification(1, 2),),
                    areas=(Area(1, b"abc"),),
                ),
            ),
            certified=True,
        )
    ),
    ansi378.write(
        ansi378.Ansi378Record(
            WIDTH,
            HEIGHT,
            197,
            197,
            (
                ansi378.Ansi378View(
                    3,
                    (Minutia(9, 8, 7, MinutiaType.ENDING, 60),) * 3,
                    areas=(Area(2, bytes(7)),),
                ),
            ),
        )
    ),
]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 200), bytes_), min_size=1, max_size=6))
def test_changed_bytes_never_crash(seed: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(seed)
    for offset, value in changes:
        changed[offset % len(seed)] = value
    with suppress(InvalidArgument):
        finger_record.read(bytes(changed))


@given(st.sampled_from(SEEDS), st.integers(0, 200))
def test_a_record_cut_short_is_refused_with_its_place(seed: bytes, length: int) -> None:
    with pytest.raises(InvalidArgument) as refused:
        finger_record.read(seed[: length % len(seed)], field="fingers[3]")
    assert refused.value.field == "fingers[3]"
    assert refused.value.reason.startswith("TEMPLATE_")
    assert 0 <= int(refused.value.metadata["offset"]) <= len(seed)


@given(st.sampled_from([b"", b"FMR\0 20\0", b"FMR\x00030\0"]), st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(start: bytes, rest: bytes) -> None:
    with pytest.raises(InvalidArgument):
        finger_record.read(start + rest)


@given(st.binary(max_size=60))
def test_hostile_extended_data_is_read_or_refused(content: bytes) -> None:
    readers: tuple[Callable[[Area], object], ...] = (extended.ridge_counts, extended.singularities)
    for read in readers:
        with suppress(InvalidArgument):
            read(Area(1, content))


@given(st.binary(max_size=60), st.sampled_from(CardFormat))
def test_hostile_card_minutiae_are_read_or_refused(content: bytes, packing: CardFormat) -> None:
    with suppress(InvalidArgument):
        found = iso19794_2_card.read(content, packing)
        assert len(found) * packing.size == len(content)
