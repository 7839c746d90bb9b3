"""Extended data of a finger view: ridge counts, cores and deltas (ANSI/INCITS 378-2004, clause 6.6).

The block begins with its length (2 bytes, without itself); each area in it with type (2) and length (2, with
these four). ISO/IEC 19794-2:2011 keeps the same frame; its areas are carried through as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.abis.formats.fields import Layout, Reader
from services.abis.formats.minutiae import MAX_COORDINATE

RIDGE_COUNTS = 1
CORES_AND_DELTAS = 2
_LENGTH = Layout("length of the extended data", "length:H")
_AREA = Layout("extended data area header", "type:H length:H")
_COUNT = Layout("number of cores or deltas", "count:B")
_POINT = Layout("core or delta", "x:H y:H")
_ANGLE = Layout("angle of a core or delta", "angle:B")
_METHOD = Layout("ridge count method", "method:B")
_EDGE = Layout("ridge count", "first:B second:B ridges:B")
_ANGULAR = 1


@dataclass(frozen=True)
class Area:
    """One area as it stands in the record."""

    type: int
    content: bytes


@dataclass(frozen=True)
class RidgeCounts:
    """Ridges between pairs of minutiae (indices in the view).

    method: how pairs were chosen (0 by none of the standard's methods, 1 four and 2 eight neighbours).
    """

    method: int
    edges: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Singularity:
    """A core (at most one angle) or a delta (none or three angles), in pixels and steps of angle."""

    x: int
    y: int
    angles: tuple[int, ...] = ()


def read_areas(reader: Reader) -> tuple[Area, ...]:
    """The extended data block."""
    length = reader.take(_LENGTH)["length"]
    if length > reader.left:
        raise reader.error("LENGTH", reader.offset, "The record ends within the extended data.")
    end = reader.offset + length
    areas = []
    while reader.offset < end:
        head = reader.take(_AREA)
        if head["length"] < _AREA.size or head.at + head["length"] > end:
            raise reader.error("LENGTH", head.offset("length"), "An area does not fit in the extended data.")
        areas.append(Area(head["type"], reader.raw(head["length"] - _AREA.size, "extended data area")))
    if reader.offset != end:
        raise reader.error("LENGTH", end, "The extended data ends within an area header.")
    return tuple(areas)


def write_areas(areas: Sequence[Area]) -> bytes:
    """The extended data block; ValueError where it is too long."""
    body = b"".join(
        _AREA.pack(type=area.type, length=_AREA.size + len(area.content)) + area.content for area in areas
    )
    return _LENGTH.pack(length=len(body)) + body


def ridge_counts(area: Area, *, field: str = "record") -> RidgeCounts:
    """Content of an area of type RIDGE_COUNTS; the offsets of errors count from the area's content."""
    reader = Reader(area.content, "ANSI/INCITS 378-2004 ridge count area", field)
    method = reader.take(_METHOD)["method"]
    edges = []
    while reader.left:
        edge = reader.take(_EDGE)
        edges.append((edge["first"], edge["second"], edge["ridges"]))
    return RidgeCounts(method, tuple(edges))


def singularities(
    area: Area, *, field: str = "record"
) -> tuple[tuple[Singularity, ...], tuple[Singularity, ...]]:
    """Cores and deltas of an area of type CORES_AND_DELTAS of an ANSI/INCITS 378-2004 record.

    The two highest bits of each count say whether angles follow (one a core, three a delta), the four
    lowest are the count.
    """
    reader = Reader(area.content, "ANSI/INCITS 378-2004 core and delta area", field)
    cores, deltas = _points(reader, 1), _points(reader, 3)
    reader.end()
    return cores, deltas


def _points(reader: Reader, angles: int) -> tuple[Singularity, ...]:
    count = reader.take(_COUNT)["count"]
    angular = count >> 6 == _ANGULAR
    points = []
    for _ in range(count & 0xF):
        at = reader.take(_POINT)
        turned = tuple(reader.take(_ANGLE)["angle"] for _ in range(angles if angular else 0))
        points.append(Singularity(at["x"] & MAX_COORDINATE, at["y"] & MAX_COORDINATE, turned))
    return tuple(points)
