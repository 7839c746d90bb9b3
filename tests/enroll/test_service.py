"""The service as its callers meet it: over mTLS, on a real port, with everything behind it but the ABIS."""

from __future__ import annotations

import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from tunggal.enroll.v1 import enroll_pb2, record_pb2

from services.common import audit
from services.common.db import Database
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from tests.enroll.enroll_people import GOOD, NIK, OTHER_NIK, header, packet, stream
from tests.enroll.enroll_server import (
    CLOCK,
    ON_SQLITE,
    PRR,
    Serve,
    claim_request,
    funnel,
    refused,
    retry_request,
    until_status,
    wait_for,
)


def test_from_the_capture_to_the_issued_card(serve: Serve) -> None:
    served = serve()
    kit, station = served.stub("kit-7"), served.stub("cardperso")
    head, images = header(CLOCK), packet("Sri")
    stored = kit.SubmitRecord(stream(head, images)).record
    assert stored.status == record_pb2.RECORD_STATUS_BIO_CAPTURED
    assert stored.biodata == head.biodata
    until_status(kit, stored.record_id, PRR)

    claim = station.ClaimNextRecord(claim_request()).claim
    assert claim.record.record_id == stored.record_id
    assert claim.record.biodata == head.biodata
    assert (claim.face, claim.signature) == (images[0].content, images[1].content)
    assert [finger.position for finger in claim.fingers] == [8, 3]
    assert all(0 < len(finger.iso19794_2_record) <= 400 for finger in claim.fingers)
    assert (claim.places.province, claim.places.regency) == ("Jawa Barat", "Kabupaten Bekasi")

    renewed = station.RenewClaim(
        enroll_pb2.RenewClaimRequest(request_id=str(uuid.uuid4()), claim_id=claim.claim_id)
    )
    assert renewed.expire_time.ToNanoseconds() > claim.expire_time.ToNanoseconds()
    station.ReportCardPrinted(
        enroll_pb2.ReportCardPrintedRequest(
            request_id=str(uuid.uuid4()), claim_id=claim.claim_id, chip_uid="04A1B2C3D4E5F6"
        )
    )
    issued = station.ReportCardIssued(
        enroll_pb2.ReportCardIssuedRequest(
            request_id=str(uuid.uuid4()), record_id=stored.record_id, chip_uid="04A1B2C3D4E5F6"
        )
    ).record
    assert (issued.status, issued.chip_uid) == (record_pb2.RECORD_STATUS_CARD_ISSUED, "04A1B2C3D4E5F6")

    history = kit.GetRecord(enroll_pb2.GetRecordRequest(record_id=stored.record_id)).events
    assert [
        record_pb2.RecordStatus.Name(event.status).removeprefix("RECORD_STATUS_") for event in history
    ] == [
        "BIO_CAPTURED",
        "PROCESSING",
        "SENT_FOR_ENROLLMENT",
        "RECEIVED_AT_CENTRAL",
        "PRINT_READY_RECORD",
        "SENT_FOR_CARD_PRINTING",
        "CARD_PRINTED",
        "CARD_ISSUED",
    ]
    assert [event.actor for event in history] == ["kit/7", *["pipeline"] * 4, *["service/cardperso"] * 3]


def test_one_person_submitted_twice_at_the_same_moment_is_print_ready_once(serve: Serve) -> None:
    stub = serve().stub()
    with ThreadPoolExecutor(2) as pool:
        sent = pool.map(
            lambda nik: stub.SubmitRecord(stream(header(CLOCK, nik), packet("Sri"))).record, [NIK, OTHER_NIK]
        )
        ids = [record.record_id for record in sent]

    def statuses() -> list[int]:
        return [stub.GetRecord(enroll_pb2.GetRecordRequest(record_id=each)).record.status for each in ids]

    wait_for(lambda: all(status > record_pb2.RECORD_STATUS_RECEIVED_AT_CENTRAL for status in statuses()))
    assert sorted(statuses()) == [PRR, record_pb2.RECORD_STATUS_DUPLICATE_RECORD]


def test_two_replicas_share_the_work(serve: Serve) -> None:
    one, other = serve(), serve()
    for number in range(8):
        stub = (one if number % 2 else other).stub()
        stub.SubmitRecord(stream(header(CLOCK, f"321601050390{number + 1:04}"), packet(f"person {number}")))
    wait_for(
        lambda: {stage.status: stage.count for stage in one.stub().GetFunnel(funnel()).stages} == {PRR: 8}
    )
    assert len(one.abis.calls) == 8


def test_records_are_listed_page_by_page(serve: Serve) -> None:
    stub = serve().stub()
    for number in range(5):
        stub.SubmitRecord(stream(header(CLOCK, f"321601050390{number + 1:04}"), packet(f"person {number}")))
    pages, token = [], ""
    while True:
        page = stub.ListRecords(enroll_pb2.ListRecordsRequest(page_size=2, page_token=token))
        pages.append([record.arrival_number for record in page.records])
        token = page.next_page_token
        if not token:
            break
    assert pages == [[1, 2], [3, 4], [5]]
    found = stub.ListRecords(enroll_pb2.ListRecordsRequest(nik="3216010503900003")).records
    assert [record.biodata.nik for record in found] == ["3216010503900003"]
    for broken in ("broken", "eyJhcnJpdmFsIjoiMSJ9"):
        refused(
            lambda token=broken: stub.ListRecords(enroll_pb2.ListRecordsRequest(page_token=token)),  # type: ignore[misc]
            InvalidArgument,
            "PAGE_TOKEN_BROKEN",
            "page_token",
        )


