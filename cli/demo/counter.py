"""At the counter: every submission is sent to the enrolment service, and followed until it is decided."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.common.v1.biometric_pb2 import FingerPosition
from tunggal.enroll.v1 import enroll_pb2 as pb
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.enroll.v1.record_pb2 import Record, RecordEvent, RecordStatus

from cli.demo.calls import chunks, is_gone, patiently
from cli.demo.outcome import Outcome
from cli.demo.steps import REGION, Progress, RequestIds
from services.common.errors import FailedPrecondition, remote_error
from sim.demo.day import Arrival, Day, Submission

_CHUNK_BYTES = 256 * 1024
_STREAM_SECONDS = 20.0
STALL_SECONDS = 300.0
"""Without any event for so long the pipeline counts as stuck."""

_DECISIONS = frozenset(
    {
        RecordStatus.RECORD_STATUS_PRINT_READY_RECORD,
        RecordStatus.RECORD_STATUS_DUPLICATE_RECORD,
        RecordStatus.RECORD_STATUS_ADJUDICATE_RECORD,
        RecordStatus.RECORD_STATUS_ENROLL_FAILURE_AT_CENTRAL,
        RecordStatus.RECORD_STATUS_ENROLL_FAILURE_AT_REGIONAL,
        RecordStatus.RECORD_STATUS_SEARCH_FAILURE_AT_CENTRAL,
    }
)


def submit(enroll: EnrollServiceStub, ids: RequestIds, day: Day, progress: Progress) -> list[Outcome]:
    """Send the day in its order of arrival; those that arrive together are sent at the same moment."""
    progress.stage("Enrolment: biodata, face, fingers, signature", len(day.submissions))
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(2, thread_name_prefix="counter") as pool:
        for arrival in day.arrivals:
            records = list(pool.map(lambda submission: _send(enroll, ids, submission), arrival))
            for submission, record in zip(arrival, records, strict=True):
                outcomes.append(_received(submission, record, arrival))
                progress.advance(f"{record.biodata.full_name} · {record.biodata.nik}")
    return outcomes


def follow(enroll: EnrollServiceStub, outcomes: list[Outcome], progress: Progress) -> list[Outcome]:
    """Watch the records' events until each has a decision.

    The watch takes up where it was when the service died: events are numbered.

    Raises:
        FailedPrecondition: nothing happened for `STALL_SECONDS`; with the reason that a waiting record has.
    """
    progress.stage("Deduplication: 1:N search of each record", len(outcomes))
    waiting = {outcome.record_id: outcome for outcome in outcomes}
    decided: dict[str, RecordEvent] = {}
    for event in _events(enroll, waiting):
        if event.record_id in waiting and event.status in _DECISIONS:
            outcome = waiting.pop(event.record_id)
            decided[event.record_id] = event
            status = status_name(event.status)
            progress.advance(f"{outcome.name}: {status}")
        if not waiting:
            break
    return [_decided(enroll, outcome, decided[outcome.record_id]) for outcome in outcomes]


def status_name(status: RecordStatus.ValueType) -> str:
    """A record's status as people write it."""
    return RecordStatus.Name(status).removeprefix("RECORD_STATUS_")


def statuses(enroll: EnrollServiceStub, outcomes: list[Outcome]) -> dict[str, str]:
    """Status of each record now, by record id."""
    return {outcome.record_id: status_name(_record(enroll, outcome.record_id).status) for outcome in outcomes}


def _send(enroll: EnrollServiceStub, ids: RequestIds, submission: Submission) -> Record:
    captured = Timestamp()
    captured.GetCurrentTime()
    # The same bytes every time: the capture time is taken once.
    messages = list(_messages(ids.of("submit", submission.key), captured, submission))
    return patiently(lambda: enroll.SubmitRecord(iter(messages), timeout=60)).record


def _messages(
    request_id: str, captured: Timestamp, submission: Submission
) -> Iterator[pb.SubmitRecordRequest]:
    yield pb.SubmitRecordRequest(
        header=pb.RecordHeader(
            request_id=request_id, biodata=submission.biodata, region=REGION, capture_time=captured
        )
    )
    unspecified = FingerPosition.FINGER_POSITION_UNSPECIFIED
    images = [(pb.ImageKind.IMAGE_KIND_FACE, unspecified, submission.face, 0)]
    images += [
        (pb.ImageKind.IMAGE_KIND_FINGER, FingerPosition.ValueType(f.position), f.content, f.dpi)
        for f in submission.fingers
    ]
    images.append((pb.ImageKind.IMAGE_KIND_SIGNATURE, unspecified, submission.signature, 0))
    for kind, position, content, dpi in images:
        digest = hashlib.sha256(content).digest()
        header = pb.ImageHeader(kind=kind, position=position, size=len(content), sha256=digest, dpi=dpi)
        yield pb.SubmitRecordRequest(image=header)
        for chunk in chunks(content, _CHUNK_BYTES):
            yield pb.SubmitRecordRequest(chunk=chunk)


def _received(submission: Submission, record: Record, arrival: Arrival) -> Outcome:
    return Outcome(
        key=submission.key,
        person=submission.person,
        together=len(arrival) > 1,
        nik=submission.biodata.nik,
        name=submission.biodata.full_name,
        record_id=record.record_id,
        arrival=record.arrival_number,
        status=status_name(record.status),
    )


def _events(enroll: EnrollServiceStub, waiting: dict[str, Outcome]) -> Iterator[RecordEvent]:
    last = 0
    heard = time.monotonic()
    while True:
        request = pb.WatchRecordEventsRequest(after_sequence=last, region=REGION)
        try:
            for answer in enroll.WatchRecordEvents(request, timeout=_STREAM_SECONDS):
                last, heard = answer.event.sequence, time.monotonic()
                yield answer.event
        except grpc.RpcError as error:
            if not is_gone(error):
                raise remote_error(error) from error
        if time.monotonic() - heard > STALL_SECONDS:
            record = _record(enroll, next(iter(waiting)))
            raise FailedPrecondition(
                "PIPELINE_STUCK",
                f"{len(waiting)} records wait and nothing happened for {STALL_SECONDS:.0f} seconds; "
                f"record {record.record_id} is {status_name(record.status)}: "
                f"{record.reason or 'no reason given'}",
                remedy="Read the logs of enroll and abis beside the report.",
            )
        time.sleep(0.1)


def _record(enroll: EnrollServiceStub, record_id: str) -> Record:
    return patiently(lambda: enroll.GetRecord(pb.GetRecordRequest(record_id=record_id))).record


def _decided(enroll: EnrollServiceStub, outcome: Outcome, event: RecordEvent) -> Outcome:
    record = _record(enroll, outcome.record_id)
    waited = event.event_time.ToNanoseconds() - record.create_time.ToNanoseconds()
    return replace(
        outcome,
        status=status_name(event.status),
        reason=event.reason or record.reason,
        matching_record_id=record.matching_record_id,
        score=record.match_score,
        seconds=round(waited / 1e9, 3),
    )
