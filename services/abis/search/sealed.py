"""Arrays in a file that nobody can read without the key, and their way back into memory.

Codes follow from fingerprints, so on disk they are sealed like every biometric reference (architecture, rule
6). A file is opened once, at start, into anonymous memory that all threads share: never into the page cache,
never into a core dump. Sealing goes by blocks, so that neither side holds a second copy of it all.

Layout: magic "TSX1", length (uint32) of a JSON head, that head (random id, id of the key, lengths of blobs),
the blobs. The first blob is the table of contents, the others are the blocks of the arrays laid end to end.
Each is bound to the name of the file, its id and its place, so that no block can come from elsewhere.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.crypto import KeyRing
from services.common.errors import DataLoss

_MAGIC = b"TSX1"
_BLOCK = 4 << 20
_ALIGNED = 64
"""Arrays begin at multiples of a cache line."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Place:
    """Where an array lies among the opened bytes."""

    name: str
    dtype: str
    shape: list[int]
    start: int


def write(path: Path, arrays: Arrays, keys: KeyRing) -> None:
    """Seal arrays into a new file, so that it survives a power cut. Until it is whole it has another name."""
    places, size = _places(arrays)
    identity = secrets.token_hex(16)
    contents = json.dumps({"size": size, "arrays": [vars(place) for place in places]}).encode()
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        blobs = [keys.seal(contents, _bound(path, identity, 0))]
        lengths = [len(blobs[0].blob)]
        # Every block but the last is full, so lengths are known before anything is sealed.
        over = lengths[0] - len(contents)
        lengths += [min(_BLOCK, size - at) + over for at in range(0, size, _BLOCK)]
        head = json.dumps({"id": identity, "key": blobs[0].key_id, "lengths": lengths}).encode()
        file.write(_MAGIC + len(head).to_bytes(4, "big") + head + blobs[0].blob)
        for number, block in enumerate(_blocks(arrays, places, size), 1):
            file.write(keys.seal(block, _bound(path, identity, number)).blob)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read(path: Path, keys: KeyRing) -> dict[str, NDArray[Any]]:
    """The arrays of a file, in anonymous memory. DataLoss where it is missing or damaged, or its key gone."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                raise damaged(path)
            head = json.loads(file.read(int.from_bytes(file.read(4), "big")))
            first, *lengths = head["lengths"]
            identity, key = str(head["id"]), str(head["key"])
            contents = json.loads(keys.open(key, file.read(first), _bound(path, identity, 0)))
            memory = _memory(contents["size"])
            at = 0
            for number, length in enumerate(lengths, 1):
                block = keys.open(key, file.read(length), _bound(path, identity, number))
                memory[at : at + len(block)] = block
                at += len(block)
            if at != contents["size"]:
                raise damaged(path)
            places = [_Place(**place) for place in contents["arrays"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    return {p.name: np.ndarray(p.shape, p.dtype, memory, p.start) for p in places}


def damaged(what: Path) -> DataLoss:
    """The error for a part of an index that cannot be used."""
    return DataLoss(
        "SEARCH_INDEX_DAMAGED",
        f"Part {what.name} of a search index is missing or damaged.",
        remedy="Nothing is lost: the index is rebuilt from the enrolled templates.",
    )


def _bound(path: Path, identity: str, number: int) -> bytes:
    return f"search-index/{path.name}/{identity}/{number}".encode()


def _places(arrays: Arrays) -> tuple[list[_Place], int]:
    places, at = [], 0
    for name, values in arrays.items():
        places.append(_Place(name, values.dtype.str, list(values.shape), at))
        at += -(-values.nbytes // _ALIGNED) * _ALIGNED
    return places, at


def _blocks(arrays: Arrays, places: list[_Place], size: int) -> Iterator[bytes]:
    """The arrays laid end to end, a block at a time."""
    pending = bytearray()
    for place in places:
        pending += bytes(-(len(pending)) % _ALIGNED)
        # A view, not a copy: of the byte string only one block exists at a time.
        flat = np.ascontiguousarray(arrays[place.name]).reshape(-1)
        content = memoryview(flat.view(np.uint8).data)
        for start in range(0, len(content), _BLOCK):
            pending += content[start : start + _BLOCK]
            while len(pending) >= _BLOCK:
                yield bytes(pending[:_BLOCK])
                del pending[:_BLOCK]
    pending += bytes(-(len(pending)) % _ALIGNED)
    if pending:
        yield bytes(pending)


def _memory(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, max(size, 1))
    # Scanned from end to end by every search: fewer, larger pages. Not every kernel has either.
    for advice in (mmap.MADV_DONTDUMP, mmap.MADV_HUGEPAGE):
        with suppress(OSError):
            memory.madvise(advice)
    return memory
