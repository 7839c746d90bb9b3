"""Packets sent to the service: whole ones once, whatever is sent again; bad ones refused and nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import grpc
import pytest
from tunggal.enroll.v1 import enroll_pb2

from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    TunggalError,
)
from tests.enroll.enroll_people import GOOD, header, image_of, packet, stream
from tests.enroll.enroll_server import CLOCK, ON_SQLITE, PRR, Serve, refused, until_status


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


def spoilt(change: Callable[[enroll_pb2.RecordHeader], object]) -> enroll_pb2.RecordHeader:
    head = header(CLOCK)
    change(head)
    return head


def unknown_enum(head: enroll_pb2.RecordHeader) -> None:
    head.biodata.ParseFromString(
        head.biodata.SerializeToString() + bytes([9 << 3, 99])
    )  # marital_status = 99


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
