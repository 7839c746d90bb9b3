"""The card station: one job after the other until no print-ready record is left in the regency."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import production_pb2
from tunggal.enroll.v1 import enroll_pb2
from tunggal.enroll.v1.record_pb2 import RecordStatus

from cli.demo.calls import is_gone, patiently
from cli.demo.checks import MADE
from cli.demo.outcome import Card
from cli.demo.result import Faces
from cli.demo.steps import REGION, Progress, RequestIds, Services
from services.common.errors import FailedPrecondition, remote_error
from sim.demo.day import Submission
from sim.demo.feeder import CardFeeder

STALL_SECONDS = 180.0
"""A job that shows no change for so long counts as stuck."""
CLAIM_SECONDS = 900.0
"""No claim of a dead job lasts longer."""
_STREAM_SECONDS = 20.0
_FAILURES_IN_A_ROW = 5

_ENDED = frozenset(
    {
        pb.CardJobState.CARD_JOB_STATE_PRINTED,
        pb.CardJobState.CARD_JOB_STATE_HANDED_OVER,
        pb.CardJobState.CARD_JOB_STATE_SPOILED,
        pb.CardJobState.CARD_JOB_STATE_FAILED,
    }
)
_QUEUE_EMPTY = "QUEUE_EMPTY"
_PRINT_READY = RecordStatus.RECORD_STATUS_PRINT_READY_RECORD
_CLAIMED = RecordStatus.RECORD_STATUS_SENT_FOR_CARD_PRINTING

Inspect = Callable[[Path, Submission], tuple[str, ...]]
"""Reads a chip's image and says what differs from the submission."""


@dataclass(frozen=True)
class Production:
    """What the station made."""

    cards: tuple[Card, ...]
    faces: tuple[Faces, ...]


