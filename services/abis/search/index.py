"""The first stage of 1:N search: short codes of all fingers, for a list of persons worth a closer look.

    index = SearchIndex.open(directory, keys)      # opens what the last checkpoint sealed
    index.insert(subject, fingers, sequence)       # seen by every search that starts afterwards
    index.delete(subject, sequence)
    index.search(probe_fingers, 10_000)            # candidates, best first
    index.checkpoint()                             # now and then, in the background

The index is derived data. The caller owns the truth (a change log with sequence numbers), brings the index up
from `index.sequence` after a start, and may throw its directory away. Searches never wait: they work on a
snapshot of segments of which all but the last, the tail, no longer change.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.kernels import I64, U64
from services.abis.search import codes, files, path, select
from services.abis.search.codes import Codebook
from services.abis.search.listed import Candidate, Listed, listed
from services.abis.search.parameters import WORD_FINGERS
from services.abis.search.plain import U16
from services.abis.search.probe import ProbeFinger, arrangements, prepare
from services.abis.search.segment import Segment
from services.abis.search.subjects import PackedNames
from services.abis.search.tail import Tail
from services.common.crypto import KeyRing
from services.common.errors import AlreadyExists, DataLoss

SECOND_PASS = 20_000
"""Fingers whose codes the second pass compares, at most: 20,000 persons with one finger, 5,000 with four.
From WORD_FINGERS on the first pass leaves so little doubt that half as many do: with ten fingers 1,000.
"""
DELETED_SHARE = 0.125
"""A segment of which so many persons are deleted is written anew without them."""
LEAST_CHANGES = 1_000
"""Changes worth a checkpoint: some ten seconds of encoding at the next start."""

T = TypeVar("T")
R = TypeVar("R")
Codes = list[tuple[int, U64]]
"""Position and codes of each finger."""


def second_pass_persons(fingers: int) -> int:
    """How many persons the second pass looks at when that many fingers are searched with."""
    share = 2 if fingers >= WORD_FINGERS else 1
    return SECOND_PASS // max(fingers, 1) // share


def mark_of(subject: str, sequence: int) -> str:
    """A short name of one change, by which two histories are told apart."""
    return hashlib.blake2b(f"{sequence}/{subject}".encode(), digest_size=8).hexdigest()


class SearchIndex:
    """Codes of the fingers of all enrolled subjects. Any method may be called from any thread.

    folder, keys: where it is sealed, and under what. threads: cores that searches may use together.
    words: whether segments that no longer change are searched by an index of words (`search.words`).
    """

    def __init__(
        self,
        folder: Path,
        keys: KeyRing,
        *,
        book: Codebook | None = None,
        threads: int = 2,
        words: bool = False,
    ) -> None:
        book = book or codes.default()
        self._words = words
        self._folder, self._keys, self._book = folder, keys, book
        self._recipe = codes.recipe(book)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self._lock = threading.Lock()
        self._checkpointing = threading.Lock()
        self._owner: int | None = None
        self._clear()
        self.discarded = ""
        """Why what the directory held could not be used; empty where it could, or where it held nothing."""

    def _clear(self) -> None:
        self._sealed: list[Segment] = []
        self._names: list[str | None] = []
        self._tail = Tail()
        self._sequence = self._written = 0
        self._mark = ""

    @classmethod
    def open(
        cls,
        folder: Path,
        keys: KeyRing,
        *,
        book: Codebook | None = None,
        threads: int = 2,
        words: bool = False,
    ) -> SearchIndex:
        """The index in a directory, restored."""
        index = cls(folder, keys, book=book, threads=threads, words=words)
        index.restore()
        return index

    def restore(self) -> None:
        """Open what is in the directory, or begin there.

        What is damaged, or whose codes were made in another way, is of no use: the index then begins empty,
        at sequence number 0, and its first checkpoint replaces the other. Only one process writes a
        directory; for all others `writable` is False and checkpoints do nothing.
        """
        # Compiled (or read from the disk cache) now, so that no search waits for it.
        path.fastest()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._claim()
        try:
            manifest = files.read_manifest(self._folder)
            if manifest is not None and manifest.recipe == self._recipe:
                self._load(manifest)
            elif manifest is not None:
                self.discarded = "its codes were made in another way"
        except DataLoss as error:
            self._clear()
            self.discarded = str(error)

    def _claim(self) -> None:
        descriptor = os.open(self._folder / files.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._owner = descriptor
        except BlockingIOError:
            os.close(descriptor)

    def _load(self, manifest: files.Manifest) -> None:
        names = [*manifest.segments, manifest.tail]
        found = list(self._pool.map(lambda name: files.read_segment(self._folder, name, self._keys), names))
        flags = files.read_alive(self._folder, manifest.alive, found, self._keys)
        for segment, alive in zip(found, flags, strict=True):
            segment.alive[:] = alive
        self._sealed, self._tail = self.map(self._indexed, found[:-1]), Tail.of(found[-1])
        self._names = list(manifest.segments)
        self._sequence = self._written = manifest.sequence
        self._mark = manifest.mark

    def _indexed(self, segment: Segment) -> Segment:
        return segment.with_tables() if self._words else segment

    def close(self) -> None:
        """End the search threads. What no checkpoint holds comes again from the change log."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    @property
    def writable(self) -> bool:
        """Whether this process writes the directory; False where another one does."""
        return self._owner is not None

    @property
    def book(self) -> Codebook:
        """What codes are made with."""
        return self._book

    @property
    def sequence(self) -> int:
        """Number of the last change that searches see."""
        return self._sequence

    @property
    def mark(self) -> str:
        """Which change that was: `mark_of`; empty where there was none."""
        return self._mark

    @property
    def unwritten(self) -> int:
        """Changes that no checkpoint holds."""
        return self._sequence - self._written

    @property
    def overdue(self) -> bool:
        """Whether enough changes are unwritten to be worth writing all of the newest persons again."""
        return self.unwritten >= max(LEAST_CHANGES, self._tail.persons // 4)

    def persons(self) -> int:
        """Subjects that a search can find."""
        return sum(segment.present() for segment in self._snapshot())

    def fingers(self) -> int:
        """Fingers of theirs that a search can find; takes longer to count."""
        return sum(segment.fingers() for segment in self._snapshot())

    def everybody(self) -> list[str]:
        """All subjects, in order of enrolment."""
        return [
            segment.names.get(person)
            for segment in self._snapshot()
            for person in np.flatnonzero(segment.alive).tolist()
        ]

    def holds(self, subject: str) -> bool:
        """Whether the subject is there."""
        with self._lock:
            return self._find(subject) is not None

    def codes_of(self, subject: str) -> dict[int, U64]:
        """All codes (36, filled up) of each finger of a subject, by position; none where it is not there."""
        with self._lock:
            found = self._find(subject)
        if found is None:
            return {}
        segment, person = found
        fingers = range(segment.first[person], segment.first[person + 1])
        return {int(segment.position[finger]): segment.full[finger] for finger in fingers}

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Results of `work` on all items, from the threads that searches use."""
        return list(self._pool.map(work, items))

    def encoded(self, fingers: Sequence[Finger]) -> Codes:
        """What `insert_codes` takes."""
        return [(finger.position, codes.encode(finger.template, self._book)) for finger in fingers]

    def insert(self, subject: str, fingers: Sequence[Finger], sequence: int) -> None:
        """Add a subject whose enrolment was committed under this sequence number; a number already seen is
        ignored. AlreadyExists where the subject is there.
        """
        self.insert_codes(subject, self.encoded(fingers), sequence)

    def insert_codes(self, subject: str, fingers: Codes, sequence: int) -> None:
        """`insert` of fingers that are encoded already."""
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
            self._sequence, self._mark = sequence, mark_of(subject, sequence)

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
            self._sequence, self._mark = sequence, mark_of(subject, sequence)

    def reset(self) -> None:
        """Forget everybody: the history that the index followed is not that of its owner."""
        with self._checkpointing, self._lock:
            self._clear()

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
        self, fingers: Sequence[Finger], list_length: int, *, exchanged: bool = False
    ) -> list[Candidate]:
        """The `list_length` subjects most alike, best first; fewer where fewer share anything with the probe.

        Fingers of unknown position are compared with all fingers, known ones with theirs and with those of
        unknown position. exchanged: also try the positions under `probe.arrangements`. Fingers with
        too few minutiae are left out; a search in which none remains finds nobody.
        """
        probe = prepare(fingers, self._book)
        orders = arrangements(probe) if exchanged else [probe]
        first = self.first_pass(orders, max(list_length, second_pass_persons(len(probe))))
        return self.second_pass(first, orders).candidates(list_length)

    def first_pass(self, orders: Sequence[Sequence[ProbeFinger]], most: int) -> Listed:
        """The `most` persons of the greatest scores of few codes, the best over `orders` each.

        Where enough fingers allow to go by votes for words, which are no scores, so many of either kind.
        """
        segments = self._snapshot()
        enough = _enough_for_votes(orders[0])
        voted = [enough and segment.tables is not None for segment in segments]
        scored = self.map(lambda k: _first(segments[k], orders, by_votes=voted[k]), range(len(segments)))
        least = {}
        for kind in set(voted):
            bins = [bins for (_, bins), one in zip(scored, voted, strict=True) if one is kind]
            least[kind] = select.cut(np.sum(bins, axis=0), most)
        persons = [select.at_least(sums, least[v]) for (sums, _), v in zip(scored, voted, strict=True)]
        found = [sums[chosen] for (sums, _), chosen in zip(scored, persons, strict=True)]
        return listed(segments, persons, found, len(least) * most)

    def second_pass(self, first: Listed, orders: Sequence[Sequence[ProbeFinger]]) -> Listed:
        """The same persons, ordered by scores of all their codes."""
        persons = [first.person[first.segment == k] for k in range(len(first.segments))]
        scores = self._pool.map(lambda part, who: _second(part, who, orders), first.segments, persons)
        return listed(first.segments, persons, list(scores), len(first.person))

    def checkpoint(self) -> None:
        """Write what changed since the last checkpoint, so that the next start opens it. Searches go on.

        OSError where the disk is full; the last checkpoint then still counts.
        """
        with self._checkpointing:
            if self._sequence == self._written:
                return
            self._tidy()
            if self._owner is None:
                return
            with self._lock:
                sealed, names, tail = list(self._sealed), list(self._names), self._tail.view()
                alive = [segment.alive.copy() for segment in (*sealed, tail)]
                sequence, mark = self._sequence, self._mark
            written = [
                name or f"{self._recipe}-segment-{sequence}-{number}" for number, name in enumerate(names)
            ]
            for segment, before, name in zip(sealed, names, written, strict=True):
                if before is None:
                    files.write_segment(self._folder, name, segment, self._keys)
            newest, flags = f"{self._recipe}-tail-{sequence}", f"{self._recipe}-alive-{sequence}"
            files.write_segment(self._folder, newest, tail, self._keys)
            files.write_alive(self._folder, flags, alive, self._keys)
            manifest = files.Manifest(self._recipe, sequence, mark, tuple(written), newest, flags)
            files.write_manifest(self._folder, manifest)
            with self._lock:
                # Only this method takes segments away, and new ones come in at the end.
                self._names[: len(written)] = written
                self._written = sequence

    def _tidy(self) -> None:
        """Replace segments of which many persons are deleted, and new ones, by copies without slack."""
        with self._lock:
            found = list(self._sealed)
        for segment in found:
            kept = np.flatnonzero(segment.alive)
            compact = isinstance(segment.names, PackedNames)
            if compact and kept.size > (1 - DELETED_SHARE) * segment.persons:
                continue
            copy = self._indexed(segment.only(kept))
            with self._lock:
                at = self._sealed.index(segment)
                copy.alive[:] = segment.alive[kept]
                self._sealed[at : at + 1] = [copy] if kept.size else []
                self._names[at : at + 1] = [None] if kept.size else []


def _enough_for_votes(probe: Sequence[ProbeFinger]) -> bool:
    return len(probe) >= WORD_FINGERS and all(finger.position != UNKNOWN for finger in probe)


def _first(segment: Segment, orders: Sequence[Sequence[ProbeFinger]], *, by_votes: bool) -> tuple[U16, I64]:
    score = segment.votes if by_votes else segment.score
    sums = score(orders[0])
    for other in orders[1:]:
        np.maximum(sums, score(other), out=sums)
    return sums, select.histogram(sums)


def _second(segment: Segment, persons: I64, orders: Sequence[Sequence[ProbeFinger]]) -> U16:
    scores = segment.rescore(orders[0], persons)
    for other in orders[1:]:
        np.maximum(scores, segment.rescore(other, persons), out=scores)
    return scores
