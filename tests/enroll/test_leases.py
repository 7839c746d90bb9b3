"""Workers of the pipeline that die, hang or come too late: the record goes on, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.enroll import worklist
from services.enroll.deduplication import FingerImage, Outcome
from services.enroll.record import Status
from tests.enroll.enroll_office import TO_CENTRAL, Office
from tests.enroll.enroll_people import OTHER_NIK


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
