"""How often the first pass of a search loses the mate: `python -m bench.losses DIR... --persons 100000`.

Thousands of searches by real prints, first pass only, under codes that never saw the set: enough to tell one
loss in a thousand. A list of one in a hundred people stands for the same share of a larger gallery (10,000 of
a million): a person's score depends on nobody else, so the share of strangers above the mate is the same.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import population
from bench.codes import held_out
from bench.identify_gallery import write_gallery
from services.abis.kernels import F64
from services.abis.search import codes
from services.abis.search.index import SearchIndex
from services.abis.search.parameters import HOT_CODES
from services.abis.search.probe import ProbeFinger, prepare
from services.abis.search.segment import Segment
from services.abis.search.words import weight
from services.common.crypto import KEY_BYTES, KeyRing

SHARES = (0.01, 0.002, 0.001)
"""Lengths of lists as shares of the gallery: 10,000, 2,000 and 1,000 of a million."""


def run(folder: Path, persons: int, fingers: int, probes: int) -> dict[str, Any]:
    """Losses with a scan and with an index of words; strangers of the mate's score count by half."""
    book = held_out().get(folder.resolve().name, codes.default())
    people = population.build(persons, fingers, probes, book, folder)
    report: dict[str, Any] = {"set": folder.resolve().name, "persons": persons, "fingers": fingers}
    with tempfile.TemporaryDirectory(prefix="tunggal-losses-") as scratch:
        keys = KeyRing("bench", {"bench": secrets.token_bytes(KEY_BYTES)})
        write_gallery(people, book, Path(scratch), keys)
        for words in (False, True):
            index = SearchIndex.open(Path(scratch), keys, book=book, words=words)
            above = _shares_above(index, people, book)
            index.close()
            report["words" if words else "scan"] = {
                f"{share:.1%}": float(np.mean(above >= share)) for share in SHARES
            }
    return report | {"probes": probes}


def _shares_above(index: SearchIndex, people: population.Population, book: codes.Codebook) -> F64:
    """For each search, the share of the gallery that scores above the mate."""
    segments = index.first_pass([prepare(people.mates[0][1], book)], 1).segments
    *background, mates = [segment for segment in segments if segment.persons]
    above = np.empty(len(people.mates))
    mates.alive[:] = 1
    for number, (_, prints) in enumerate(people.mates):
        probe = prepare(prints, book)
        by_votes = mates.tables is not None
        scores = [s.votes(probe) if by_votes else s.score(probe) for s in background]
        own = _votes(mates, number, probe, background[0]) if by_votes else int(mates.score(probe)[number])
        count = sum(np.count_nonzero(s > own) + np.count_nonzero(s == own) / 2 for s in scores)
        above[number] = count / len(people.owned) if own else 1.0
    return above


def _votes(mates: Segment, number: int, probe: Sequence[ProbeFinger], among: Segment) -> int:
    """Votes for a mate as if he were one of the background.

    Mates share the few fingers of a set, so that all words would be frequent in a segment of theirs.
    """
    own = dict(
        zip(
            mates.position[mates.first[number] : mates.first[number + 1]].tolist(),
            mates.full[mates.first[number] : mates.first[number + 1], :HOT_CODES],
            strict=True,
        )
    )
    total = 0
    for finger in probe:
        tables = among.tables[finger.position] if among.tables else None
        if finger.position not in own or tables is None:
            continue
        short = np.unique(own[finger.position])
        for word, asked in enumerate(finger.asked.astype(np.int64)):
            there = (short >> np.uint64(16 * word)).astype(np.uint16)
            starts = tables.starts[word].astype(np.int64)
            often = np.count_nonzero(asked[:, None] == there[None], axis=1)
            for value, times in zip(asked[often > 0].tolist(), often[often > 0].tolist(), strict=True):
                # The mate would be one more.
                owners = int(starts[value + 1] - starts[value]) + 1
                total += times * int(weight(owners, among.persons))
    return total


def main() -> None:
    """Measure each set, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--fingers", type=int, default=10)
    parser.add_argument("--probes", type=int, default=3_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    reports = [run(folder, given.persons, given.fingers, given.probes) for folder in given.folders]
    text = json.dumps(reports, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
