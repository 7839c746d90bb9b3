"""Records: numbers, history, and the steps there are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tunggal.enroll.v1 import record_pb2

from services.common.errors import Aborted, DataLoss, FailedPrecondition, NotFound
from services.enroll import tables
from services.enroll.packet import ImageKind
from services.enroll.record import TRANSITIONS, Status, require_transition
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import packet


def test_statuses_are_named_and_numbered_as_in_the_contract() -> None:
    assert {f"RECORD_STATUS_{status.name}": int(status) for status in Status} == {
        name: number for name, number in record_pb2.RecordStatus.items() if number
    }
    assert set(TRANSITIONS) == set(Status)


@given(st.sampled_from(Status), st.sampled_from(Status))
def test_only_steps_of_the_table_are_allowed(present: Status, following: Status) -> None:
    if following in TRANSITIONS[present]:
        require_transition(present, following)
        return
    with pytest.raises(FailedPrecondition) as caught:
        require_transition(present, following)
    assert caught.value.reason == "TRANSITION_NOT_ALLOWED"


def test_every_record_can_come_to_an_end() -> None:
    ends = {status for status in Status if not TRANSITIONS[status]}
    for status in Status:
        reached, frontier = set(), {status}
        while frontier:
            reached |= frontier
            frontier = set().union(*(TRANSITIONS[each] for each in frontier)) - reached
        assert reached & ends, status


def test_a_new_record_is_last_in_the_order_of_arrival(office: Office) -> None:
    records = [office.submit(f"person {number}") for number in range(3)]
    assert [record.arrival_number for record in records] == [1, 2, 3]
    assert office.statuses(records[0]) == [Status.BIO_CAPTURED]


def test_arrivals_and_events_are_numbered_without_gaps_by_many_writers(office: Office) -> None:
    with ThreadPoolExecutor(6) as pool:
        records = list(pool.map(lambda n: office.submit(f"person {n % 3}"), range(18)))
    assert sorted(record.arrival_number for record in records) == list(range(1, 19))
    with office.db.read() as conn:
        events = office.store.events_after(conn, 0, "", 100)
    assert [event.sequence for event in events] == list(range(1, 19))
    by_arrival = {record.record_id: record.arrival_number for record in records}
    assert [by_arrival[event.record_id] for event in events] == list(range(1, 19))


def test_a_failed_submission_leaves_neither_a_record_nor_a_gap(office: Office) -> None:
    def cut_short(conn: sa.Connection) -> None:
        office.store.insert(conn, nik="3", region="32.16", biodata=b"", actor="kit/1", at=office.clock.now())
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        office.db.run(cut_short)
    assert office.submit("next").arrival_number == 1


def test_a_stale_reader_cannot_take_a_step(office: Office) -> None:
    record = office.submit("Sri")
    at = office.clock.now()
    with office.db.transaction() as conn:
        office.store.move(conn, record, Status.PROCESSING, actor="pipeline", at=at)
    with pytest.raises(Aborted), office.db.transaction() as conn:
        office.store.move(conn, record, Status.PROCESSING, actor="pipeline", at=at)
    assert office.statuses(record) == [Status.BIO_CAPTURED, Status.PROCESSING]


def test_an_unknown_record_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound) as caught, office.db.read() as conn:
        office.store.get(conn, "nobody")
    assert (caught.value.reason, caught.value.field) == ("RECORD_UNKNOWN", "record_id")


def test_pages_go_through_all_records_in_order_of_arrival(office: Office) -> None:
    for number in range(5):
        office.submit(f"person {number}", nik=f"{number % 2}", region=f"32.1{number % 2}")
    with office.db.read() as conn:
        first = office.store.page(conn, limit=3)
        second = office.store.page(conn, after=first[-1].arrival_number, limit=3)
        odd = office.store.page(conn, nik="1", region="32.11", status=Status.BIO_CAPTURED, limit=9)
    assert [record.arrival_number for record in first + second] == [1, 2, 3, 4, 5]
    assert [record.arrival_number for record in odd] == [2, 4]


def test_the_funnel_counts_each_record_once(office: Office) -> None:
    office.submit("Sri")
    office.submit("Budi", nik="3216010503900002", region="32.17")
    office.run()
    office.submit("Tono", nik="3216010503900003")
    with office.db.read() as conn:
        country = {stage.status: stage.records for stage in office.store.funnel(conn, "")}
        region = {stage.status: stage.records for stage in office.store.funnel(conn, "32.17")}
    assert country == {Status.BIO_CAPTURED: 1, Status.PRINT_READY_RECORD: 2}
    assert region == {Status.PRINT_READY_RECORD: 1}


def test_nothing_personal_but_the_nik_lies_open_in_the_database(office: Office) -> None:
    record = office.submit("Sri")
    face = packet("Sri")[0].content
    with office.db.read() as conn:
        rows = [
            bytes(value)
            for table in (tables.RECORDS, tables.IMAGES)
            for row in conn.execute(sa.select(table))
            for value in row
            if isinstance(value, bytes | memoryview)
        ]
        assert office.vault.images(conn, record.record_id, ImageKind.FACE)[0].content == face
    assert rows
    assert not any(b"biodata" in row or face[:64] in row for row in rows)
    assert office.store.biodata(record) == b"biodata"


def test_a_file_opens_only_in_its_own_row(office: Office) -> None:
    mine, other = office.submit("Sri"), office.submit("Budi")
    with office.db.transaction() as conn:
        stolen = conn.execute(
            sa.select(tables.IMAGES).where(tables.IMAGES.c.record_id == other.record_id)
        ).first()
        assert stolen is not None
        conn.execute(
            sa.update(tables.IMAGES)
            .where(tables.IMAGES.c.record_id == mine.record_id, tables.IMAGES.c.number == stolen.number)
            .values(content=stolen.content)
        )
    with pytest.raises(DataLoss), office.db.read() as conn:
        office.vault.images(conn, mine.record_id, *ImageKind)
