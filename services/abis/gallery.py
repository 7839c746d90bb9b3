"""The searchable gallery: all enrolled fingers of this replica, packed in arrays that threads share without
copies.

Arrays grow by doubling. A reader works on views of what was there when it began; a writer only appends behind
them, so searching takes no lock. Deleting sets a flag. The database is the truth: the gallery follows its
change log by sequence number and is rebuilt from it at start.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.abis import fusion
from services.abis.finger import Finger
from services.abis.fingerprint.compare import arrays
from services.abis.fingerprint.cylinders import VALID_WORDS, WORDS
from services.abis.fingerprint.score import DEFAULT
from services.abis.fingerprint.search import score_range
from services.abis.kernels import F32, F64, I64, U8, U64

_CHUNK = 512
"""Fingers per unit of work: about 50 ms, so that a short request need not wait long for a thread."""
_SHORTLIST = 64


@dataclass(frozen=True)
class Candidate:
    """A subject that was compared. positions: of its fingers, in the order of `fused.fingers`."""

    subject_id: str
    fused: fusion.Fused
    positions: tuple[int, ...]


@dataclass(frozen=True)
class SearchResult:
    """Candidates of a search, best first; how many subjects were compared; the sequence number it covers."""

    candidates: tuple[Candidate, ...]
    compared: int
    sequence: int


class _Column:
    """An array that grows at its end; `view` never moves under a reader that holds it."""

    def __init__(self, dtype: type, *tail: int) -> None:
        self._array: NDArray[np.generic] = np.zeros((1024, *tail), dtype)
        self.size = 0

    def append(self, rows: NDArray[np.generic]) -> None:
        end = self.size + len(rows)
        if end > len(self._array):
            grown = np.zeros((max(end, 2 * len(self._array)), *self._array.shape[1:]), self._array.dtype)
            grown[: self.size] = self._array[: self.size]
            self._array = grown
        self._array[self.size : end] = rows
        self.size = end

    @property
    def view(self) -> Any:
        return self._array[: self.size]


@dataclass(frozen=True)
class _Entry:
    """A subject in the arrays: its fingers are [first, last)."""

    subject_id: str
    first: int
    last: int
    sequence: int


@dataclass(frozen=True)
class _Snapshot:
    """What one search sees: consistent views of all columns."""

    columns: tuple[F32, U64, U64, U8, I64, U8, U8, I64, U8, I64, I64]
    alive: U8
    positions: I64
    entries: Sequence[_Entry]
    count: int
    sequence: int


@dataclass
class Gallery:
    """Fingers of all enrolled subjects. threads: how many cores one search may use."""

    threads: int = 2
    sequence: int = 0
    _entries: list[_Entry] = field(default_factory=list)
    _index: dict[str, _Entry] = field(default_factory=dict)
    _fingers: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="search")
        self._clear()

    def _clear(self) -> None:
        self._columns = (
            _Column(np.float32, 4),
            _Column(np.uint64, WORDS),
            _Column(np.uint64, VALID_WORDS),
            _Column(np.uint8),
            _Column(np.int64),
            _Column(np.uint8),
            _Column(np.uint8),
            _Column(np.int64),
            _Column(np.uint8),
            _Column(np.int64),
            _Column(np.int64, 6),
        )
        for starts in (self._columns[4], self._columns[7], self._columns[9]):
            starts.append(np.zeros(1, np.int64))
        self._alive = _Column(np.uint8)

    def close(self) -> None:
        """End the search threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def counts(self) -> tuple[int, int]:
        """Subjects and fingers that a search can find."""
        with self._lock:
            return len(self._index), self._fingers

    def insert(self, subject_id: str, fingers: Sequence[Finger], sequence: int) -> None:
        """Add a subject whose insertion was committed under this sequence number; one already seen is
        ignored.
        """
        with self._lock:
            if sequence <= self.sequence:
                return
            first = self._alive.size
            for finger in fingers:
                self._append(finger)
            entry = _Entry(subject_id, first, self._alive.size, sequence)
            self._entries.append(entry)
            self._index[subject_id] = entry
            self._fingers += len(fingers)
            self.sequence = sequence

    def delete(self, subject_id: str, sequence: int) -> None:
        """Take out a subject whose deletion was committed under this sequence number."""
        with self._lock:
            if sequence <= self.sequence:
                return
            entry = self._index.pop(subject_id, None)
            if entry is not None:
                self._alive.view[entry.first : entry.last] = 0
                self._fingers -= entry.last - entry.first
            self.sequence = sequence

    def _append(self, finger: Finger) -> None:
        template = finger.template
        points, bits, valid, usable, orientation, frequency, texture = arrays(template)
        rows, columns = orientation.shape
        from_image = int(template.from_image)
        about = (rows, columns, template.digest, from_image, finger.position, len(texture))
        p, b, v, u, point_start, o, f, cell_start, t, texture_start, fingers = self._columns
        for column, values in ((p, points), (b, bits), (v, valid), (u, usable)):
            column.append(values)
        o.append(orientation.ravel())
        f.append(frequency.ravel())
        t.append(texture.ravel())
        point_start.append(np.array([p.size]))
        cell_start.append(np.array([o.size]))
        texture_start.append(np.array([t.size]))
        fingers.append(np.array([about]))
        self._alive.append(np.ones(1, np.uint8))

    def _snapshot(self) -> _Snapshot:
        with self._lock:
            p, b, v, u, point_start, o, f, cell_start, t, texture_start, fingers = (
                column.view for column in self._columns
            )
            return _Snapshot(
                (p, b, v, u, point_start, o, f, cell_start, t, texture_start, fingers),
                self._alive.view,
                fingers[:, 4],
                self._entries,
                len(self._entries),
                self.sequence,
            )

    def holds(self, subject_id: str) -> bool:
        """Whether the subject can be found."""
        with self._lock:
            return subject_id in self._index

    def search(self, fingers: Sequence[Finger], most: int, *, after: int = 0) -> SearchResult:
        """Compare with all subjects inserted after a sequence number (0: with all): the best `most`
        candidates.
        """
        seen = self._snapshot()
        # Entries are in order of their sequence numbers.
        low, high = 0, seen.count
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if seen.entries[middle].sequence <= after else (low, middle)
        candidates = self._candidates(seen, fingers, low, seen.count, most)
        compared = sum(1 for k in range(low, seen.count) if seen.alive[seen.entries[k].first])
        return SearchResult(candidates, compared, seen.sequence)

    def compare(self, fingers: Sequence[Finger], subject_id: str) -> Candidate | None:
        """Compare with one subject; None if it is not in the gallery or shares no finger position."""
        seen = self._snapshot()
        with self._lock:
            entry = self._index.get(subject_id)
            row = self._entries.index(entry) if entry is not None else -1
        if row < 0 or row >= seen.count:
            return None
        found = self._candidates(seen, fingers, row, row + 1, 1)
        return found[0] if found else None

    def _candidates(
        self, seen: _Snapshot, fingers: Sequence[Finger], low: int, high: int, most: int
    ) -> tuple[Candidate, ...]:
        if low >= high:
            return ()
        first, last = seen.entries[low].first, seen.entries[high - 1].last
        scores = self._scores(seen, fingers, first, last)
        starts = np.array([seen.entries[k].first - first for k in range(low, high)])
        possible = ~np.isnan(scores)
        # What a subject could reach at most: enough to tell which few deserve the exact assignment of
        # fingers.
        best = np.maximum.reduceat(np.where(possible, fusion.bounded(scores), -np.inf), starts, axis=1)
        reach = np.where(np.isneginf(best), 0.0, best).sum(axis=0)
        reach[np.isneginf(best).all(axis=0)] = -np.inf
        order = np.argsort(-reach, kind="stable")[: max(most, _SHORTLIST)]
        probe = [finger.position for finger in fingers]
        out = []
        for k in order:
            if np.isneginf(reach[k]):
                continue
            entry = seen.entries[low + int(k)]
            positions = seen.positions[entry.first : entry.last].tolist()
            fused = fusion.fuse(scores[:, entry.first - first : entry.last - first], probe, positions)
            used = tuple(positions[score.reference] for score in fused.fingers)
            out.append(Candidate(entry.subject_id, fused, used))
        out.sort(key=lambda candidate: -candidate.fused.score)
        return tuple(out[:most])

    def _scores(self, seen: _Snapshot, fingers: Sequence[Finger], first: int, last: int) -> F64:
        scores = np.empty((len(fingers), last - first))

        def work(row: int, start: int) -> None:
            finger = fingers[row]
            stop = min(start + _CHUNK, last)
            template = finger.template
            probe = (*arrays(template), template.digest, int(template.from_image), finger.position)
            weights = (DEFAULT.image, DEFAULT.minutiae)
            out = scores[row, start - first : stop - first]
            everything: tuple[Any, ...] = (*probe, *seen.columns, seen.alive, *weights, start, stop, out)
            score_range(*everything)

        tasks = [(row, start) for row in range(len(fingers)) for start in range(first, last, _CHUNK)]
        if len(tasks) == 1:
            work(*tasks[0])
        else:
            for done in [self._pool.submit(work, *task) for task in tasks]:
                done.result()
        return scores