@ON_SQLITE
def test_only_a_failed_search_can_be_tried_again(serve: Serve) -> None:
    stub = serve().stub()
    sent = stub.SubmitRecord(stream(header(CLOCK), GOOD)).record
    until_status(stub, sent.record_id, PRR)
    refused(
        lambda: stub.RetryRecord(retry_request(sent.record_id)),
        FailedPrecondition,
        "NOTHING_TO_RETRY",
        "record_id",
    )


def test_an_unknown_record_is_not_found(serve: Serve) -> None:
    stub = serve().stub()
    request = enroll_pb2.GetRecordRequest(record_id=str(uuid.uuid4()))
    refused(lambda: stub.GetRecord(request), NotFound, "RECORD_UNKNOWN", "record_id")


def test_a_claim_sent_again_returns_the_same_record_as_long_as_it_stands(serve: Serve) -> None:
    served = serve()
    stub, station = served.stub(), served.stub("cardperso")
    for number, person in enumerate(["Sri", "Budi"], start=1):
        sent = stub.SubmitRecord(stream(header(CLOCK, f"321601050390{number:04}"), packet(person))).record
        until_status(stub, sent.record_id, PRR)
    request = claim_request()
    claim = station.ClaimNextRecord(request).claim
    assert station.ClaimNextRecord(request).claim == claim
    refused(
        lambda: station.ClaimNextRecord(claim_request(request_id=request.request_id, claimant="job-2")),
        AlreadyExists,
        "REQUEST_ID_REUSED",
        "request_id",
    )
    release = enroll_pb2.ReleaseClaimRequest(
        request_id=str(uuid.uuid4()), claim_id=claim.claim_id, reason="The printer jams."
    )
    released = station.ReleaseClaim(release)
    assert station.ReleaseClaim(release) == released
    assert released.record.status == PRR
    refused(lambda: station.ClaimNextRecord(request), FailedPrecondition, "CLAIM_ENDED", "claim_id")
    again = station.ClaimNextRecord(claim_request()).claim
    assert again.record.record_id == claim.record.record_id
    assert again.claim_id != claim.claim_id


def test_a_claim_nobody_renews_goes_back_by_itself(serve: Serve) -> None:
    served = serve(claim_seconds=1.0)
    stub, station = served.stub(), served.stub("cardperso")
    sent = stub.SubmitRecord(stream(header(CLOCK), GOOD)).record
    until_status(stub, sent.record_id, PRR)
    station.ClaimNextRecord(claim_request())
    back = until_status(stub, sent.record_id, PRR)
    assert back.reason == "CLAIM_LAPSED: job-1 fell silent."


def test_an_empty_queue_is_said_to_be_empty(serve: Serve) -> None:
    station = serve().stub("cardperso")
    refused(lambda: station.ClaimNextRecord(claim_request()), NotFound, "QUEUE_EMPTY", "region")


def test_the_funnel_is_measured(serve: Serve) -> None:
    served = serve()
    stub = served.stub()
    sent = stub.SubmitRecord(stream(header(CLOCK), GOOD)).record
    until_status(stub, sent.record_id, PRR)
    url = f"http://127.0.0.1:{served.server.metrics_port}/metrics"
    with urllib.request.urlopen(url) as answer:
        lines = answer.read().decode().splitlines()
    assert 'tunggal_enroll_records{status="PRINT_READY_RECORD"} 1.0' in lines
    assert 'tunggal_enroll_records{status="SENT_FOR_ENROLLMENT"} 0.0' in lines
    assert 'tunggal_enroll_oldest_waiting_seconds{status="SENT_FOR_ENROLLMENT"} 0.0' in lines
    waiting = [line for line in lines if 'oldest_waiting_seconds{status="PRINT_READY_RECORD"}' in line]
    assert float(waiting[0].split()[-1]) > 0


def test_every_mutation_is_audited_once_and_no_answer_that_is_kept_holds_biodata(serve: Serve) -> None:
    served = serve()
    stub, station = served.stub(), served.stub("cardperso")
    head = header(CLOCK)
    sent = stub.SubmitRecord(stream(head, GOOD)).record
    stub.SubmitRecord(stream(head, GOOD))
    until_status(stub, sent.record_id, PRR)
    request = claim_request()
    for _ in range(2):
        station.ClaimNextRecord(request)
    db = Database(served.settings.database_url)
    with db.read() as conn:
        entries = conn.execute(sa.text("SELECT actor, action, resource FROM audit_log ORDER BY seq")).all()
        kept = conn.execute(sa.text("SELECT response FROM request_log")).scalars().all()
        assert audit.verify(conn) is None
    db.dispose()
    assert [tuple(entry) for entry in entries] == [
        ("operator/cli", "SubmitRecord", sent.record_id),
        ("service/cardperso", "ClaimNextRecord", sent.record_id),
    ]
    assert len(kept) == 2
    assert not any(b"Sri Rahayu" in bytes(answer) for answer in kept)


def test_records_survive_a_restart(serve: Serve) -> None:
    first = serve()
    first.abis.down = Unavailable("UNREACHABLE", "Connection refused.")
    sent = first.stub().SubmitRecord(stream(header(CLOCK), GOOD)).record
    waiting = until_status(first.stub(), sent.record_id, record_pb2.RECORD_STATUS_SENT_FOR_ENROLLMENT)
    first.server.stop()
    # Each attempt in vain doubles the wait for the next one: a start that takes half a minute on a busy
    # machine would be followed by another half.
    first.abis.down = None
    second = serve()
    assert second.stub().GetRecord(enroll_pb2.GetRecordRequest(record_id=sent.record_id)).record.biodata == (
        waiting.biodata
    )
    until_status(second.stub(), sent.record_id, PRR)
