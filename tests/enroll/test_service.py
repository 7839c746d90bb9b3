"""The service as its callers meet it: over mTLS, on a real port, with everything behind it but the ABIS."""

from __future__ import annotations

import shutil
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from tunggal.enroll.v1 import enroll_pb2, enroll_pb2_grpc, record_pb2

from services.common import audit, client, tls
from services.common.clock import SystemClock
from services.common.db import Database
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TunggalError,
    Unauthenticated,
    Unavailable,
    remote_error,
)
from services.common.server import RunningServer
from services.enroll import app, tables
from services.enroll.settings import Settings
from tests.enroll.enroll_office import MemoryAbis
from tests.enroll.enroll_people import NIK, header, image_of, packet, stream

OTHER_NIK = "3216010503900002"
CLOCK = SystemClock()
# For what is refused before any database is asked.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PRR = record_pb2.RECORD_STATUS_PRINT_READY_RECORD


@dataclass
class Served:
    """A running service, its ABIS in memory, and ways to call it."""

    server: RunningServer
    settings: Settings
    abis: MemoryAbis
    channels: list[grpc.Channel]

    def stub(
        self, name: str = "operator-cli", tls_dir: Path | None = None
    ) -> enroll_pb2_grpc.EnrollServiceStub:
        directory = tls_dir or self.settings.tls_dir
        channel = client.channel(f"localhost:{self.server.port}", directory, name)
        self.channels.append(channel)
        return enroll_pb2_grpc.EnrollServiceStub(channel)

    def rows(self) -> dict[str, int]:
        """How many rows each table has that a submission writes to."""
        db = Database(self.settings.database_url)
        with db.read() as conn:
            counts = {
                table.name: conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in (tables.RECORDS, tables.EVENTS, tables.IMAGES)
            }
        db.dispose()
        return counts


Serve = Callable[..., Served]


