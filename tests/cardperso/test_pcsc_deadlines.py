"""Deadlines of calls that have none, without any card."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from services.cardperso.pcsc.watchdog import CallTimeoutError, Leash, Watchdog

FOREVER = 120.0


@pytest.fixture
def freed() -> Iterator[threading.Event]:
    """What a cut sets free."""
    event = threading.Event()
    yield event
    event.set()


def test_a_call_in_time_is_not_cut(freed: threading.Event) -> None:
    watchdog, leash = Watchdog(), Leash(freed.set)
    watchdog.add(leash)
    for _ in range(3):
        with leash.within(FOREVER):
            pass
    watchdog.remove(leash)
    assert not freed.is_set()


def test_a_call_that_is_late_is_cut_and_so_is_all_that_follows(freed: threading.Event) -> None:
    watchdog, leash = Watchdog(), Leash(freed.set)
    watchdog.add(leash)
    with pytest.raises(CallTimeoutError), leash.within(0.1):
        assert freed.wait(FOREVER)
    with pytest.raises(CallTimeoutError), leash.within(FOREVER):
        pytest.fail("nothing may go over a line that was cut")
    watchdog.remove(leash)


def broken(freed: threading.Event) -> None:
    freed.wait(FOREVER)
    raise ValueError("the line broke")


def test_what_a_call_raises_when_it_is_cut_is_not_the_card_s_fault(freed: threading.Event) -> None:
    watchdog, leash = Watchdog(), Leash(freed.set)
    watchdog.add(leash)
    with pytest.raises(CallTimeoutError), leash.within(0.1):
        broken(freed)
    watchdog.remove(leash)


def test_what_a_call_raises_in_time_is_passed_on(freed: threading.Event) -> None:
    with pytest.raises(ValueError, match="refused"), Leash(freed.set).within(FOREVER):
        raise ValueError("refused")


def test_a_cut_that_fails_does_not_keep_others_from_theirs(freed: threading.Event) -> None:
    def fail() -> None:
        raise OSError("not connected")

    watchdog, bad, good = Watchdog(), Leash(fail), Leash(freed.set)
    for leash in (bad, good):
        watchdog.add(leash)
        leash.due = time.monotonic()
    assert freed.wait(FOREVER)


def test_one_thread_looks_after_all_lines(freed: threading.Event) -> None:
    watchdog = Watchdog()
    before = set(threading.enumerate())
    leashes = [Leash(freed.set) for _ in range(24)]
    for leash in leashes:
        watchdog.add(leash)
    new = [each for each in set(threading.enumerate()) - before if each.name == "pcsc watchdog"]
    assert len(new) == 1
    for leash in leashes:
        watchdog.remove(leash)
