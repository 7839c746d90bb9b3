"""The gallery of `tunggal bench identify`, written as an index.

Those who are searched for lie in a segment of their own, of which one is present at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.population import Population
from services.abis.finger import Finger
from services.abis.kernels import U8
from services.abis.search import codes, files
from services.abis.search.codes import Codebook
from services.abis.search.index import SearchIndex
from services.abis.search.probe import prepare
from services.abis.search.tail import Tail
from services.common.crypto import KeyRing

MATE = "mate-"
"""Subject ids of those who are searched for begin so, and end with their number."""
_MATES = "mates"


def write_gallery(people: Population, book: Codebook, folder: Path, keys: KeyRing) -> tuple[int, int]:
    """Write the gallery as an index; bytes of its hot part (read by every search) and of the rest.

    Those who are searched for have a segment of their own, in which nobody is alive yet.
    """
    names, alive, hot, cold = [], [], 0, 0
    for k, segment in enumerate(people.segments()):
        names.append(f"segment-{k:06d}")
        files.write_segment(folder, names[-1], segment, keys)
        hot += sum(part.rows.nbytes + part.owners.nbytes for part in segment.partitions)
        hot += segment.alive.nbytes
        cold += segment.full.nbytes + segment.position.nbytes + segment.first.nbytes
        alive.append(segment.alive)
    mates = Tail()
    for number, (enrolled, _) in enumerate(people.mates):
        codes_of = [(f.position, codes.encode(f.template, book)) for f in enrolled]
        mates.append(f"{MATE}{number}", [(position, own) for position, own in codes_of if own.size])
    for name, segment in ((_MATES, mates.view()), ("tail", Tail().view())):
        files.write_segment(folder, name, segment, keys)
        alive.append(np.zeros(segment.persons, np.uint8))
    files.write_alive(folder, "alive", alive, keys)
    manifest = files.Manifest(codes.recipe(book), len(people.owned), "", (*names, _MATES), "tail", "alive")
    files.write_manifest(folder, manifest)
    return hot, cold


def present_mates(
    index: SearchIndex, mates: Sequence[tuple[list[Finger], list[Finger]]], book: Codebook
) -> U8:
    """Flags by which those who are searched for come and go: 1 for each who is in the gallery."""
    segments = index.first_pass([prepare(mates[0][1], book)], 1).segments
    return next(s.alive for s in segments if s.persons and s.names.get(0) == f"{MATE}0")
