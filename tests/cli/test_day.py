"""Who comes on the demo day: as many as wanted, some twice, the same for the same seed."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunggal.enroll.v1.record_pb2 import Biodata

from sim.card import CardMemory
from sim.demo.day import Arrival, Submission, interleave
from sim.demo.feeder import CardFeeder
from sim.demo.synthetic import synthetic_day, visits


def visit(person: int, time: int) -> Submission:
    return Submission(f"{person}/{time}", str(person), Biodata(), (), b"", b"")


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 10**6))
def test_nobody_comes_again_before_coming_first(again: list[int], seed: int) -> None:
    firsts: list[Arrival] = [(visit(person, 1),) for person in range(10)]
    later = [visit(person, 2 + number) for number, person in enumerate(again)]
    order = [arrival[0] for arrival in interleave(firsts, later, random.Random(seed))]
    assert sorted(s.key for s in order) == sorted(s.key for s in [*(f[0] for f in firsts), *later])
    seen: set[str] = set()
    for submission in order:
        assert submission.key.endswith("/1") == (submission.person not in seen)
        seen.add(submission.person)


def test_a_day_has_people_duplicates_and_one_at_two_counters() -> None:
    told: list[str] = []
    day = synthetic_day(3, 1, "32.16", told.append)
    assert len(told) == len(day.submissions) == visits(3) == 6
    assert (day.people, day.injected, day.real) == (3, 3, False)
    assert [len(arrival) for arrival in day.arrivals if len(arrival) > 1] == [2]
    assert len({s.biodata.nik for s in day.submissions}) == 6
    prints = [finger.content for s in day.submissions for finger in s.fingers]
    assert len(set(prints)) == len(prints) == 24
    again = synthetic_day(3, 1, "32.16")
    assert again == day
    assert synthetic_day(3, 2, "32.16") != day


def test_a_day_of_one_person_has_duplicates_too() -> None:
    day = synthetic_day(1, 1, "32.16")
    assert (day.people, day.injected) == (1, 3)
    assert len({s.key for s in day.submissions}) == 4


@pytest.fixture
def reader() -> Iterator[int]:
    """A port that takes cards and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


def test_the_feeder_lays_another_blank_each_time_and_the_same_ones_for_the_same_seed(
    reader: int, tmp_path: Path
) -> None:
    def three(name: str, seed: int) -> list[str]:
        feeder = CardFeeder(reader, tmp_path / name, seed)
        uids = []
        for _ in range(3):
            feeder.lay()
            uids.append(feeder.uid)
        memory = CardMemory(feeder.take())
        assert memory.uid.hex().upper() == uids[-1]
        memory.close()
        return uids

    first = three("a", 1)
    assert len(set(first)) == 3
    assert three("b", 1) == first
    assert not set(three("c", 2)) & set(first)
