"""The gate: an ABIS out of reach holds everybody up, visibly, and nobody loses their place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.common import errors
from services.enroll import worklist
from services.enroll.record import Record, Status
from tests.enroll.enroll_office import Office

DOWN = errors.Unavailable("UNREACHABLE", "Connection refused.")


def seen(office: Office, record: Record) -> Record:
    """The record as GetRecord shows it."""
    with office.db.read() as conn:
        return worklist.as_seen(office.store.get(conn, record.record_id), worklist.gate(conn))


def submit_many(office: Office, count: int) -> list[Record]:
    return [office.submit(f"person {number}", nik=f"{number:016}") for number in range(count)]


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        errors.PermissionDenied("CALLER_NOT_ALLOWED", "Not you."),
        errors.ResourceExhausted("BUSY", "Too many."),
    ],
)
def test_every_record_waits_with_the_reason_and_the_next_attempt(
    office: Office, error: errors.TunggalError
) -> None:
    office.abis.down = error
    records = submit_many(office, 3)
    office.run()
    for record in records:
        waiting = seen(office, record)
        assert waiting.status is Status.SENT_FOR_ENROLLMENT
        assert waiting.reason == f"ABIS_UNAVAILABLE: {error.reason}: {error.message}"
        assert waiting.next_attempt_time is not None
        assert waiting.next_attempt_time > office.clock.now()
    assert seen(office, records[0]).attempts == 1


def test_one_try_at_a_time_is_made_however_many_wait(office: Office) -> None:
    office.abis.down = DOWN
    submit_many(office, 5)
    office.run()
    with office.db.read() as conn:
        first = worklist.gate(conn)
    assert first is not None
    assert first.attempts == 1
    office.clock.advance(timedelta(seconds=0.6))
    office.run()
    with office.db.read() as conn:
        second = worklist.gate(conn)
    assert second is not None
    assert second.attempts == 2


def test_when_it_opens_the_records_go_on_in_order_of_arrival(office: Office) -> None:
    office.abis.down = DOWN
    records = submit_many(office, 4)
    for _ in range(20):
        office.run()
        office.clock.advance(timedelta(seconds=31))
    now = office.clock.now()
    assert any((office.read(record).next_attempt_time or now) > now for record in records)
    office.abis.down = None
    office.run()
    tried_first, *rest = office.abis.calls
    in_order = [record.record_id for record in records]
    in_order.remove(tried_first)
    assert rest == in_order
    assert all(office.read(record).status is Status.PRINT_READY_RECORD for record in records)
    with office.db.read() as conn:
        assert worklist.gate(conn) is None


NOT_ENTITLED = errors.ResourceExhausted("ABIS_NOT_ENTITLED", "No licence.", domain="tunggal.abis")
FULL = errors.ResourceExhausted("PEOPLE_CEILING_REACHED", "190,000,000 people.", domain="tunggal.abis")


def test_everybody_is_told_what_the_gate_waits_for_now(office: Office) -> None:
    """Who was sent away because the licence was full is told so when it has ended as well."""
    waiting = submit_many(office, 3)
    for error in (DOWN, FULL, NOT_ENTITLED):
        office.abis.down = error
        office.run()
        office.clock.advance(timedelta(seconds=31))
        office.run()
        for record in waiting:
            told = seen(office, record)
            assert told.reason == f"ABIS_UNAVAILABLE: {error.reason}: {error.message}"
            assert told.next_attempt_time is not None
            assert told.next_attempt_time > office.clock.now()


def let_through(office: Office, count: int) -> list[str]:
    """Lets the pipeline deduplicate so many records; their ids in the order in which it did."""
    before = len(office.abis.calls)
    while len(office.abis.calls) < before + count:
        assert office.pipeline.step()
    return office.abis.calls[before:]


@pytest.mark.parametrize("tries", [1, 7])
def test_nobody_overtakes_however_often_the_licence_ends_and_is_renewed(office: Office, tries: int) -> None:
    """It ends, it is renewed, it is full, it is amended, and again: the queue stays as it is."""
    order = [record.record_id for record in submit_many(office, 12)]
    for error in (NOT_ENTITLED, FULL, FULL, NOT_ENTITLED):
        office.abis.down = error
        for _ in range(tries):
            office.run()
            office.clock.advance(timedelta(seconds=31))
        with office.db.read() as conn:
            shut = worklist.gate(conn)
        assert shut is not None
        assert shut.reason == f"ABIS_UNAVAILABLE: {error.reason}: {error.message}"
        office.abis.down = None
        assert let_through(office, 3) == order[:3]
        del order[:3]
    assert order == []


@pytest.mark.parametrize("tries", [14, 15])
def test_those_whom_an_outage_sent_away_are_first_again_when_the_licence_is_waited_for(
    office: Office, tries: int
) -> None:
    order = [record.record_id for record in submit_many(office, 3)]
    office.abis.down = DOWN
    for _ in range(tries):  # the first ones so often that they are sent away for a minute
        office.run()
        office.clock.advance(timedelta(seconds=31))
    office.abis.down = FULL
    office.run()
    office.clock.advance(timedelta(seconds=31))
    office.abis.down = None
    assert let_through(office, 3) == order


def test_nothing_is_failed_however_long_it_lasts(office: Office) -> None:
    office.abis.down = DOWN
    record = office.submit("Sri")
    for _ in range(40):
        office.run()
        office.clock.advance(timedelta(minutes=2))
    assert office.read(record).status is Status.SENT_FOR_ENROLLMENT
    assert office.read(record).attempts == 40
    office.abis.down = None
    office.run()
    assert office.read(record).status is Status.PRINT_READY_RECORD


def test_a_record_that_brings_the_abis_down_does_not_keep_everybody_out(office: Office) -> None:
    records = submit_many(office, 4)
    poison = records[0].record_id
    answer = office.abis.deduplicate

    def crash(request_id: str, subject_id: str, fingers: object) -> object:
        if subject_id == poison:
            raise DOWN
        return answer(request_id, subject_id, fingers)  # type: ignore[arg-type]

    office.abis.deduplicate = crash  # type: ignore[method-assign, assignment]
    for _ in range(10):
        office.run()
        office.clock.advance(timedelta(seconds=0.3))
    assert [office.read(record).status for record in records[1:]] == [Status.PRINT_READY_RECORD] * 3
    assert seen(office, records[0]).reason.startswith("ABIS_UNAVAILABLE: ")


def test_capture_goes_on_while_the_gate_is_shut(office: Office) -> None:
    office.abis.down = DOWN
    office.submit("Sri")
    office.run()
    late = office.submit("Budi", nik="3216010503900002")
    office.run()
    assert office.statuses(late) == [Status.BIO_CAPTURED, Status.PROCESSING, Status.SENT_FOR_ENROLLMENT]
    assert seen(office, late).reason.startswith("ABIS_UNAVAILABLE: ")


def test_a_record_beyond_the_gate_is_shown_as_it_is(office: Office) -> None:
    done = office.submit("Sri")
    office.run()
    office.abis.down = DOWN
    office.submit("Budi", nik="3216010503900002")
    office.run()
    assert seen(office, done).reason == ""