@pytest.fixture
def serve(database_url: str, tls_dir: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts the service, as often as a test likes, and stops it afterwards."""
    running: list[Served] = []

    def start(**changes: object) -> Served:
        values: dict[str, object] = {
            "listen": "127.0.0.1:0",
            "health_listen": "",
            "metrics_listen": "127.0.0.1:0",
            "data_dir": tmp_path,
            "database_url": database_url,
            "tls_dir": tls_dir,
            "key_file": tmp_path / "keys.json",
            "poll_seconds": 0.05,
            "drain_seconds": 5.0,
        }
        settings = Settings(**(values | changes))  # type: ignore[arg-type]
        abis = running[0].abis if running else MemoryAbis()
        served = Served(app.build(settings, CLOCK, abis).build().start(), settings, abis, [])
        running.append(served)
        return served

    yield start
    for served in running:
        for channel in served.channels:
            channel.close()
        served.server.stop(grace=0)


def refused(
    call: Callable[[], object], kind: type[TunggalError], reason: str, field: str | None
) -> TunggalError:
    """The refusal of a call, which must say all of this and what to do."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = remote_error(caught.value)
    assert (type(error), error.reason, error.field) == (kind, reason, field)
    assert error.remedy
    assert NIK not in str(error)
    return error


def until_status(
    stub: enroll_pb2_grpc.EnrollServiceStub, record_id: str, status: record_pb2.RecordStatus.ValueType
) -> record_pb2.Record:
    def read() -> record_pb2.Record:
        return stub.GetRecord(enroll_pb2.GetRecordRequest(record_id=record_id)).record

    wait_for(lambda: read().status == status)
    return read()


def claim_request(**changes: str) -> enroll_pb2.ClaimNextRecordRequest:
    values = {"request_id": str(uuid.uuid4()), "region": "32.16", "claimant": "job-1"} | changes
    return enroll_pb2.ClaimNextRecordRequest(**values)


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


def test_a_submission_sent_again_in_other_chunks_returns_the_first_record(serve: Serve) -> None:
    served = serve()
    stub = served.stub()
    head, images = header(CLOCK), packet("Sri")
    first = stub.SubmitRecord(stream(head, images))
    until_status(stub, first.record.record_id, PRR)
    assert stub.SubmitRecord(stream(head, images, chunk=100)) == first
    assert served.rows()["record"] == 1


def test_the_same_submission_twice_at_once_is_one_record(serve: Serve) -> None:
    served = serve()
    stub = served.stub()
    head, images = header(CLOCK), packet("Sri")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: stub.SubmitRecord(stream(head, images)), range(4)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert served.rows()["record"] == 1


def test_a_request_id_used_for_another_packet_is_refused(serve: Serve) -> None:
    stub = serve().stub()
    head = header(CLOCK)
    stub.SubmitRecord(stream(head, packet("Sri")))
    refused(
        lambda: stub.SubmitRecord(stream(head, packet("Budi"))),
        AlreadyExists,
        "REQUEST_ID_REUSED",
        "request_id",
    )


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


def spoilt(change: Callable[[enroll_pb2.RecordHeader], object]) -> enroll_pb2.RecordHeader:
    head = header(CLOCK)
    change(head)
    return head


def unknown_enum(head: enroll_pb2.RecordHeader) -> None:
    head.biodata.ParseFromString(
        head.biodata.SerializeToString() + bytes([9 << 3, 99])
    )  # marital_status = 99


GOOD = packet("Sri")


@ON_SQLITE
@pytest.mark.parametrize(
    ("change", "kind", "reason", "field"),
    [
        (lambda h: setattr(h, "request_id", ""), InvalidArgument, "INVALID_FIELD", "header.request_id"),
        (lambda h: setattr(h, "region", "99.99"), InvalidArgument, "UNKNOWN_REGION", "header.region"),
        (lambda h: setattr(h, "region", "bekasi"), InvalidArgument, "INVALID_FIELD", "header.region"),
        (
            lambda h: setattr(h.biodata, "nik", "9999990503900001"),
            InvalidArgument,
            "UNKNOWN_REGION",
            "header.biodata.nik",
        ),
        (
            lambda h: setattr(h.biodata, "nik", "3216013102900001"),
            InvalidArgument,
            "IMPOSSIBLE_BIRTH_DATE",
            "header.biodata.nik",
        ),
        (
            lambda h: setattr(h.biodata, "nik", "3216010603900001"),
            InvalidArgument,
            "NIK_DISAGREES",
            "header.biodata.nik",
        ),
        (lambda h: setattr(h.biodata, "nik", "32"), InvalidArgument, "INVALID_FIELD", "header.biodata.nik"),
        (
            lambda h: setattr(h.biodata.birth_date, "month", 13),
            InvalidArgument,
            "IMPOSSIBLE_BIRTH_DATE",
            "header.biodata.birth_date",
        ),
        (unknown_enum, InvalidArgument, "INVALID_FIELD", "header.biodata.marital_status"),
        (
            lambda h: h.capture_time.FromDatetime(CLOCK.now() + timedelta(hours=1)),
            InvalidArgument,
            "CAPTURE_TIME_IN_FUTURE",
            "header.capture_time",
        ),
        (
            lambda h: h.capture_time.FromJsonString("2006-03-05T03:00:00Z"),
            FailedPrecondition,
            "NOT_OBLIGED",
            "header.biodata.birth_date",
        ),
        (lambda h: h.ClearField("biodata"), InvalidArgument, "INVALID_FIELD", "header.biodata"),
    ],
)
def test_a_bad_header_is_refused_with_field_and_remedy_and_nothing_is_written(
    serve: Serve,
    change: Callable[[enroll_pb2.RecordHeader], object],
    kind: type[TunggalError],
    reason: str,
    field: str,
) -> None:
    served = serve(pipeline_workers=1)
    stub = served.stub()
    refused(lambda: stub.SubmitRecord(stream(spoilt(change), GOOD)), kind, reason, field)
    assert served.rows() == {"record": 0, "record_event": 0, "packet_image": 0}


def submission(*parts: enroll_pb2.SubmitRecordRequest) -> Iterator[enroll_pb2.SubmitRecordRequest]:
    yield enroll_pb2.SubmitRecordRequest(header=header(CLOCK))
    yield from parts


def shortened() -> Iterator[enroll_pb2.SubmitRecordRequest]:
    """A kit that lost the end of a finger's file and announces what is left of it."""
    face, signature, finger = GOOD[:3]
    cut = image_of(finger.announced.kind, finger.content[:-60], finger.announced.position)
    return stream(header(CLOCK), [face, signature, cut])


@ON_SQLITE
@pytest.mark.parametrize(
    ("messages", "kind", "reason", "field"),
    [
        (shortened, InvalidArgument, "IMAGE_DAMAGED", "images[2]"),
        (lambda: iter(()), InvalidArgument, "HEADER_MISSING", "header"),
        (lambda: iter(list(stream(header(CLOCK), GOOD))[1:]), InvalidArgument, "HEADER_MISSING", "header"),
        (
            lambda: submission(enroll_pb2.SubmitRecordRequest(header=header(CLOCK))),
            InvalidArgument,
            "HEADER_REPEATED",
            "header",
        ),
        (lambda: submission(enroll_pb2.SubmitRecordRequest()), InvalidArgument, "INVALID_FIELD", "part"),
        (
            lambda: submission(enroll_pb2.SubmitRecordRequest(chunk=b"x")),
            InvalidArgument,
            "CHUNK_WITHOUT_IMAGE",
            "chunk",
        ),
        (
            lambda: submission(
                enroll_pb2.SubmitRecordRequest(
                    image=enroll_pb2.ImageHeader(kind=99, size=1, sha256=bytes(32))  # type: ignore[arg-type]
                )
            ),
            InvalidArgument,
            "INVALID_FIELD",
            "image.kind",
        ),
        (
            lambda: submission(enroll_pb2.SubmitRecordRequest(chunk=bytes(2 * 1024 * 1024))),
            InvalidArgument,
            "INVALID_FIELD",
            "chunk",
        ),
        (
            lambda: submission(enroll_pb2.SubmitRecordRequest(chunk=bytes(5 * 1024 * 1024))),
            ResourceExhausted,
            "MESSAGE_TOO_LARGE",
            None,
        ),
    ],
)
def test_a_bad_packet_is_refused_with_field_and_remedy_and_nothing_is_written(
    serve: Serve,
    messages: Callable[[], Iterable[enroll_pb2.SubmitRecordRequest]],
    kind: type[TunggalError],
    reason: str,
    field: str | None,
) -> None:
    served = serve(pipeline_workers=1)
    stub = served.stub()
    refused(lambda: stub.SubmitRecord(iter(messages())), kind, reason, field)
    assert served.rows() == {"record": 0, "record_event": 0, "packet_image": 0}


def test_a_packet_that_is_too_large_in_all_is_refused(serve: Serve) -> None:
    served = serve(max_submission_bytes=2048)
    stub = served.stub()
    images = packet("Sri", positions=range(2, 12))
    refused(
        lambda: stub.SubmitRecord(stream(header(CLOCK), images)),
        ResourceExhausted,
        "SUBMISSION_TOO_LARGE",
        f"images[{first_beyond(2048, [image.announced.size for image in images])}].size",
    )
    assert served.rows()["record"] == 0


def first_beyond(limit: int, sizes: list[int]) -> int:
    return next(number for number in range(len(sizes)) if sum(sizes[: number + 1]) > limit)


def test_a_kit_that_hangs_up_half_way_leaves_nothing(serve: Serve) -> None:
    served = serve()
    stub = served.stub()

    def interrupted() -> Iterator[enroll_pb2.SubmitRecordRequest]:
        yield from list(stream(header(CLOCK), GOOD))[:-1]
        raise OSError("the cable is out")

    with pytest.raises(grpc.RpcError):
        stub.SubmitRecord(interrupted())
    head = header(CLOCK)
    stub.SubmitRecord(stream(head, GOOD))
    assert served.rows()["record"] == 1


@ON_SQLITE
def test_an_expired_certificate_is_refused(serve: Serve) -> None:
    served = serve()
    directory = served.settings.tls_dir
    tls.issue(directory, "kit-expired", "kit/expired", lifetime=timedelta(minutes=-1))
    assert_turned_away(served, tls.channel_credentials(directory, "kit-expired"))


@ON_SQLITE
def test_a_certificate_of_another_ca_is_refused(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    foreign = tmp_path / "foreign"
    tls.ensure_dev_ca(foreign, "tunggal.local", ["operator-cli"])
    shutil.copy(served.settings.tls_dir / "ca.pem", foreign)
    assert_turned_away(served, tls.channel_credentials(foreign, "operator-cli"))


@ON_SQLITE
def test_a_server_of_another_ca_is_not_believed(serve: Serve, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    tls.ensure_dev_ca(foreign, "tunggal.local", ["operator-cli"])
    stub = serve().stub(tls_dir=foreign)
    refused(lambda: stub.GetFunnel(funnel(), timeout=10), Unavailable, "TLS_HANDSHAKE_FAILED", None)


@ON_SQLITE
def test_a_certificate_of_another_trust_domain_is_refused(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    directory = served.settings.tls_dir
    tls.issue(directory, "operator-elsewhere", "operator/elsewhere", trust_domain="elsewhere.local")
    stub = served.stub("operator-elsewhere")
    refused(lambda: stub.GetFunnel(funnel(), timeout=10), Unauthenticated, "NO_IDENTITY", None)


def assert_turned_away(served: Served, credentials: grpc.ChannelCredentials) -> None:
    """The server ends the handshake, which its client sees as a closed connection: no call gets in."""
    with grpc.secure_channel(f"localhost:{served.server.port}", credentials) as channel:
        stub = enroll_pb2_grpc.EnrollServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.SubmitRecord(stream(header(CLOCK), GOOD), timeout=10)
    error = remote_error(caught.value)
    assert isinstance(error, Unavailable)
    assert error.remedy
    assert served.rows()["record"] == 0


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("cardperso", "submit"),
        ("inventory", "submit"),
        ("operator-cli", "claim"),
        ("kit-7", "claim"),
        ("abis", "claim"),
        ("kit-7", "retry"),
        ("cardperso", "retry"),
    ],
)
def test_each_caller_may_do_its_own_work_only(serve: Serve, name: str, method: str) -> None:
    served = serve()
    stub = served.stub(name)
    calls: dict[str, Callable[[], object]] = {
        "submit": lambda: stub.SubmitRecord(stream(header(CLOCK), GOOD)),
        "claim": lambda: stub.ClaimNextRecord(claim_request()),
        "retry": lambda: stub.RetryRecord(retry_request(str(uuid.uuid4()))),
    }
    refused(calls[method], PermissionDenied, "CALLER_NOT_ALLOWED", None)
    assert served.rows()["record"] == 0


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


def retry_request(record_id: str) -> enroll_pb2.RetryRecordRequest:
    return enroll_pb2.RetryRecordRequest(
        request_id=str(uuid.uuid4()), record_id=record_id, reason="The ABIS is mended."
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


def test_the_history_can_be_followed_while_it_happens(serve: Serve) -> None:
    stub = serve().stub()
    follower = follow(stub)
    sent = stub.SubmitRecord(stream(header(CLOCK), GOOD)).record
    seen = []
    while record_pb2.RECORD_STATUS_PRINT_READY_RECORD not in seen:
        event = next(follower).event
        assert event.record_id == sent.record_id
        seen.append(event.status)
    assert seen == [1, 2, 3, 4, 5]


def test_whoever_hangs_up_frees_the_place_for_another(serve: Serve) -> None:
    stub = serve(max_followers=1).stub()
    stub.SubmitRecord(stream(header(CLOCK), GOOD))
    for _ in range(3):
        follower = follow_as_soon_as_possible(stub)
        refused(lambda: next(follow(stub)), ResourceExhausted, "TOO_MANY_FOLLOWERS", None)
        follower.cancel()


Follower = Any  # an iterator and a call at once; gRPC has no public name for it


def follow(stub: enroll_pb2_grpc.EnrollServiceStub) -> Follower:
    """A follower that the server knows of by the time this returns."""
    follower = stub.WatchRecordEvents(enroll_pb2.WatchRecordEventsRequest(), timeout=60)
    follower.initial_metadata()
    return follower


def follow_as_soon_as_possible(stub: enroll_pb2_grpc.EnrollServiceStub) -> Follower:
    """A follower that has its first event; as long as there is no place for it, another try."""
    got: list[Follower] = []

    def has_a_place() -> bool:
        follower = follow(stub)
        try:
            next(follower)
        except grpc.RpcError as error:
            if remote_error(error).reason != "TOO_MANY_FOLLOWERS":
                raise
            return False
        got.append(follower)
        return True

    wait_for(has_a_place)
    return got[0]


def test_followers_are_told_when_the_server_stops_and_it_stops_at_once(serve: Serve) -> None:
    served = serve()
    follower = follow(served.stub())
    started = time.monotonic()
    served.server.stop()
    assert time.monotonic() - started < served.settings.drain_seconds
    assert served.server.unfinished() == []
    with pytest.raises(grpc.RpcError) as caught:
        next(follower)
    assert isinstance(remote_error(caught.value), Unavailable)


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
    assert float(waiting[0].split()[-1]) >= 0


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


def funnel() -> enroll_pb2.GetFunnelRequest:
    return enroll_pb2.GetFunnelRequest()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
