"""Messages of the contract from and to what the domain works with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from tunggal.common.v1 import biometric_pb2
from tunggal.enroll.v1 import enroll_pb2, record_pb2

from services.common.errors import InvalidArgument
from services.common.moments import timestamp
from services.enroll.claims import Claim
from services.enroll.nik import Sex
from services.enroll.packet import Announcement, Assembler, CapturedImage, ImageKind
from services.enroll.person import Person
from services.enroll.record import Event, Record
from services.enroll.regions import Places
from services.enroll.store import Stage
from services.enroll.vault import ChipFinger


def header_of(requests: Iterator[enroll_pb2.SubmitRecordRequest]) -> enroll_pb2.RecordHeader:
    """Reads the first message of a submission, which must be the header.

    Raises:
        InvalidArgument: ``HEADER_MISSING``.
    """
    first = next(requests, None)
    if first is None or first.WhichOneof("part") != "header":
        raise InvalidArgument(
            "HEADER_MISSING",
            "A submission begins with a header.",
            field="header",
            remedy="Send the record header first, then each image as its header and chunks.",
        )
    return first.header


def person_of(header: enroll_pb2.RecordHeader) -> Person:
    """Takes from a header what the rules of enrolment look at.

    Raises:
        InvalidArgument: ``IMPOSSIBLE_BIRTH_DATE`` or ``IMPOSSIBLE_TIME``.
    """
    biodata = header.biodata
    return Person(
        nik=biodata.nik,
        birth_date=_date(biodata.birth_date, "header.biodata.birth_date"),
        sex=Sex(biodata.sex),
        ever_married=biodata.marital_status != record_pb2.MARITAL_STATUS_SINGLE,
        residence=biodata.address.district_code,
        region=header.region,
        capture_time=_time(header.capture_time, "header.capture_time"),
    )


def images_of(
    requests: Iterator[enroll_pb2.SubmitRecordRequest], max_bytes: int
) -> tuple[CapturedImage, ...]:
    """Reads the rest of a submission: its images, whole and checked.

    Raises:
        InvalidArgument: See :class:`services.enroll.packet.Assembler`.
        ResourceExhausted: ``SUBMISSION_TOO_LARGE``.
    """
    assembler = Assembler(max_bytes)
    for request in requests:
        match request.WhichOneof("part"):
            case "image":
                assembler.announce(_announcement(request.image))
            case "chunk":
                assembler.append(request.chunk)
            case _:
                raise InvalidArgument(
                    "HEADER_REPEATED",
                    "A submission has one header.",
                    field="header",
                    remedy="Submit one person a call.",
                )
    return assembler.finish()


def arrival_in(position: dict[str, Any]) -> int:
    """Takes the arrival number out of a decoded page token; 0 for the first page.

    Raises:
        InvalidArgument: ``PAGE_TOKEN_BROKEN``.
    """
    arrival = position.get("arrival", 0)
    if not isinstance(arrival, int) or not 0 <= arrival < 2**63:
        raise InvalidArgument(
            "PAGE_TOKEN_BROKEN",
            "The page token was not made by ListRecords.",
            field="page_token",
            remedy="Send next_page_token of the previous answer unchanged, or nothing to start again.",
        )
    return arrival


def record(value: Record) -> record_pb2.Record:
    """Makes the message of a record, without its biodata."""
    return record_pb2.Record(
        record_id=value.record_id,
        status=record_pb2.RecordStatus.ValueType(value.status),
        arrival_number=value.arrival_number,
        region=value.region,
        create_time=timestamp(value.create_time),
        update_time=timestamp(value.status_time),
        reason=value.reason,
        next_attempt_time=timestamp(value.next_attempt_time) if value.next_attempt_time else None,
        attempts=value.attempts,
        matching_record_id=value.matching_record_id,
        match_score=value.match_score,
        chip_uid=value.chip_uid,
    )


def event(value: Event) -> record_pb2.RecordEvent:
    """Makes the message of an event."""
    return record_pb2.RecordEvent(
        sequence=value.sequence,
        record_id=value.record_id,
        status=record_pb2.RecordStatus.ValueType(value.status),
        reason=value.reason,
        actor=value.actor,
        event_time=timestamp(value.event_time),
    )


def stage(value: Stage) -> enroll_pb2.FunnelStage:
    """Makes the message of a stage of the funnel."""
    return enroll_pb2.FunnelStage(
        status=record_pb2.RecordStatus.ValueType(value.status),
        count=value.records,
        oldest_time=timestamp(value.oldest_time),
    )


def claim(
    value: Claim,
    claimed: record_pb2.Record,
    files: dict[ImageKind, bytes],
    fingers: list[ChipFinger],
    places: Places,
) -> enroll_pb2.Claim:
    """Makes the message of a claim with all that goes on the card."""
    return enroll_pb2.Claim(
        claim_id=value.claim_id,
        record=claimed,
        face=files[ImageKind.FACE],
        signature=files[ImageKind.SIGNATURE],
        fingers=[
            enroll_pb2.ChipFinger(
                position=biometric_pb2.FingerPosition.ValueType(finger.position),
                iso19794_2_record=finger.record,
                quality=finger.quality,
            )
            for finger in fingers
        ],
        places=enroll_pb2.PlaceNames(
            province=places.province, regency=places.regency, district=places.district
        ),
        expire_time=timestamp(value.expire_time),
    )


def _announcement(header: enroll_pb2.ImageHeader) -> Announcement:
    return Announcement(
        kind=ImageKind(header.kind),
        position=header.position,
        size=header.size,
        sha256=header.sha256,
        dpi=header.dpi,
    )


def _date(message: Date, field: str) -> date:
    try:
        return date(message.year, message.month, message.day)
    except ValueError as error:
        raise InvalidArgument(
            "IMPOSSIBLE_BIRTH_DATE",
            "The birth date is not a day of the calendar.",
            field=field,
            remedy="Send year, month and day of birth.",
        ) from error


def _time(message: Timestamp, field: str) -> datetime:
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(
            "IMPOSSIBLE_TIME", "The time is out of range.", field=field, remedy="Send a time in UTC."
        ) from error
