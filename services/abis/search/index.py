"""The first stage of 1:N search: short codes of all fingers, for a list of persons worth a closer look.

    index = SearchIndex.open(directory)            # maps what the last checkpoint wrote
    index.insert(subject, fingers, sequence)       # seen by every search that starts afterwards
    index.delete(subject, sequence)
    index.search(probe_fingers, 10_000)            # candidates, best first
    index.checkpoint()                             # now and then, in the background

The index is derived data. The caller owns the truth (a change log with sequence numbers), brings the index up
from `index.sequence` after a start, and may throw its directory away. Searches never wait: they work on a
snapshot of segments of which all but the last, the tail, no longer change.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.abis.finger import Finger
from services.abis.kernels import I64, U64
from services.abis.search import codes, files, path, select
from services.abis.search.codes import Codebook
from services.abis.search.plain import U16
from services.abis.search.probe import ProbeFinger, mirrored, prepare
from services.abis.search.segment import Segment
from services.abis.search.tail import Tail
from services.common.errors import AlreadyExists

SECOND_PASS = 20_000
"""Fingers whose codes the second pass compares, at most: with ten fingers 2,000 persons, with one 20,000."""


@dataclass(frozen=True)
class Candidate:
    """A subject worth a closer look. score: comparable within one search only."""

    subject: str
    score: int


@dataclass(frozen=True, eq=False)
class Listed:
    """Persons that a pass kept, best first, as (n) indices of their segments, persons in them, and scores."""

    segments: Sequence[Segment]
    segment: I64
    person: I64
    score: U16

    def head(self, most: int) -> Listed:
        """The first `most`."""
        return Listed(self.segments, self.segment[:most], self.person[:most], self.score[:most])

    def candidates(self, most: int) -> list[Candidate]:
        """The first `most`, by name."""
        return [
            Candidate(self.segments[k].names.get(person), score)
            for k, person, score in zip(
                self.segment[:most].tolist(),
                self.person[:most].tolist(),
                self.score[:most].tolist(),
                strict=True,
            )
        ]


def second_pass_persons(fingers: int) -> int:
    """How many persons the second pass looks at when that many fingers are searched with."""
    return SECOND_PASS // max(fingers, 1)


class SearchIndex:
    """Codes of the fingers of all enrolled subjects. Any method may be called from any thread."""

    def __init__(self, folder: Path, book: Codebook, threads: int) -> None:
        self._folder = folder
        self._book = book
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search-index")
        self._lock = threading.Lock()
        self._checkpointing = threading.Lock()
        self._sealed: list[Segment] = []
        self._names: list[str | None] = []
        self._tail = Tail()
        self._sequence = 0
        self._written = 0

    @classmethod
    def open(cls, folder: Path, *, book: Codebook | None = None, threads: int = 2) -> SearchIndex:
        """Map the index in a directory, or begin one there.

        One of another codebook is left alone until the first checkpoint replaces it: its codes cannot be
        compared with ours, so this index begins empty, at sequence number 0. DataLoss where files are
        damaged.
        """
        # Compiled (or read from the disk cache) now, so that no search waits for it.
        path.fastest()
        index = cls(folder, book or codes.default(), threads)
        folder.mkdir(parents=True, exist_ok=True)
        manifest = files.read_manifest(folder)
        if manifest is not None and manifest.codebook == index._book.version:
            index._load(manifest)
        return index

    def _load(self, manifest: files.Manifest) -> None:
        names = [*manifest.segments, manifest.tail]
        persons = [files.persons_in(self._folder, name) for name in names]
        flags = files.alive_parts(files.read_array(self._folder, manifest.alive), persons)
        found = [
            files.read_segment(self._folder, name, np.array(alive))
            for name, alive in zip(names, flags, strict=True)
        ]
        self._sealed, tail = found[:-1], found[-1]
        self._names = list(manifest.segments)
        self._tail = Tail.of(tail)
        self._sequence = self._written = manifest.sequence

    def close(self) -> None:
        """End the search threads. What no checkpoint holds comes again from the change log."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def sequence(self) -> int:
        """Number of the last change that searches see."""
        return self._sequence

    def persons(self) -> int:
        """Subjects that a search can find."""
        return sum(int(np.count_nonzero(segment.alive)) for segment in self._snapshot())

    def insert(self, subject: str, fingers: Sequence[Finger], sequence: int) -> None:
        """Add a subject whose enrolment was committed under this sequence number; a number already seen is
        ignored. AlreadyExists where the subject is there.
        """
        self.insert_codes(
            subject, [(f.position, codes.encode(f.template, self._book)) for f in fingers], sequence
        )

    def insert_codes(self, subject: str, fingers: Sequence[tuple[int, U64]], sequence: int) -> None:
        """`insert` of fingers that are encoded already: (position, codes) each."""
        with self._lock:
            if sequence <= self._sequence:
                return
            if self._find(subject) is not None:
                raise AlreadyExists("SUBJECT_INDEXED", f"Subject {subject} is in the search index already.")
            if self._tail.full:
                self._sealed.append(self._tail.view())
                self._names.append(None)
                self._tail = Tail()
            self._tail.append(subject, [(position, found) for position, found in fingers if found.size])
            self._sequence = sequence

    def delete(self, subject: str, sequence: int) -> None:
        """Take out a subject whose deletion was committed under this sequence number; one that is not there
        is none of our business.
        """
        with self._lock:
            if sequence <= self._sequence:
                return
            found = self._find(subject)
            if found is not None:
                segment, person = found
                segment.alive[person] = 0
            self._sequence = sequence

    def _find(self, subject: str) -> tuple[Segment, int] | None:
        for segment in (*self._sealed, self._tail.view()):
            for person in segment.names.find(subject):
                if segment.alive[person]:
                    return segment, person
        return None

    def _snapshot(self) -> list[Segment]:
        with self._lock:
            return [*self._sealed, self._tail.view()]

    def search(
        self, fingers: Sequence[Finger], list_length: int, *, swapped_hands: bool = False
    ) -> list[Candidate]:
        """The `list_length` subjects most alike, best first; fewer where fewer share anything with the probe.

        Fingers of unknown position are compared with all fingers, known ones with theirs and with those of
        unknown position. swapped_hands: also try the left hand as the right one and vice versa. Fingers with
        too few minutiae are left out; a search in which none remains finds nobody.
        """
        return self.search_codes(prepare(fingers, self._book), list_length, swapped_hands=swapped_hands)

    def search_codes(
        self, probe: Sequence[ProbeFinger], list_length: int, *, swapped_hands: bool = False
    ) -> list[Candidate]:
        """`search` with fingers that are encoded already."""
        hands = [probe, mirrored(probe)] if swapped_hands else [probe]
        first = self.first_pass(hands, max(list_length, second_pass_persons(len(probe))))
        return self.second_pass(first, hands).candidates(list_length)

    def first_pass(self, hands: Sequence[Sequence[ProbeFinger]], most: int) -> Listed:
        """The `most` persons of the greatest scores of few codes, the best over `hands` each."""
        segments = self._snapshot()
        scored = list(self._pool.map(lambda segment: _first(segment, hands), segments))
        least = select.cut(np.sum([bins for _, bins in scored], axis=0), most)
        persons = [select.at_least(sums, least) for sums, _ in scored]
        found = [sums[chosen] for (sums, _), chosen in zip(scored, persons, strict=True)]
        return _listed(segments, persons, found, most)

    def second_pass(self, first: Listed, hands: Sequence[Sequence[ProbeFinger]]) -> Listed:
        """The same persons, ordered by scores of all their codes."""
        persons = [first.person[first.segment == k] for k in range(len(first.segments))]
        scores = self._pool.map(lambda part, who: _second(part, who, hands), first.segments, persons)
        return _listed(first.segments, persons, list(scores), len(first.person))

    def checkpoint(self) -> None:
        """Write what changed since the last checkpoint, so that the next start maps it. Searches go on."""
        with self._checkpointing:
            with self._lock:
                sealed, names, tail = list(self._sealed), list(self._names), self._tail.view()
                alive = np.concatenate([segment.alive for segment in (*sealed, tail)])
                sequence = self._sequence
            if sequence == self._written:
                return
            # Names of another codebook's parts must stay what its manifest says until ours replaces it.
            mark = f"{zlib.crc32(self._book.version.encode()):08x}"
            written = [name or f"{mark}-segment-{k:06d}" for k, name in enumerate(names)]
            for segment, before, name in zip(sealed, names, written, strict=True):
                if before is None:
                    files.write_segment(self._folder, name, segment)
            newest, flags = f"{mark}-tail-{sequence}", f"{mark}-alive-{sequence}"
            files.write_segment(self._folder, newest, tail)
            files.write_array(self._folder, flags, alive)
            manifest = files.Manifest(self._book.version, sequence, tuple(written), newest, flags)
            files.write_manifest(self._folder, manifest)
            self._written = sequence
            self._map(written)

    def _map(self, names: Sequence[str]) -> None:
        """Let go of arrays in memory whose segments are on disk now."""
        for k, name in enumerate(names):
            if self._names[k] is None:
                mapped = files.read_segment(self._folder, name, self._sealed[k].alive)
                with self._lock:
                    self._sealed[k], self._names[k] = mapped, name


def _first(segment: Segment, hands: Sequence[Sequence[ProbeFinger]]) -> tuple[U16, I64]:
    sums = segment.score(hands[0])
    for other in hands[1:]:
        np.maximum(sums, segment.score(other), out=sums)
    return sums, select.histogram(sums)


def _second(segment: Segment, persons: I64, hands: Sequence[Sequence[ProbeFinger]]) -> U16:
    scores = segment.rescore(hands[0], persons)
    for other in hands[1:]:
        np.maximum(scores, segment.rescore(other, persons), out=scores)
    return scores


def _listed(segments: Sequence[Segment], persons: Sequence[I64], scores: Sequence[U16], most: int) -> Listed:
    segment = np.repeat(np.arange(len(segments)), [len(chosen) for chosen in persons])
    person, score = np.concatenate(persons), np.concatenate(scores)
    # Equal scores keep the order of enrolment, so that a search repeats itself.
    order = np.lexsort((person, segment, -score.astype(np.int64)))[:most]
    return Listed(segments, segment[order], person[order], score[order])
