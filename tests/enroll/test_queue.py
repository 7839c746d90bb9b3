"""The queue for cards: order of arrival, whatever stations do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.errors import AlreadyExists, FailedPrecondition, NotFound
from services.enroll.claims import Claim
from services.enroll.queue import HELD_FROM, hold
from services.enroll.record import Record, Status
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_stations import (
    claim,
    print_ready,
    release,
    renew,
    report_issued,
    report_printed,
    void,
)

T = TypeVar("T")
_region_numbers = itertools.count()
_chips = itertools.count(1)


OPERATION = st.sampled_from(
    ["submit", "submit", "claim", "claim", "claim", "release", "print", "print", "void", "lapse", "renew"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(OPERATION, st.integers(0, 100)), max_size=25))
def test_a_station_always_gets_the_record_that_arrived_first(
    office: Office, operations: list[tuple[str, int]]
) -> None:
    # A region of its own keeps this example apart from those before it, once their claims have lapsed.
    region = f"{next(_region_numbers):05}"
    office.clock.advance(timedelta(seconds=121))
    office.queue.end_lapsed()
    waiting: set[int] = set()
    released: dict[int, int] = {}
    held_until: dict[int, datetime] = {}
    lent: list[tuple[Claim, int]] = []
    printed: list[tuple[Record, int]] = []
    for operation, choice in operations:
        office.clock.advance(timedelta(seconds=1))
        now = office.clock.now()
        free = {arrival for arrival in waiting if held_until.get(arrival, now) <= now}
        if operation == "submit":
            waiting.add(print_ready(office, region).arrival_number)
        elif operation == "claim" and not free:
            with pytest.raises(NotFound, match="No print-ready record"):
                claim(office, region)
        elif operation == "claim":
            held = claim(office, region)
            with office.db.read() as conn:
                arrival = office.store.get(conn, held.record_id).arrival_number
            assert arrival == min(free)
            waiting.remove(arrival)
            lent.append((held, arrival))
        elif operation == "lapse":
            office.clock.advance(timedelta(seconds=121))
            assert office.queue.end_lapsed() == len(lent)
            waiting |= {arrival for _, arrival in lent}
            lent.clear()
        elif operation == "void" and printed:
            card, arrival = printed.pop(choice % len(printed))
            void(office, card, card.chip_uid)
            waiting.add(arrival)
        elif operation != "void" and lent:
            held, arrival = lent[choice % len(lent)]
            if operation == "renew":
                renew(office, held)
                continue
            lent.remove((held, arrival))
            if operation == "release":
                release(office, held)
                waiting.add(arrival)
                released[arrival] = released.get(arrival, 0) + 1
                if released[arrival] >= HELD_FROM:
                    held_until[arrival] = now + hold(released[arrival])
            else:
                printed.append((report_printed(office, held, f"{next(_chips):014X}"), arrival))
    with office.db.read() as conn:
        ready = office.store.page(conn, region=region, status=Status.PRINT_READY_RECORD, limit=100)
    assert {record.arrival_number for record in ready} == waiting


def test_stations_that_claim_at_once_get_different_records_from_the_front(office: Office) -> None:
    records = [print_ready(office) for _ in range(10)]
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda n: claim(office, claimant=f"job-{n}"), range(6)))
    assert {held.record_id for held in claims} == {record.record_id for record in records[:6]}


def test_each_region_has_its_own_queue(office: Office) -> None:
    record = print_ready(office, "32.17")
    with pytest.raises(NotFound) as caught:
        claim(office, "32.16")
    assert (caught.value.reason, caught.value.field) == ("QUEUE_EMPTY", "region")
    assert claim(office, "32.17").record_id == record.record_id


def test_a_released_record_has_its_old_place(office: Office) -> None:
    first, _ = print_ready(office), print_ready(office)
    held = claim(office)
    office.clock.advance(timedelta(seconds=1))
    release(office, held)
    assert claim(office).record_id == first.record_id


def test_a_record_that_every_station_gives_back_lets_the_others_pass_and_keeps_its_place(
    office: Office,
) -> None:
    first, second = print_ready(office), print_ready(office)
    returned = first
    for _ in range(HELD_FROM):
        returned = release(office, claim(office))
        assert returned.record_id == first.record_id
    assert (returned.attempts, returned.reason) == (HELD_FROM, "CLAIM_RELEASED: The printer jams.")
    assert returned.next_attempt_time == office.clock.now() + timedelta(minutes=1)
    held = claim(office)
    assert held.record_id == second.record_id
    release(office, held)
    office.clock.advance(timedelta(minutes=1))
    assert claim(office).record_id == first.record_id


def test_a_record_is_held_back_an_hour_at_most() -> None:
    assert [hold(HELD_FROM + n) for n in (0, 1, 2)] == [timedelta(minutes=n) for n in (1, 2, 4)]
    assert hold(10**6) == timedelta(hours=1)


def test_a_released_record_says_why_it_came_back(office: Office) -> None:
    record = print_ready(office)
    assert release(office, claim(office)).reason == "CLAIM_RELEASED: The printer jams."
    claim(office)
    assert office.read(record).reason == ""


def test_a_lapsed_claim_is_seen_in_the_history_and_ends(office: Office) -> None:
    record = print_ready(office)
    held = claim(office, claimant="station 7")
    office.clock.advance(timedelta(seconds=120))
    assert office.queue.end_lapsed() == 1
    assert office.queue.end_lapsed() == 0
    with office.db.read() as conn:
        event = office.store.history(conn, record.record_id)[-1]
    assert (event.status, event.actor) == (Status.PRINT_READY_RECORD, "queue")
    assert event.reason == "CLAIM_LAPSED: station 7 fell silent."
    for late in (
        lambda: release(office, held),
        lambda: report_printed(office, held, "04A1B2C3"),
        lambda: renew(office, held),
    ):
        assert refusal(late, FailedPrecondition).metadata == {"state": "LAPSED"}


def test_a_renewed_claim_stands_as_long_again(office: Office) -> None:
    print_ready(office)
    held = claim(office)
    office.clock.advance(timedelta(seconds=100))
    until = renew(office, held)
    assert until == office.clock.now() + timedelta(seconds=120)
    office.clock.advance(timedelta(seconds=100))
    assert office.queue.end_lapsed() == 0


def test_a_card_is_printed_then_issued(office: Office) -> None:
    record = print_ready(office)
    printed = report_printed(office, claim(office), "04A1B2C3D4E5F6")
    assert (printed.status, printed.chip_uid) == (Status.CARD_PRINTED, "04A1B2C3D4E5F6")
    issued = report_issued(office, record, "04A1B2C3D4E5F6")
    assert issued.status is Status.CARD_ISSUED
    assert office.read(record) == issued


def test_a_chip_is_on_one_card_only_and_the_claim_stands_after_the_refusal(office: Office) -> None:
    print_ready(office)
    report_printed(office, claim(office), "04A1B2C3")
    second = print_ready(office)
    held = claim(office)
    error = refusal(lambda: report_printed(office, held, "04A1B2C3"), AlreadyExists)
    assert (error.reason, error.field) == ("CHIP_UID_IN_USE", "chip_uid")
    assert office.read(second).status is Status.SENT_FOR_CARD_PRINTING
    assert report_printed(office, held, "04A1B2C4").chip_uid == "04A1B2C4"


def test_two_stations_cannot_report_one_chip_at_once(office: Office) -> None:
    for _ in range(2):
        print_ready(office)
    claims = [claim(office), claim(office)]

    def report(held: Claim) -> str:
        try:
            return report_printed(office, held, "04A1B2C3").status.name
        except AlreadyExists as error:
            return error.reason

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(report, claims)) == ["CARD_PRINTED", "CHIP_UID_IN_USE"]


def test_another_card_than_the_printed_one_is_not_issued(office: Office) -> None:
    record = print_ready(office)
    error = refusal(lambda: report_issued(office, record, "04A1B2C3"), FailedPrecondition)
    assert error.reason == "TRANSITION_NOT_ALLOWED"
    report_printed(office, claim(office), "04A1B2C3")
    error = refusal(lambda: report_issued(office, record, "04A1B2C4"), FailedPrecondition)
    assert (error.reason, error.field) == ("CHIP_UID_DISAGREES", "chip_uid")


def test_an_unknown_claim_is_not_found(office: Office) -> None:
    error = refusal(lambda: office.db.run(lambda conn: office.queue.renew(conn, "nothing")), NotFound)
    assert (error.reason, error.field) == ("CLAIM_UNKNOWN", "claim_id")


E = TypeVar("E", NotFound, FailedPrecondition, AlreadyExists)


def refusal(call: Callable[[], object], kind: type[E]) -> E:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.remedy
    return caught.value
