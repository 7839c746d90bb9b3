"""The pipeline: from the capture to the queue for cards, through every outcome and every fault."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.common import errors
from services.enroll import tables, worklist
from services.enroll.deduplication import FingerImage, Outcome
from services.enroll.packet import ImageKind
from services.enroll.pipeline import CHIP_RECORD_BYTES, MAX_FAULTS, Pipeline, backoff, best_fingers
from services.enroll.record import Record, Status
from services.enroll.retry import send_back
from services.enroll.vault import ChipFinger
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import packet

OTHER_NIK = "3216010503900002"
TO_CENTRAL = [
    Status.BIO_CAPTURED,
    Status.PROCESSING,
    Status.SENT_FOR_ENROLLMENT,
    Status.RECEIVED_AT_CENTRAL,
]


def test_a_new_person_becomes_print_ready_with_the_two_best_fingers(office: Office) -> None:
    record = office.submit("Sri")
    office.run()
    assert office.statuses(record) == [*TO_CENTRAL, Status.PRINT_READY_RECORD]
    with office.db.read() as conn:
        fingers = office.vault.chip_fingers(conn, record.record_id)
    assert [finger.position for finger in fingers] == [
        8,
        3,
    ]  # the quality of the ABIS in memory is the position
    assert all(len(finger.record) <= CHIP_RECORD_BYTES for finger in fingers)
    assert office.abis.subjects == {record.record_id}


def test_the_same_person_under_another_nik_is_a_duplicate(office: Office) -> None:
    first, second = office.submit("Sri"), office.submit("Sri", nik=OTHER_NIK)
    office.run()
    found = office.read(second)
    assert office.statuses(second) == [*TO_CENTRAL, Status.DUPLICATE_RECORD]
    assert found.reason.startswith("DUPLICATE_OTHER_NIK: ")
    assert (found.matching_record_id, found.match_score) == (first.record_id, 42.0)
    assert office.read(first).status is Status.PRINT_READY_RECORD


def test_a_person_recorded_again_under_the_same_nik_is_a_duplicate_and_never_hangs(office: Office) -> None:
    first = office.submit("Sri")
    office.run()
    again = office.submit("Sri")
    office.run()
    found = office.read(again)
    assert found.status is Status.DUPLICATE_RECORD
    assert found.reason.startswith("DUPLICATE_SAME_NIK: ")
    assert found.matching_record_id == first.record_id


def test_another_person_under_a_nik_in_use_goes_to_people_who_decide(office: Office) -> None:
    holder = office.submit("Sri")
    office.run()
    stranger = office.submit("Budi")
    office.run()
    found = office.read(stranger)
    assert found.status is Status.ADJUDICATE_RECORD
    assert found.reason.startswith("NIK_IN_USE: ")
    assert found.matching_record_id == holder.record_id


def test_an_unclear_person_goes_to_people_who_decide_and_keeps_the_nik(office: Office) -> None:
    office.abis.unclear.add(packet("Sri")[2].content)
    unclear = office.submit("Sri")
    office.run()
    assert office.read(unclear).status is Status.ADJUDICATE_RECORD
    stranger = office.submit("Budi")
    office.run()
    assert office.read(stranger).reason.startswith("NIK_IN_USE: ")
    assert office.read(stranger).matching_record_id == unclear.record_id


def test_the_nik_of_a_refused_record_is_free_again(office: Office) -> None:
    office.abis.errors.append(errors.FailedPrecondition("QUALITY_TOO_LOW", "No finger is good enough."))
    refused = office.submit("Sri")
    office.run()
    again = office.submit("Sri")
    office.run()
    assert office.statuses(refused) == [*TO_CENTRAL, Status.ENROLL_FAILURE_AT_CENTRAL]
    assert office.read(refused).reason == "QUALITY_TOO_LOW: No finger is good enough."
    assert office.read(again).status is Status.PRINT_READY_RECORD


def test_records_go_on_in_order_of_arrival(office: Office) -> None:
    records = [office.submit(f"person {number}", nik=f"{number:016}") for number in range(5)]
    office.run()
    assert office.abis.calls == [record.record_id for record in records]


@pytest.mark.parametrize("nik", ["3216010503900001", OTHER_NIK])
def test_of_one_person_submitted_twice_at_once_exactly_one_becomes_print_ready(
    office: Office, nik: str
) -> None:
    records = [office.submit("Sri"), office.submit("Sri", nik=nik)]
    work_at_once([office.pipeline, office.worker()])
    assert sorted(office.read(record).status for record in records) == [
        Status.PRINT_READY_RECORD,
        Status.DUPLICATE_RECORD,
    ]


def test_of_two_people_under_one_nik_at_once_exactly_one_becomes_print_ready(office: Office) -> None:
    records = [office.submit("Sri"), office.submit("Budi")]
    work_at_once([office.pipeline, office.worker()])
    assert sorted(office.read(record).status for record in records) == [
        Status.PRINT_READY_RECORD,
        Status.ADJUDICATE_RECORD,
    ]


def test_many_workers_take_each_record_once(office: Office) -> None:
    records = [office.submit(f"person {number}", nik=f"{number:016}") for number in range(12)]
    work_at_once([office.worker() for _ in range(4)])
    assert sorted(office.abis.calls) == sorted(record.record_id for record in records)
    assert all(office.read(record).status is Status.PRINT_READY_RECORD for record in records)


def test_a_record_whose_worker_died_goes_on_when_the_lease_lapses(office: Office) -> None:
    class Killed(BaseException):
        """What kill -9 looks like from inside: no handler runs."""

    record, behind = office.submit("Sri"), office.submit("Budi", nik=OTHER_NIK)
    office.pipeline.step()
    answer = office.abis.deduplicate

    def die(request_id: str, subject_id: str, fingers: Sequence[FingerImage]) -> Outcome:
        answer(request_id, subject_id, fingers)
        raise Killed

    office.abis.deduplicate = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        office.pipeline.step()
    office.abis.deduplicate = answer  # type: ignore[method-assign]
    other = office.worker()
    while other.step():
        pass
    assert office.read(record).status is Status.SENT_FOR_ENROLLMENT
    assert office.read(behind).status is Status.PRINT_READY_RECORD
    office.clock.advance(timedelta(seconds=11))
    while other.step():
        pass
    assert office.read(record).status is Status.PRINT_READY_RECORD
    assert office.abis.subjects == {record.record_id, behind.record_id}


def test_a_lease_is_renewed_while_its_worker_lives(office: Office) -> None:
    record = office.submit("Sri")
    office.pipeline.step()
    other = office.worker()

    def slow(finger: FingerImage) -> int:
        office.clock.advance(timedelta(seconds=7))
        office.pipeline.renew_leases()
        assert not other.step()  # still on lease, however long it takes
        return finger.position

    office.abis.quality = slow
    office.run()
    assert office.read(record).status is Status.PRINT_READY_RECORD
    assert office.abis.calls == [record.record_id]


def test_a_worker_that_lost_its_lease_books_nothing(office: Office) -> None:
    record = office.submit("Sri")
    office.pipeline.step()
    other = office.worker()

    def overtaken(finger: FingerImage) -> int:
        office.abis.quality = lambda each: each.position
        office.clock.advance(timedelta(seconds=11))
        while other.step():
            pass
        return finger.position

    office.abis.quality = overtaken
    office.run()
    assert office.statuses(record) == [*TO_CENTRAL, Status.PRINT_READY_RECORD]


def test_a_worker_that_lost_its_lease_leaves_the_record_to_the_one_who_has_it(office: Office) -> None:
    record = office.submit("Sri")
    office.pipeline.step()

    def overtaken(finger: FingerImage) -> int:
        office.abis.quality = lambda each: each.position
        now = office.clock.advance(timedelta(seconds=11))
        until = now + timedelta(seconds=10)
        taken = office.db.run(lambda conn: worklist.take(conn, "another process", now, until))
        assert taken is not None
        return finger.position

    office.abis.quality = overtaken
    office.run()
    assert office.read(record).status is Status.SENT_FOR_ENROLLMENT
    office.clock.advance(timedelta(seconds=11))
    office.run()
    assert office.statuses(record) == [*TO_CENTRAL, Status.PRINT_READY_RECORD]


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


def test_the_packet_stays_after_deduplication(office: Office) -> None:
    record = office.submit("Sri")
    office.run()
    with office.db.read() as conn:
        assert len(office.vault.images(conn, record.record_id, *ImageKind)) == len(packet("Sri"))


def test_the_best_fingers_are_chosen_by_quality_then_by_position() -> None:
    fingers = [
        ChipFinger(position, b"", quality) for position, quality in [(9, 70), (4, 80), (2, 80), (3, 10)]
    ]
    assert [finger.position for finger in best_fingers(fingers)] == [2, 4]
    assert best_fingers(fingers[:1]) == fingers[:1]


def test_a_card_without_any_finger_is_refused() -> None:
    with pytest.raises(errors.DataLoss, match="no minutiae record"):
        best_fingers([])


def test_a_record_that_does_not_fit_the_chip_is_refused() -> None:
    with pytest.raises(errors.DataLoss, match="401 bytes"):
        best_fingers([ChipFinger(2, bytes(401), 80)])


def test_waits_double_from_half_a_second_to_a_minute() -> None:
    waits = [backoff(attempts).total_seconds() for attempts in (1, 2, 3, 7, 8, 1000)]
    assert waits == [0.5, 1, 2, 32, 60, 60]


def work_at_once(pipelines: list[Pipeline]) -> None:
    """Lets the pipelines work in threads of their own until none of them finds anything."""
    barrier = threading.Barrier(len(pipelines))
    failed: list[BaseException] = []

    def work(pipeline: Pipeline) -> None:
        barrier.wait()
        try:
            while pipeline.step():
                pass
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(pipeline,)) for pipeline in pipelines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    while pipelines[0].step():  # what the others still had in hand when this one looked
        pass
