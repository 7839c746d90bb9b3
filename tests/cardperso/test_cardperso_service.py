"""The service over mTLS, on both databases, with real readers and cards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from google.protobuf.message import Message
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import cardperso_pb2_grpc

from services.cardperso import tables
from services.cardperso.app import build
from services.common import audit, requests
from services.common.client import channel
from services.common.clock import FixedClock
from services.common.db import Database
from services.common.errors import ConfigurationError
from sim.card import Faults, VirtualReader
from tests.cardperso.card_makers import eventually, present
from tests.cardperso.card_station import Station, new_id, refused
from tests.cardperso.conftest import MakeBlank

ENDED = {
    pb.CARD_JOB_STATE_PRINTED,
    pb.CARD_JOB_STATE_HANDED_OVER,
    pb.CARD_JOB_STATE_SPOILED,
    pb.CARD_JOB_STATE_FAILED,
}


BOTH_DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgresql"])


@BOTH_DATABASES
def test_a_card_is_ordered_made_looked_at_and_handed_over(station: Station, make_blank: MakeBlank) -> None:
    job = station.create()
    assert job.state == pb.CARD_JOB_STATE_PENDING
    card = make_blank().insert()
    seen = station.watch(job)
    made = seen[-1]
    assert made.state == pb.CARD_JOB_STATE_PRINTED
    assert (made.chip_uid, made.blank_serial, made.readback_mismatches) == (card.uid, 1001, 0)
    assert [each.state for each in seen] == sorted(each.state for each in seen)
    for side in (pb.CARD_SIDE_FRONT, pb.CARD_SIDE_BACK):
        face = station.stub.GetCardFace(pb.GetCardFaceRequest(job_id=job.job_id, side=side))
        assert face.png.startswith(b"\x89PNG")
    order = pb.HandOverCardRequest(request_id=new_id(), job_id=job.job_id)
    first, second = station.stub.HandOverCard(order), station.stub.HandOverCard(order)
    assert first.job.state == pb.CARD_JOB_STATE_HANDED_OVER
    assert first == second
    assert station.world.issued == {made.record_id: card.uid}
    again = refused(station.stub.HandOverCard, pb.HandOverCardRequest(request_id=new_id(), job_id=job.job_id))
    assert (again.reason, again.field) == ("CARD_HANDED_OVER", "job_id")


@BOTH_DATABASES
def test_two_readers_work_at_the_same_time_and_each_card_has_its_own_record(
    station: Station, make_blank: MakeBlank, other_reader: VirtualReader
) -> None:
    both = (station.reader, other_reader)
    jobs = [station.create(reader=each.name) for each in both]
    cards = [make_blank(each.name, faults=Faults(slow=0.02)).insert(each.port) for each in both]
    made = [station.watch(job)[-1] for job in jobs]
    assert [job.chip_uid for job in made] == [card.uid for card in cards]
    assert len({job.record_id for job in made}) == len({job.blank_serial for job in made}) == 2


def test_jobs_of_one_reader_are_made_one_after_the_other(station: Station, make_blank: MakeBlank) -> None:
    jobs = [station.create() for _ in range(2)]
    for number, job in enumerate(jobs):
        card = make_blank(f"card-{number}").insert()
        assert station.watch(job)[-1].chip_uid == card.uid
        card.remove()
        eventually(lambda: not present(station.reader.name))


@BOTH_DATABASES
def test_a_double_click_makes_one_job(station: Station) -> None:
    station.world.queue.clear()
    request = pb.CreateCardJobRequest(
        request_id=new_id(), region="32.16", location="32.16:mall", reader=station.reader.name
    )
    answers: list[pb.CreateCardJobResponse] = []
    clicks = [
        threading.Thread(target=lambda: answers.append(station.stub.CreateCardJob(request))) for _ in range(4)
    ]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert len({answer.job.job_id for answer in answers}) == 1
    assert len(station.stub.ListCardJobs(pb.ListCardJobsRequest()).jobs) == 1
    request.region = "32.75"
    request.location = "32.75"
    assert refused(station.stub.CreateCardJob, request).reason == "REQUEST_ID_REUSED"


@BOTH_DATABASES
def test_jobs_are_listed_in_pages_and_by_state(station: Station) -> None:
    station.world.queue.clear()
    made = [station.create().job_id for _ in range(5)]
    for job_id in made:
        station.watch(pb.CardJob(job_id=job_id))
    found, token = [], ""
    while True:
        page = station.stub.ListCardJobs(pb.ListCardJobsRequest(page_size=2, page_token=token))
        found += [job.job_id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert found == made
    failed = pb.ListCardJobsRequest(state=pb.CARD_JOB_STATE_FAILED)
    assert len(station.stub.ListCardJobs(failed).jobs) == 5
    printed = pb.ListCardJobsRequest(state=pb.CARD_JOB_STATE_PRINTED)
    assert not station.stub.ListCardJobs(printed).jobs


def test_readers_show_their_card_and_their_job(station: Station, make_blank: MakeBlank) -> None:
    job = station.create()

    def listed() -> dict[str, pb.Reader]:
        return {each.name: each for each in station.stub.ListReaders(pb.ListReadersRequest()).readers}

    assert list(listed()) == [each.name for each in station.bank.readers]
    assert listed()[station.reader.name].job_id == job.job_id
    card = make_blank("slow", faults=Faults(slow=0.05)).insert()
    eventually(lambda: listed()[station.reader.name].card_present)
    assert listed()[station.reader.name].atr == card.card.atr.hex().upper()
    station.watch(job)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"reader": "No such reader"}, "READER_UNKNOWN", "reader"),
        ({"location": "31.71"}, "LOCATION_OUTSIDE_REGION", "location"),
        ({"location": "ID"}, "LOCATION_OUTSIDE_REGION", "location"),
        ({"region": "3216"}, "VALIDATION_FAILED", "region"),
        ({"request_id": ""}, "VALIDATION_FAILED", "request_id"),
    ],
    ids=["reader", "location", "centre", "region", "request id"],
)
def test_a_wrong_order_is_refused_by_field_and_nothing_is_stored(
    station: Station, changes: dict[str, str], reason: str, field: str
) -> None:
    fields = {"request_id": new_id(), "region": "32.16", "location": "32.16"}
    fields["reader"] = station.reader.name
    error = refused(station.stub.CreateCardJob, pb.CreateCardJobRequest(**(fields | changes)))
    assert error.field == field
    assert error.remedy
    if reason != "VALIDATION_FAILED":
        assert error.reason == reason
    assert not station.stub.ListCardJobs(pb.ListCardJobsRequest()).jobs


def test_what_does_not_exist_is_not_found(station: Station) -> None:
    calls: list[tuple[Callable[[Any], object], Message]] = [
        (station.stub.GetCardJob, pb.GetCardJobRequest(job_id=new_id())),
        (station.stub.GetCardFace, pb.GetCardFaceRequest(job_id=new_id(), side=pb.CARD_SIDE_BACK)),
        (station.stub.HandOverCard, pb.HandOverCardRequest(request_id=new_id(), job_id=new_id())),
    ]
    for call, request in calls:
        error = refused(call, request)
        assert (error.code, error.field) == (grpc.StatusCode.NOT_FOUND, "job_id")


def test_a_card_that_is_not_made_has_no_face_and_cannot_be_handed_over(station: Station) -> None:
    station.world.queue.clear()
    job = station.watch(station.create())[-1]
    face = refused(
        station.stub.GetCardFace, pb.GetCardFaceRequest(job_id=job.job_id, side=pb.CARD_SIDE_FRONT)
    )
    assert face.reason == "FACE_MISSING"
    error = refused(station.stub.HandOverCard, pb.HandOverCardRequest(request_id=new_id(), job_id=job.job_id))
    assert error.reason == "CARD_FAILED"
    assert not station.world.issued


@pytest.mark.parametrize("token", ["nonsense", "eyJhZnRlciI6ICJ4In0"])
def test_a_page_token_of_somebody_else_is_refused(station: Station, token: str) -> None:
    error = refused(station.stub.ListCardJobs, pb.ListCardJobsRequest(page_token=token))
    assert (error.reason, error.field) == ("PAGE_TOKEN_BROKEN", "page_token")


def test_without_pcscd_orders_wait_outside(station: Station) -> None:
    station.bank.kill()
    try:
        error = refused(station.stub.ListReaders, pb.ListReadersRequest())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "PCSC_UNAVAILABLE")
    finally:
        station.bank.restart()
    assert station.stub.ListReaders(pb.ListReadersRequest()).readers


def test_another_service_may_look_but_not_order(station: Station) -> None:
    connection = channel(
        f"127.0.0.1:{station.server.port}", station.settings.tls_dir, "abis", server="cardperso"
    )
    stub = cardperso_pb2_grpc.CardPersoServiceStub(connection)
    assert stub.ListReaders(pb.ListReadersRequest()).readers
    order = pb.CreateCardJobRequest(
        request_id=new_id(), region="32.16", location="32.16", reader=station.reader.name
    )
    assert refused(stub.CreateCardJob, order).code is grpc.StatusCode.PERMISSION_DENIED
    connection.close()


@BOTH_DATABASES
def test_what_was_done_is_in_the_audit_chain(station: Station, make_blank: MakeBlank) -> None:
    make_blank().insert()
    job = station.create()
    station.watch(job)
    station.stub.GetCardFace(pb.GetCardFaceRequest(job_id=job.job_id, side=pb.CARD_SIDE_BACK))
    stored = Database(station.settings.database_url)
    with stored.read() as conn:
        assert audit.verify(conn) is None
        deeds = [row.action for row in conn.execute(sa.text("SELECT action FROM audit_log ORDER BY seq"))]
    stored.dispose()
    assert deeds == ["CreateCardJob", "CardJob.PRINTED", "GetCardFace"]


def test_a_second_process_on_the_same_data_is_refused(
    station: Station, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cardperso.station._HANDOVER_SECONDS", 0.1)
    with pytest.raises(ConfigurationError, match="Another card station"):
        build(station.settings, clock, station.world.enroll, station.world.inventory).build().start()


def test_the_migrated_schema_is_the_schema_of_the_tables(database_url: str) -> None:
    database = Database(database_url)
    shared = {requests.TABLE, audit.TABLE, audit.HEAD, "alembic_version"}
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda thing, name, kind, *_: kind != "table" or name not in shared,
            },
        )
        assert compare_metadata(context, tables.METADATA) == []
    database.dispose()


@BOTH_DATABASES
def test_a_double_click_hands_a_card_over_once(station: Station, make_blank: MakeBlank) -> None:
    make_blank().insert()
    job = station.watch(station.create())[-1]
    request = pb.HandOverCardRequest(request_id=new_id(), job_id=job.job_id)
    answers: list[pb.HandOverCardResponse] = []
    clicks = [
        threading.Thread(target=lambda: answers.append(station.stub.HandOverCard(request))) for _ in range(4)
    ]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert len(answers) == 4
    assert {answer.job.state for answer in answers} == {pb.CARD_JOB_STATE_HANDED_OVER}
    assert station.world.issued == {job.record_id: job.chip_uid}
