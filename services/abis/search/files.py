"""Segments on disk: .npy arrays that are mapped, not read, and a manifest that says which of them count.

    manifest.json         replaced atomically, last: {"codebook", "sequence", "segments", "tail", "alive"}
    segment-000000/…      sealed: rows-<position>, owners-<position>, full, position, first, and the names
    tail-<sequence>/…     the same for the newest persons, copied into memory at start
    alive-<sequence>.npy  which persons of all of these are not deleted

What the manifest does not name is rubbish of an interrupted checkpoint, and is removed by the next one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import U8
from services.abis.search.parameters import POSITIONS
from services.abis.search.segment import Partition, Segment
from services.abis.search.subjects import PackedNames, packed
from services.common.errors import DataLoss

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a directory holds: the codebook's version, the last change in it, and the names of its parts."""

    codebook: str
    sequence: int
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
        raise _damaged(folder) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the parts named in the manifest count, and remove all others."""
    fresh = folder / f"{_MANIFEST}.new"
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(vars(manifest), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / _MANIFEST)
    _sync(folder)
    wanted = {_MANIFEST, *manifest.segments, manifest.tail, f"{manifest.alive}.npy"}
    for entry in folder.iterdir():
        if entry.name not in wanted:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def write_segment(folder: Path, name: str, segment: Segment) -> None:
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
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for key, values in arrays.items():
        write_array(target, key, values)
    _sync(target)
    _sync(folder)


def read_segment(folder: Path, name: str, alive: U8) -> Segment:
    """Map a segment. DataLoss where a file is missing or does not fit the others."""
    try:
        arrays = {file.stem: _mapped(file) for file in (folder / name).glob("*.npy")}
        empty = Partition(np.empty((0, 8), np.uint64), np.empty(0, np.int32))
        parts = tuple(
            Partition(arrays[f"rows-{p}"], arrays[f"owners-{p}"]) if f"rows-{p}" in arrays else empty
            for p in range(POSITIONS)
        )
        full, position, first = arrays["full"], arrays["position"], arrays["first"]
        names = PackedNames(arrays["text"], arrays["ends"], arrays["keys"], arrays["order"])
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(folder / name) from error
    if not (len(alive) == len(first) - 1 and len(full) == len(position) == first[-1]):
        raise _damaged(folder / name)
    return Segment(len(first) - 1, parts, full, position, first, alive, names)


def persons_in(folder: Path, name: str) -> int:
    """How many persons a segment on disk has, deleted ones included."""
    try:
        return len(_mapped(folder / name / "first.npy")) - 1
    except (OSError, ValueError) as error:
        raise _damaged(folder / name) from error


def write_array(folder: Path, name: str, values: NDArray[Any]) -> None:
    """Write one array so that it survives a power cut."""
    with (folder / f"{name}.npy").open("wb") as file:
        np.save(file, values)
        file.flush()
        os.fsync(file.fileno())


def read_array(folder: Path, name: str) -> NDArray[Any]:
    """A copy in memory of an array on disk."""
    try:
        return np.array(np.load(folder / f"{name}.npy"))
    except (OSError, ValueError) as error:
        raise _damaged(folder / name) from error


def alive_parts(alive: U8, persons: Sequence[int]) -> list[U8]:
    """The deletion flags of each segment, from those of all."""
    if len(alive) != sum(persons):
        raise DataLoss("SEARCH_INDEX_DAMAGED", "The deletions of a search index do not fit its segments.")
    return np.split(alive, np.cumsum(persons)[:-1])


def _mapped(file: Path) -> NDArray[Any]:
    # Copy-on-write, because kernels are compiled for writable arrays, and plain arrays, not NumPy's subclass.
    return np.asarray(np.load(file, mmap_mode="c"))


def _damaged(what: Path) -> DataLoss:
    return DataLoss(
        "SEARCH_INDEX_DAMAGED",
        f"Part {what.name} of a search index is missing or damaged.",
        remedy="Remove the directory of the index; it is rebuilt from the enrolled templates.",
    )


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
