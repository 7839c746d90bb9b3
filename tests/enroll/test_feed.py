"""Followers of the history: everything in order, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.bell import Bell
from services.common.errors import ResourceExhausted, Unavailable
from services.enroll.feed import Feed
from services.enroll.record import Event
from tests.enroll.enroll_office import Office

# Nothing here may wait for the poll: whatever happens must ring the bell.
NEVER = 3600.0


def feed_of(office: Office, bell: Bell, max_followers: int = 2, poll_seconds: float = NEVER) -> Feed:
    return Feed(office.db, office.store, bell, max_followers=max_followers, poll_seconds=poll_seconds)


def always() -> bool:
    return True


def test_a_follower_gets_what_was_and_what_comes(office: Office) -> None:
    bell = Bell()
    office.submit("Sri")
    follower = feed_of(office, bell).follow(0, "", always)
    assert next(follower).sequence == 1
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, follower)
        record = office.submit("Budi")
        bell.ring()
        event = coming.result(timeout=30)
    assert (event.sequence, event.record_id) == (2, record.record_id)


def test_a_follower_misses_nothing_that_many_writers_do(office: Office) -> None:
    bell = Bell()
    follower = feed_of(office, bell).follow(0, "", always)

    def write(number: int) -> None:
        office.submit(f"person {number % 2}")
        bell.ring()

    with ThreadPoolExecutor(5) as pool:
        seen = pool.submit(take, follower, 20)
        list(pool.map(write, range(20)))
        assert [event.sequence for event in seen.result(timeout=60)] == list(range(1, 21))


def test_a_follower_of_a_region_gets_that_region_from_where_it_left_off(office: Office) -> None:
    for region in ("32.16", "32.17", "32.16", "32.17"):
        office.submit("Sri", region=region)
    follower = feed_of(office, Bell()).follow(1, "32.16", always)
    assert next(follower).sequence == 3


def test_what_other_replicas_do_is_found_by_looking(office: Office) -> None:
    follower = feed_of(office, Bell(), poll_seconds=0.01).follow(0, "", always)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, follower)
        office.submit("Sri")
        assert coming.result(timeout=30).sequence == 1


def test_more_followers_than_places_are_refused_until_one_leaves(office: Office) -> None:
    office.submit("Sri")
    feed = feed_of(office, Bell(), max_followers=2)
    followers = [feed.follow(0, "", always) for _ in range(2)]
    for follower in followers:
        next(follower)
    with pytest.raises(ResourceExhausted) as caught:
        next(feed.follow(0, "", always))
    assert caught.value.reason == "TOO_MANY_FOLLOWERS"
    followers[0].close()  # type: ignore[attr-defined]
    assert next(feed.follow(0, "", always)).sequence == 1


def test_a_follower_that_hangs_up_leaves_its_place(office: Office) -> None:
    bell = Bell()
    listening = threading.Event()
    listening.set()
    feed = feed_of(office, bell, max_followers=1)
    ended = in_thread(lambda: take(feed.follow(0, "", listening.is_set), 1))
    listening.clear()
    bell.ring()
    ended.join(30)
    assert not ended.is_alive()
    office.submit("Sri")
    assert next(feed.follow(0, "", always)).sequence == 1


def test_every_follower_is_sent_away_when_the_server_stops(office: Office) -> None:
    bell, stop = Bell(), threading.Event()
    feed = feed_of(office, bell)
    closing = in_thread(lambda: feed.close_with(stop))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, feed.follow(0, "", always))
        stop.set()
        with pytest.raises(Unavailable, match="stopping"):
            waiting.result(timeout=30)
    closing.join(30)


def take(follower: Iterator[Event], count: int) -> list[Event]:
    return [event for _, event in zip(range(count), follower, strict=False)]


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
