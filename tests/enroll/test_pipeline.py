"""The pipeline: from the capture to the queue for cards, through every outcome."""

from __future__ import annotations

import threading

import pytest

from services.common import errors
from services.enroll.chip_fingers import CHIP_RECORD_BYTES, best_fingers
from services.enroll.packet import ImageKind
from services.enroll.pipeline import Pipeline
from services.enroll.record import Status
from services.enroll.vault import ChipFinger
from tests.enroll.enroll_office import TO_CENTRAL, Office
from tests.enroll.enroll_people import OTHER_NIK, packet


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
