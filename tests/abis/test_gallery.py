"""The gallery: exact where it is small, level with the database whatever happened, back from disk at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, from_minutiae, minutiae_only
from services.abis.gallery import Gallery
from services.abis.identify import Identification
from services.abis.references import References
from services.abis.search import cascade
from services.abis.search.index import SearchIndex
from services.abis.search.verification import Found
from services.abis.store import Store
from services.common.crypto import KeyRing
from services.common.db import Database

LEFT_THUMB = 6
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = KeyRing("test", {"test": bytes(range(32))})


class Replica:
    """One process's view of a database, and ways to change it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.store = database, Store(KEYS)
        references = References(database, self.store)
        self.index = SearchIndex(folder, KEYS)
        self.gallery = Gallery(self.index, references)
        self.identification = Identification(database, self.store, self.gallery, references)
        self.gallery.restore()
        self.opened = self.index.sequence
        self.identification.start()

    def enrol(self, subject: str, *fingers: Finger) -> None:
        with self.database.transaction() as conn:
            self.store.lock(conn)
            self.store.insert(conn, subject, fingers, NOW)

    def delete(self, subject: str) -> None:
        with self.database.transaction() as conn:
            self.store.lock(conn)
            self.store.delete(conn, subject)

    def find(self, *fingers: Finger, most: int = 10) -> list[Found]:
        return list(self.identification.identify(fingers, most).candidates)

    def names(self, *fingers: Finger) -> list[str]:
        return [found.subject_id for found in self.find(*fingers)]

    def close(self) -> None:
        self.gallery.close()


@pytest.fixture
def start(database: Database, tmp_path: Path) -> Iterator[Callable[..., Replica]]:
    """Starts replicas on one database, each with a folder of its own name."""
    running: list[Replica] = []

    def go(folder: str = "one") -> Replica:
        running.append(Replica(database, tmp_path / folder))
        return running[-1]

    yield go
    for replica in running:
        replica.close()


@pytest.fixture
def replica(start: Callable[..., Replica]) -> Replica:
    return start()


@pytest.fixture
def filled(replica: Replica, templates: list[list[Template]]) -> Replica:
    for k, (first, _) in enumerate(templates):
        replica.enrol(f"s{k}", Finger(UNKNOWN, first))
    return replica


