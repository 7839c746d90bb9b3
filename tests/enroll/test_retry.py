"""What a record waits for when something fails, and what becomes of it when that does not go away."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.common import errors
from services.enroll import tables
from services.enroll.pipeline import MAX_FAULTS, backoff
from services.enroll.record import Record, Status
from services.enroll.retry import send_back
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import OTHER_NIK


def test_a_fault_of_the_search_is_tried_again_later_and_later(office: Office) -> None:
    record = office.submit("Sri")
    office.abis.errors += [errors.Internal("INTERNAL", "Incident 12.")] * 2
    office.run()
    waiting = office.read(record)
    assert (waiting.status, waiting.reason, waiting.attempts) == (
        Status.SENT_FOR_ENROLLMENT,
        "INTERNAL: Incident 12.",
        1,
    )
    assert waiting.next_attempt_time == office.clock.now() + timedelta(seconds=0.5)
    office.clock.advance(timedelta(seconds=0.5))
    office.run()
    assert office.read(record).next_attempt_time == office.clock.now() + timedelta(seconds=1)
    office.clock.advance(timedelta(seconds=1))
    office.run()
    done = office.read(record)
    assert (done.status, done.reason, done.attempts) == (Status.PRINT_READY_RECORD, "", 0)


def test_attempts_are_counted_and_only_a_new_reason_is_history(office: Office) -> None:
    record = office.submit("Sri")
    office.abis.errors += [
        errors.Internal("INTERNAL", "Incident 1."),
        errors.Internal("INTERNAL", "Incident 2."),
        errors.DataLoss("GALLERY_DAMAGED", "A shard is gone."),
    ]
    for _ in range(3):
        office.run()
        office.clock.advance(timedelta(minutes=1))
    with office.db.read() as conn:
        reasons = [event.reason for event in office.store.history(conn, record.record_id)[3:]]
    assert reasons == ["INTERNAL: Incident 1.", "GALLERY_DAMAGED: A shard is gone."]
    assert office.read(record).attempts == 3


@pytest.mark.parametrize(
    "error", [errors.Internal("INTERNAL", "Incident 12."), RuntimeError("a fault of ours"), KeyError("x")]
)
def test_a_fault_that_does_not_go_away_ends_as_a_search_failure(office: Office, error: Exception) -> None:
    record = office.submit("Sri")
    office.abis.errors += [error] * MAX_FAULTS
    for _ in range(MAX_FAULTS - 1):
        office.run()
        assert office.read(record).status is Status.SENT_FOR_ENROLLMENT
        office.clock.advance(timedelta(minutes=1))
    office.run()
    assert office.statuses(record)[-2:] == [Status.RECEIVED_AT_CENTRAL, Status.SEARCH_FAILURE_AT_CENTRAL]
    assert office.read(record).reason.partition(":")[0] in {"INTERNAL", "UNEXPECTED"}


def send_back_by_hand(office: Office, record: Record) -> Record:
    return office.db.run(
        lambda conn: send_back(
            conn,
            office.store,
            record.record_id,
            "The ABIS is mended.",
            actor="operator/cli",
            at=office.clock.now(),
        )
    )


def test_a_search_failure_that_is_sent_back_goes_through_in_its_old_place(office: Office) -> None:
    record = office.submit("Sri")
    office.abis.errors += [errors.Internal("INTERNAL", "Incident 12.")] * MAX_FAULTS
    for _ in range(MAX_FAULTS):
        office.run()
        office.clock.advance(timedelta(minutes=1))
    assert office.read(record).status is Status.SEARCH_FAILURE_AT_CENTRAL
    returned = send_back_by_hand(office, record)
    assert (returned.status, returned.reason) == (Status.SENT_FOR_ENROLLMENT, "RETRIED: The ABIS is mended.")
    assert returned.arrival_number == record.arrival_number
    office.run()
    assert office.read(record).status is Status.PRINT_READY_RECORD
    with pytest.raises(errors.FailedPrecondition) as caught:
        send_back_by_hand(office, record)
    assert (caught.value.reason, caught.value.field) == ("NOTHING_TO_RETRY", "record_id")


def test_a_search_that_takes_too_long_is_never_given_up(office: Office) -> None:
    record = office.submit("Sri")
    office.abis.errors += [errors.DeadlineExceeded("DEADLINE_EXCEEDED", "Too slow.")] * (MAX_FAULTS + 5)
    for _ in range(MAX_FAULTS + 5):
        office.run()
        office.clock.advance(timedelta(minutes=1))
    assert office.read(record).attempts == MAX_FAULTS + 5
    office.run()
    assert office.read(record).status is Status.PRINT_READY_RECORD


def test_a_record_that_waits_lets_those_behind_it_pass(office: Office) -> None:
    office.abis.errors.append(errors.Internal("INTERNAL", "Incident 12."))
    first, second = office.submit("Sri"), office.submit("Budi", nik=OTHER_NIK)
    office.run()
    assert office.read(first).status is Status.SENT_FOR_ENROLLMENT
    assert office.read(second).status is Status.PRINT_READY_RECORD


def test_a_damaged_packet_is_a_failure_at_the_region(office: Office) -> None:
    record = office.submit("Sri")
    with office.db.transaction() as conn:
        conn.execute(sa.update(tables.IMAGES).where(tables.IMAGES.c.number == 2).values(content=bytes(100)))
    office.run()
    assert office.statuses(record) == [
        Status.BIO_CAPTURED,
        Status.PROCESSING,
        Status.ENROLL_FAILURE_AT_REGIONAL,
    ]
    assert office.read(record).reason.startswith("CIPHERTEXT_DAMAGED: ")
    assert office.abis.calls == []


def test_a_missing_key_holds_a_record_up_but_does_not_fail_it(office: Office) -> None:
    record = office.submit("Sri")
    with office.db.transaction() as conn:
        used = conn.execute(sa.select(tables.IMAGES.c.key_id)).scalars().first()
        conn.execute(sa.update(tables.IMAGES).values(key_id="elsewhere"))
    office.run()
    assert office.read(record).status is Status.PROCESSING
    assert office.read(record).reason.startswith("KEY_MISSING: ")
    with office.db.transaction() as conn:
        conn.execute(sa.update(tables.IMAGES).values(key_id=used))
    office.clock.advance(timedelta(seconds=1))
    office.run()
    assert office.read(record).status is Status.PRINT_READY_RECORD


def test_waits_double_from_half_a_second_to_a_minute() -> None:
    waits = [backoff(attempts).total_seconds() for attempts in (1, 2, 3, 7, 8, 1000)]
    assert waits == [0.5, 1, 2, 32, 60, 60]
