"""The packed gallery: finds what was inserted, also while others insert and delete."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, from_minutiae, minutiae_only
from services.abis.gallery import Gallery

LEFT_THUMB = 6


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    made = Gallery(threads=2)
    yield made
    made.close()


def filler(seed: int) -> list[Finger]:
    """A finger that resembles nobody, made in no time."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 300, (2, 30)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, 30).astype(np.float32)
    some = Minutiae(x, y, angle, np.ones(30, np.uint8), np.full(30, 0.5, np.float32))
    return [Finger(UNKNOWN, from_minutiae(some, 300, 300))]


def filled(gallery: Gallery, templates: list[list[Template]]) -> Gallery:
    for k, (first, _) in enumerate(templates):
        gallery.insert(f"s{k}", [Finger(UNKNOWN, first)], k + 1)
    return gallery


def test_a_search_scores_as_single_comparisons_do(gallery: Gallery, templates: list[list[Template]]) -> None:
    templates = [*templates, [minutiae_only(templates[0][0]), templates[0][1]]]
    filled(gallery, templates)
    for probe in (templates[0][1], templates[3][1], minutiae_only(templates[2][1])):
        found = gallery.search([Finger(UNKNOWN, probe)], 10)
        assert found.compared == len(templates)
        assert len(found.candidates) == len(templates)
        for candidate in found.candidates:
            expected = compare(probe, templates[int(candidate.subject_id[1:])][0]).score
            assert candidate.fused.fingers[0].score == pytest.approx(expected, abs=1e-9)
        scores = [c.fused.score for c in found.candidates]
        assert scores == sorted(scores, reverse=True)


def test_every_mate_is_the_first_candidate(gallery: Gallery, templates: list[list[Template]]) -> None:
    filled(gallery, templates)
    for k, (_, second) in enumerate(templates):
        assert gallery.search([Finger(UNKNOWN, second)], 3).candidates[0].subject_id == f"s{k}"


def test_only_what_came_after_is_searched(gallery: Gallery, templates: list[list[Template]]) -> None:
    filled(gallery, templates)
    found = gallery.search([Finger(UNKNOWN, templates[0][1])], 10, after=3)
    assert {c.subject_id for c in found.candidates} == {"s3", "s4", "s5"}
    assert gallery.search([Finger(UNKNOWN, templates[0][1])], 10, after=6).candidates == ()


def test_known_positions_are_compared_with_themselves_and_unknown_ones_only(
    gallery: Gallery, templates: list[list[Template]]
) -> None:
    gallery.insert("right", [Finger(2, templates[0][0])], 1)
    gallery.insert("unknown", [Finger(UNKNOWN, templates[0][0])], 2)
    found = gallery.search([Finger(LEFT_THUMB, templates[0][1])], 10)
    assert [c.subject_id for c in found.candidates] == ["unknown"]
    assert found.compared == 2
    assert gallery.compare([Finger(LEFT_THUMB, templates[0][1])], "right") is None


def test_several_fingers_speak_for_one_person(gallery: Gallery, templates: list[list[Template]]) -> None:
    gallery.insert("two", [Finger(1, templates[0][0]), Finger(2, templates[1][0])], 1)
    gallery.insert("other", [Finger(1, templates[2][0]), Finger(2, templates[3][0])], 2)
    probe = [Finger(1, templates[0][1]), Finger(2, templates[1][1])]
    best, second = gallery.search(probe, 10).candidates
    assert best.subject_id == "two"
    single = [gallery.search([finger], 1).candidates[0].fused.score for finger in probe]
    assert best.fused.score == pytest.approx(sum(single), abs=0.1)
    assert second.fused.score < 0


def test_a_deleted_subject_is_not_found(gallery: Gallery, templates: list[list[Template]]) -> None:
    filled(gallery, templates)
    gallery.delete("s0", 7)
    assert not gallery.holds("s0")
    found = gallery.search([Finger(UNKNOWN, templates[0][1])], 10)
    assert "s0" not in {c.subject_id for c in found.candidates}
    assert (gallery.counts(), found.compared) == ((5, 5), 5)
    assert gallery.compare([Finger(UNKNOWN, templates[0][1])], "s0") is None


def test_a_change_seen_twice_counts_once(gallery: Gallery, templates: list[list[Template]]) -> None:
    filled(gallery, templates)
    filled(gallery, templates)
    assert gallery.counts() == (6, 6)


def test_searches_are_right_while_subjects_come_and_go(
    gallery: Gallery, templates: list[list[Template]]
) -> None:
    filled(gallery, templates)
    fillers = [filler(seed) for seed in range(20)]
    done = threading.Event()
    wrong: list[str] = []

    def search() -> None:
        while not done.is_set():
            for k in range(len(templates)):
                best = gallery.search([Finger(UNKNOWN, templates[k][1])], 1).candidates[0]
                if best.subject_id != f"s{k}":
                    wrong.append(best.subject_id)

    with ThreadPoolExecutor(2) as pool:
        searching = [pool.submit(search) for _ in range(2)]
        sequence = 10
        try:
            for k in range(2000):
                gallery.insert(f"f{k}", fillers[k % 20], sequence)
                sequence += 1
                if k % 3 == 0:
                    gallery.delete(f"f{k}", sequence)
                    sequence += 1
        finally:
            done.set()
        for job in searching:
            job.result()
    assert wrong == []
    assert gallery.counts()[0] == 6 + 2000 - 667