def filler(seed: int) -> Finger:
    """A finger that resembles nobody, made in no time."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 300, (2, 30)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, 30).astype(np.float32)
    some = Minutiae(x, y, angle, np.ones(30, np.uint8), np.full(30, 0.5, np.float32))
    return Finger(UNKNOWN, from_minutiae(some, 300, 300))


def test_a_search_scores_as_single_comparisons_do(filled: Replica, templates: list[list[Template]]) -> None:
    filled.enrol("s6", Finger(UNKNOWN, minutiae_only(templates[0][0])))
    enrolled = [*(first for first, _ in templates), minutiae_only(templates[0][0])]
    for probe in (templates[0][1], templates[3][1], minutiae_only(templates[2][1])):
        found = filled.find(Finger(UNKNOWN, probe))
        assert len(found) == len(enrolled)
        for candidate in found:
            expected = compare(probe, enrolled[int(candidate.subject_id[1:])]).score
            assert candidate.fused.fingers[0].score == pytest.approx(expected, abs=1e-9)
        scores = [candidate.fused.score for candidate in found]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("exact", [0, cascade.EXACT])
def test_every_mate_is_the_first_candidate(
    filled: Replica, templates: list[list[Template]], monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(cascade, "EXACT", exact)
    for k, (_, second) in enumerate(templates):
        assert filled.names(Finger(UNKNOWN, second))[0] == f"s{k}"


@pytest.mark.parametrize("exact", [0, cascade.EXACT])
def test_what_came_in_after_a_search_is_searched_before_the_decision(
    filled: Replica, templates: list[list[Template]], monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    probe = [Finger(UNKNOWN, templates[0][1])]
    before = filled.identification.identify(probe, 10).sequence
    filled.enrol("late", Finger(UNKNOWN, templates[0][0]))
    monkeypatch.setattr(cascade, "EXACT", exact)
    with filled.database.transaction() as conn:
        filled.identification.follow(conn)
        since = filled.gallery.search_since(probe, 10, before, conn)
        none = filled.gallery.search_since(probe, 10, before + 1, conn)
    assert "late" in [found.subject_id for found in since]
    if exact:
        assert (len(since), none) == (1, ())


def test_known_positions_are_compared_with_themselves_and_unknown_ones_only(
    replica: Replica, templates: list[list[Template]]
) -> None:
    replica.enrol("right", Finger(2, templates[0][0]))
    replica.enrol("unknown", Finger(UNKNOWN, templates[1][0]))
    probe = Finger(LEFT_THUMB, templates[1][1])
    assert [f.fused.fingers[0].score > 0 for f in replica.find(probe) if f.fused.fingers] == [True]
    assert replica.names(probe)[0] == "unknown"
    assert replica.identification.verify([probe], "right") is None


def test_several_fingers_speak_for_one_person(replica: Replica, templates: list[list[Template]]) -> None:
    replica.enrol("two", Finger(1, templates[0][0]), Finger(2, templates[1][0]))
    replica.enrol("other", Finger(1, templates[2][0]), Finger(2, templates[3][0]))
    probe = [Finger(1, templates[0][1]), Finger(2, templates[1][1])]
    best, second = replica.find(*probe)
    assert best.subject_id == "two"
    single = [replica.find(finger)[0].fused.score for finger in probe]
    assert best.fused.score == pytest.approx(sum(single), abs=0.1)
    assert second.fused.score < 0


def test_a_deleted_subject_is_not_found_and_may_come_back_as_another(
    filled: Replica, templates: list[list[Template]]
) -> None:
    probe = Finger(UNKNOWN, templates[0][1])
    assert filled.names(probe)[0] == "s0"
    filled.delete("s0")
    assert "s0" not in filled.names(probe)
    assert filled.gallery.counts() == (5, 5)
    filled.enrol("s0", Finger(UNKNOWN, templates[1][0]))
    again = {found.subject_id: found.fused.score for found in filled.find(probe)}
    assert again["s0"] < 0


def test_a_restart_opens_the_index_and_replays_what_is_missing(
    filled: Replica, start: Callable[..., Replica], templates: list[list[Template]]
) -> None:
    filled.identification.follow()
    filled.gallery.write()
    filled.enrol("late", filler(1))
    filled.delete("s1")
    # Nothing more is written, as after kill -9.
    filled.index.close()
    again = start()
    assert again.opened == 6
    assert again.gallery.counts() == (6, 6)
    assert again.names(Finger(UNKNOWN, templates[2][1]))[0] == "s2"
    assert "s1" not in again.names(Finger(UNKNOWN, templates[1][1]))
    again.close()
    assert start().opened == 8


def test_an_index_that_is_ahead_of_the_database_begins_anew(
    filled: Replica, start: Callable[..., Replica], templates: list[list[Template]]
) -> None:
    filled.identification.follow()
    filled.close()
    with filled.database.transaction() as conn:
        for table in ("finger_reference", "subject", "gallery_change"):
            conn.exec_driver_sql(f"DELETE FROM {table}")
    restored = start()
    assert restored.opened == 6
    assert (restored.index.sequence, restored.gallery.counts()) == (0, (0, 0))
    restored.enrol("s9", Finger(UNKNOWN, templates[4][0]))
    assert restored.names(Finger(UNKNOWN, templates[4][1])) == ["s9"]


def test_an_index_of_another_history_begins_anew(
    filled: Replica, start: Callable[..., Replica], templates: list[list[Template]]
) -> None:
    filled.identification.follow()
    filled.close()
    with filled.database.transaction() as conn:
        conn.exec_driver_sql("DELETE FROM finger_reference WHERE subject_id = 's5'")
        conn.exec_driver_sql("DELETE FROM subject WHERE subject_id = 's5'")
        conn.exec_driver_sql("DELETE FROM gallery_change WHERE subject_id = 's5'")
    filled.enrol("another", Finger(UNKNOWN, templates[5][1]))
    restored = start()
    assert restored.opened == 6
    assert restored.names(Finger(UNKNOWN, templates[5][0]))[0] == "another"
    assert not restored.gallery.holds("s5")


def test_an_index_that_lacks_somebody_is_rebuilt(
    filled: Replica, start: Callable[..., Replica], templates: list[list[Template]]
) -> None:
    filled.identification.follow()
    # A fault of memory, say.
    segment, person = filled.index._find("s3") or pytest.fail("s3 is not there")
    segment.alive[person] = 0
    filled.close()
    assert start().names(Finger(UNKNOWN, templates[3][1]))[0] == "s3"


def test_a_replica_without_a_folder_of_its_own_works_all_the_same(
    filled: Replica, start: Callable[..., Replica], templates: list[list[Template]]
) -> None:
    second = start()
    assert (filled.index.writable, second.index.writable) == (True, False)
    assert second.names(Finger(UNKNOWN, templates[0][1]))[0] == "s0"


def test_a_full_disk_stops_nothing(
    filled: Replica, templates: list[list[Template]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    filled.identification.follow()
    monkeypatch.setattr("services.abis.search.files.write_segment", full)
    filled.gallery.write()
    assert filled.index.unwritten == 6
    assert filled.names(Finger(UNKNOWN, templates[0][1]))[0] == "s0"


def test_searches_are_right_while_subjects_come_and_go(
    filled: Replica, start: Callable[..., Replica], templates: list[list[Template]]
) -> None:
    other = start("two")
    fillers = [filler(seed) for seed in range(20)]
    done = threading.Event()
    wrong: list[str] = []

    def search(where: Replica) -> int:
        searches = 0
        while not done.is_set() or not searches:
            for k in range(len(templates)):
                best = where.find(Finger(UNKNOWN, templates[k][1]), most=1)[0]
                searches += 1
                if best.subject_id != f"s{k}":
                    wrong.append(best.subject_id)
        return searches

    with ThreadPoolExecutor(2) as pool:
        searching = [pool.submit(search, where) for where in (filled, other)]
        try:
            for k in range(30):
                other.enrol(f"f{k}", fillers[k % 20])
                if k % 3 == 0:
                    other.delete(f"f{k}")
                filled.gallery.write()
        finally:
            done.set()
        for job in searching:
            job.result()
    assert wrong == []
    for where in (filled, other):
        where.identification.follow()
        assert where.gallery.counts()[0] == 6 + 30 - 10
