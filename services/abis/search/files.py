"""Segments on disk: one sealed file each, and a manifest that says which of them count.

    manifest.json              replaced atomically, last: which parts count, and what they hold
    <recipe>-segment-000000    persons that no longer change: codes, positions, names
    <recipe>-tail-<sequence>   the same for the newest persons
    <recipe>-alive-<sequence>  which persons of all of these are not deleted

What the manifest does not name is rubbish of an interrupted checkpoint, and is removed by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import U8
from services.abis.search import sealed
from services.abis.search.parameters import POSITIONS
from services.abis.search.segment import Partition, Segment
from services.abis.search.subjects import PackedNames, packed
from services.abis.vectors import LANES
from services.common.crypto import KeyRing
from services.common.files import write_new

_MANIFEST = "manifest.json"
LOCK = "lock"
"""File that the process which writes the directory holds locked."""


@dataclass(frozen=True)
class Manifest:
    """What a directory holds.

    recipe: how codes were made (`codes.recipe`). sequence: the last change in it; mark: which change that
    was. segments, tail, alive: names of its parts.
    """

    recipe: str
    sequence: int
    mark: str
    segments: tuple[str, ...]
    tail: str
    alive: str


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest; None where there is none yet. DataLoss where it cannot be read."""
    try:
        found = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return Manifest(**{**found, "segments": tuple(found["segments"])})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise sealed.damaged(folder / _MANIFEST) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the parts named in the manifest count, and remove all others."""
    text = json.dumps(vars(manifest), indent=2)
    write_new(folder / _MANIFEST, text.encode(), mode=0o600)
    keep_only(folder, {_MANIFEST, *manifest.segments, manifest.tail, manifest.alive})


def keep_only(folder: Path, names: set[str]) -> None:
    """Remove every other file of an index."""
    for entry in folder.iterdir():
        if entry.name not in names | {LOCK} and entry.is_file():
            entry.unlink()


def write_segment(folder: Path, name: str, segment: Segment, keys: KeyRing) -> None:
    """Write a segment, without its deletions, under a name that no manifest mentions yet."""
    names = [segment.names.get(person) for person in range(segment.persons)]
    arrays: dict[str, NDArray[Any]] = {
        "full": segment.full,
        "position": segment.position,
        "first": segment.first,
        **packed(names),
    }
    for position, part in enumerate(segment.partitions):
        if part.owners.size:
            arrays |= {f"rows-{position}": part.rows, f"owners-{position}": part.owners}
    sealed.write(folder / name, arrays, keys)


def read_segment(folder: Path, name: str, keys: KeyRing) -> Segment:
    """Open a segment, everybody alive. DataLoss where its file is missing or damaged."""
    arrays = sealed.read(folder / name, keys)
    empty = Partition(np.empty((0, LANES), np.uint64), np.empty(0, np.int32))
    try:
        parts = tuple(
            Partition(arrays[f"rows-{p}"], arrays[f"owners-{p}"]) if f"rows-{p}" in arrays else empty
            for p in range(POSITIONS)
        )
        full, position, first = arrays["full"], arrays["position"], arrays["first"]
        names = PackedNames(arrays["text"], arrays["ends"], arrays["keys"], arrays["order"])
    except KeyError as error:
        raise sealed.damaged(folder / name) from error
    persons = len(first) - 1
    return Segment(persons, parts, full, position, first, np.ones(persons, np.uint8), names)


def write_alive(folder: Path, name: str, flags: Sequence[U8], keys: KeyRing) -> None:
    """Write which persons of each segment are not deleted."""
    sealed.write(folder / name, {"alive": np.packbits(np.concatenate(flags))}, keys)


def read_alive(folder: Path, name: str, segments: Sequence[Segment], keys: KeyRing) -> list[U8]:
    """The flags of each segment. DataLoss where they do not fit."""
    persons = [segment.persons for segment in segments]
    bits = sealed.read(folder / name, keys)["alive"]
    if bits.size != -(-sum(persons) // 8):
        raise sealed.damaged(folder / name)
    return [np.array(part) for part in np.split(np.unpackbits(bits)[: sum(persons)], np.cumsum(persons)[:-1])]