class Station:
    """One reader, one hand, one queue.

    Args:
        services: stubs.
        ids: of the run.
        reader: PC/SC name of the reader.
        feeder: lays the blanks.
        inspect: the independent look at a finished chip.
        submissions: what was submitted, by record id.
    """

    def __init__(
        self,
        services: Services,
        ids: RequestIds,
        reader: str,
        feeder: CardFeeder,
        inspect: Inspect,
        submissions: Mapping[str, Submission],
    ) -> None:
        self._services = services
        self._ids = ids
        self._reader = reader
        self._feeder = feeder
        self._inspect = inspect
        self._submissions = submissions

    def serve_queue(self, print_ready: int, progress: Progress) -> Production:
        """Make cards until the regency's queue is empty, and hand each one over.

        Raises:
            FailedPrecondition: a job got stuck, or one after the other failed; with the job's own reason.
        """
        progress.stage(
            "Cards: signed chip over SCP03, read as a reader does, checked, handed over", print_ready
        )
        cards: list[Card] = []
        faces: list[Faces] = []
        failures = 0
        faulty = print_ready == 1
        self._feeder.lay(faulty=faulty)
        for number in itertools.count():
            if not self._waiting():
                break
            job = self._run(number)
            uid, image = self._feeder.uid, self._feeder.take()
            if job.state == pb.CardJobState.CARD_JOB_STATE_FAILED and job.reason.startswith(_QUEUE_EMPTY):
                # A record is still on loan to a job that died; its claim lapses by itself.
                self._await_lapse()
                self._feeder.lay(faulty=faulty)
                continue
            card = _card(job, uid, doomed=faulty)
            cards.append(card)
            # One blank of the day is a faulty one. The next one lies there while the last card is looked at:
            # pcscd takes its time to notice.
            faulty = not any(made.doomed and made.state == "SPOILED" for made in cards)
            self._feeder.lay(faulty=faulty)
            failures = failures + 1 if card.state == "FAILED" else 0
            if failures >= _FAILURES_IN_A_ROW:
                raise FailedPrecondition(
                    "CARD_JOBS_FAIL",
                    f"{failures} card jobs failed one after the other, the last one with {job.reason}",
                    remedy="Read the log of cardperso beside the report.",
                )
            if card.state in MADE:
                submission = self._submissions[job.record_id]
                cards[-1] = replace(card, mismatches=(*_reported(job), *self._inspect(image, submission)))
                faces.append(self._faces(job, submission))
                if not cards[-1].mismatches:
                    self._pass(job, number)
                self._hand_over(job, number)
                progress.advance(f"{submission.biodata.full_name} · chip {job.chip_uid}")
            elif card.state == "SPOILED":
                progress.say(
                    f"blank {job.blank_serial} spoiled, its record is back in the queue: {job.reason}"
                )
        self._feeder.take()
        return Production(tuple(cards), tuple(faces))

    def _waiting(self) -> bool:
        return self._count(_PRINT_READY) + self._count(_CLAIMED) > 0

    def _count(self, status: RecordStatus.ValueType) -> int:
        request = enroll_pb2.GetFunnelRequest(region=REGION)
        funnel = patiently(lambda: self._services.enroll.GetFunnel(request))
        return sum(stage.count for stage in funnel.stages if stage.status == status)

    def _await_lapse(self) -> None:
        deadline = time.monotonic() + CLAIM_SECONDS
        while self._count(_CLAIMED) and not self._count(_PRINT_READY):
            if time.monotonic() > deadline:
                raise FailedPrecondition(
                    "CLAIM_DOES_NOT_LAPSE",
                    f"a record is claimed by a job that has ended, for more than {CLAIM_SECONDS:.0f} seconds",
                    remedy="Read the logs of enroll and cardperso beside the report.",
                )
            time.sleep(0.5)

    def _run(self, number: int) -> pb.CardJob:
        request = pb.CreateCardJobRequest(
            request_id=self._ids.of("card-job", number), region=REGION, location=REGION, reader=self._reader
        )
        created = patiently(lambda: self._services.cardperso.CreateCardJob(request)).job
        return next(job for job in self._changes(created) if job.state in _ENDED)

    def _changes(self, job: pb.CardJob) -> Iterator[pb.CardJob]:
        changed = time.monotonic()
        while True:
            request = pb.WatchCardJobRequest(job_id=job.job_id)
            try:
                for answer in self._services.cardperso.WatchCardJob(request, timeout=_STREAM_SECONDS):
                    if answer.job != job:
                        job, changed = answer.job, time.monotonic()
                    yield job
            except grpc.RpcError as error:
                if not is_gone(error):
                    raise remote_error(error) from error
            if time.monotonic() - changed > STALL_SECONDS:
                raise FailedPrecondition(
                    "CARD_JOB_STUCK",
                    f"card job {job.job_id} is {state_name(job)} and did not change for "
                    f"{STALL_SECONDS:.0f} seconds: {job.reason or 'no reason given'}",
                    remedy="Read the log of cardperso beside the report.",
                )
            time.sleep(0.1)

    def _faces(self, job: pb.CardJob, submission: Submission) -> Faces:
        sides = [
            patiently(
                lambda side=side: self._services.cardperso.GetCardFace(  # type: ignore[misc]
                    pb.GetCardFaceRequest(job_id=job.job_id, side=side)
                )
            ).png
            for side in (pb.CardSide.CARD_SIDE_FRONT, pb.CardSide.CARD_SIDE_BACK)
        ]
        return Faces(
            name=submission.biodata.full_name,
            uid=job.chip_uid,
            serial=job.blank_serial,
            front=sides[0],
            back=sides[1],
        )

    def _pass(self, job: pb.CardJob, number: int) -> None:
        request = production_pb2.PassCardRequest(
            request_id=self._ids.of("pass-card", number), job_id=job.job_id
        )
        patiently(lambda: self._services.production.PassCard(request))

    def _hand_over(self, job: pb.CardJob, number: int) -> None:
        request = pb.HandOverCardRequest(request_id=self._ids.of("hand-over", number), job_id=job.job_id)
        patiently(lambda: self._services.cardperso.HandOverCard(request))


def state_name(job: pb.CardJob) -> str:
    """A job's state as people write it."""
    return pb.CardJobState.Name(job.state).removeprefix("CARD_JOB_STATE_")


def _card(job: pb.CardJob, uid: str, *, doomed: bool) -> Card:
    return Card(
        job_id=job.job_id,
        state=state_name(job),
        record_id=job.record_id,
        serial=job.blank_serial,
        uid=job.chip_uid,
        inserted_uid=uid,
        doomed=doomed,
        reason=job.reason,
        apdus=job.apdu_count,
        chip_seconds=job.chip_seconds,
    )


def _reported(job: pb.CardJob) -> tuple[str, ...]:
    if job.readback_mismatches == 0:
        return ()
    return (f"the service itself read back {job.readback_mismatches} wrong bytes",)
