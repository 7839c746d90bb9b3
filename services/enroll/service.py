"""The RPCs of enrolment: message in, domain call, message out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc
import sqlalchemy as sa
from tunggal.enroll.v1 import enroll_pb2, enroll_pb2_grpc, record_pb2

from services.common import audit, requests
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database
from services.common.identity import caller
from services.common.moments import timestamp
from services.common.paging import decode_token, encode_token, page_size
from services.enroll import claims, messages, worklist
from services.enroll.feed import Feed
from services.enroll.intake import Intake
from services.enroll.packet import ImageKind, submission_digest
from services.enroll.queue import CardQueue
from services.enroll.record import Record, Status
from services.enroll.regions import Regions
from services.enroll.retry import send_back
from services.enroll.store import Store
from services.enroll.vault import Vault

_CAPTURERS = frozenset({"kit/*", "operator/*"})
_STATIONS = frozenset({"service/cardperso"})

#: Who may call what.
ALLOW = {
    "SubmitRecord": _CAPTURERS,
    "GetRecord": _CAPTURERS | _STATIONS,
    "ListRecords": _CAPTURERS,
    "GetFunnel": _CAPTURERS | _STATIONS,
    "WatchRecordEvents": frozenset({"operator/*"}),
    "RetryRecord": frozenset({"operator/*"}),
    "ClaimNextRecord": _STATIONS,
    "RenewClaim": _STATIONS,
    "ReleaseClaim": _STATIONS,
    "ReportCardPrinted": _STATIONS,
    "ReportCardIssued": _STATIONS,
}

#: Answers that show one record.
_Shown = TypeVar(
    "_Shown",
    enroll_pb2.SubmitRecordResponse,
    enroll_pb2.RetryRecordResponse,
    enroll_pb2.ReleaseClaimResponse,
    enroll_pb2.ReportCardPrintedResponse,
    enroll_pb2.ReportCardIssuedResponse,
)
_Mutation = (
    enroll_pb2.RecordHeader
    | enroll_pb2.RetryRecordRequest
    | enroll_pb2.ReleaseClaimRequest
    | enroll_pb2.ReportCardPrintedRequest
    | enroll_pb2.ReportCardIssuedRequest
)


class EnrollService(enroll_pb2_grpc.EnrollServiceServicer):
    """Adapter between the contract and the domain."""

    def __init__(
        self,
        db: Database,
        store: Store,
        vault: Vault,
        intake: Intake,
        queue: CardQueue,
        feed: Feed,
        regions: Regions,
        clock: Clock,
        bell: Bell,
        max_submission_bytes: int,
    ) -> None:
        self._db = db
        self._store = store
        self._vault = vault
        self._intake = intake
        self._queue = queue
        self._feed = feed
        self._regions = regions
        self._clock = clock
        self._bell = bell
        self._max_submission_bytes = max_submission_bytes

    def SubmitRecord(
        self, request_iterator: Iterator[enroll_pb2.SubmitRecordRequest], context: grpc.ServicerContext
    ) -> enroll_pb2.SubmitRecordResponse:
        """See the contract."""
        header = messages.header_of(request_iterator)
        person = messages.person_of(header)
        self._intake.check(person)
        images = messages.images_of(request_iterator, self._max_submission_bytes)
        biodata = header.biodata.SerializeToString(deterministic=True)
        actor = caller(context)
        return self._once(
            "SubmitRecord",
            header,
            enroll_pb2.SubmitRecordResponse,
            lambda conn: self._intake.accept(conn, person, biodata, images, actor),
            actor,
            digest=submission_digest(header.SerializeToString(deterministic=True), images),
        )

    def GetRecord(
        self, request: enroll_pb2.GetRecordRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.GetRecordResponse:
        """See the contract."""
        with self._db.read() as conn:
            record = worklist.as_seen(self._store.get(conn, request.record_id), worklist.gate(conn))
            history = self._store.history(conn, request.record_id)
        return enroll_pb2.GetRecordResponse(
            record=self._with_biodata(record), events=[messages.event(event) for event in history]
        )

    def ListRecords(
        self, request: enroll_pb2.ListRecordsRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.ListRecordsResponse:
        """See the contract."""
        size = page_size(request.page_size)
        with self._db.read() as conn:
            records = self._store.page(
                conn,
                nik=request.nik,
                status=Status(request.status) if request.status else None,
                region=request.region,
                after=messages.arrival_in(decode_token(request.page_token)),
                limit=size + 1,
            )
            gate = worklist.gate(conn)
        token = encode_token({"arrival": records[size - 1].arrival_number}) if len(records) > size else ""
        return enroll_pb2.ListRecordsResponse(
            records=[self._with_biodata(worklist.as_seen(record, gate)) for record in records[:size]],
            next_page_token=token,
        )

    def GetFunnel(
        self, request: enroll_pb2.GetFunnelRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.GetFunnelResponse:
        """See the contract."""
        with self._db.read() as conn:
            stages = self._store.funnel(conn, request.region)
        return enroll_pb2.GetFunnelResponse(stages=[messages.stage(stage) for stage in stages])

    def WatchRecordEvents(
        self, request: enroll_pb2.WatchRecordEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[enroll_pb2.WatchRecordEventsResponse]:
        """See the contract."""
        # From here on the call is no longer one that the client's channel may send again by itself: when
        # this process dies the follower must be told, and knows from which event on to call again.
        context.send_initial_metadata(())
        # Whoever hangs up wakes the thread that waits for their next event.
        context.add_callback(self._bell.ring)
        for event in self._feed.follow(request.after_sequence, request.region, context.is_active):
            yield enroll_pb2.WatchRecordEventsResponse(event=messages.event(event))

    def RetryRecord(
        self, request: enroll_pb2.RetryRecordRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.RetryRecordResponse:
        """See the contract."""
        actor = caller(context)
        return self._once(
            "RetryRecord",
            request,
            enroll_pb2.RetryRecordResponse,
            lambda conn: send_back(
                conn, self._store, request.record_id, request.reason, actor=actor, at=self._clock.now()
            ),
            actor,
            reason=request.reason,
        )

    def ClaimNextRecord(
        self, request: enroll_pb2.ClaimNextRecordRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.ClaimNextRecordResponse:
        """See the contract."""
        actor = caller(context)
        self._queue.end_lapsed()

        def lend(conn: sa.Connection) -> enroll_pb2.ClaimNextRecordResponse:
            def first() -> enroll_pb2.ClaimNextRecordResponse:
                claim = self._queue.claim_next(conn, request.region, request.claimant, actor)
                self._audit(conn, actor, "ClaimNextRecord", claim.record_id, request.claimant, request)
                # What is remembered of the answer is the claim's name; biometric data stay in the vault.
                return enroll_pb2.ClaimNextRecordResponse(claim=enroll_pb2.Claim(claim_id=claim.claim_id))

            return requests.once(
                conn, "ClaimNextRecord", request, enroll_pb2.ClaimNextRecordResponse, first, clock=self._clock
            )

        claim_id = self._db.run(lend).claim.claim_id
        self._bell.ring()
        with self._db.read() as conn:
            return enroll_pb2.ClaimNextRecordResponse(claim=self._claim(conn, claim_id))

    def RenewClaim(
        self, request: enroll_pb2.RenewClaimRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.RenewClaimResponse:
        """See the contract."""
        actor = caller(context)

        def renew(conn: sa.Connection) -> enroll_pb2.RenewClaimResponse:
            def first() -> enroll_pb2.RenewClaimResponse:
                expire_time = self._queue.renew(conn, request.claim_id)
                self._audit(conn, actor, "RenewClaim", request.claim_id, "", request)
                return enroll_pb2.RenewClaimResponse(expire_time=timestamp(expire_time))

            return requests.once(
                conn, "RenewClaim", request, enroll_pb2.RenewClaimResponse, first, clock=self._clock
            )

        return self._db.run(renew)

    def ReleaseClaim(
        self, request: enroll_pb2.ReleaseClaimRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.ReleaseClaimResponse:
        """See the contract."""
        actor = caller(context)
        return self._once(
            "ReleaseClaim",
            request,
            enroll_pb2.ReleaseClaimResponse,
            lambda conn: self._queue.release(conn, request.claim_id, request.reason, actor),
            actor,
            reason=request.reason,
        )

    def ReportCardPrinted(
        self, request: enroll_pb2.ReportCardPrintedRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.ReportCardPrintedResponse:
        """See the contract."""
        actor = caller(context)
        return self._once(
            "ReportCardPrinted",
            request,
            enroll_pb2.ReportCardPrintedResponse,
            lambda conn: self._queue.report_printed(conn, request.claim_id, request.chip_uid, actor),
            actor,
        )

    def ReportCardIssued(
        self, request: enroll_pb2.ReportCardIssuedRequest, context: grpc.ServicerContext
    ) -> enroll_pb2.ReportCardIssuedResponse:
        """See the contract."""
        actor = caller(context)
        return self._once(
            "ReportCardIssued",
            request,
            enroll_pb2.ReportCardIssuedResponse,
            lambda conn: self._queue.report_issued(conn, request.record_id, request.chip_uid, actor),
            actor,
        )

    def _once(
        self,
        method: str,
        request: _Mutation,
        response_type: type[_Shown],
        work: Callable[[sa.Connection], Record],
        actor: str,
        *,
        reason: str = "",
        digest: bytes | None = None,
    ) -> _Shown:
        """Does ``work`` at most once a request id and answers with its record.

        What is remembered of the answer leaves the biodata out: they are encrypted in one place and stay
        there.
        """

        def transaction(conn: sa.Connection) -> _Shown:
            def first() -> _Shown:
                record = work(conn)
                self._audit(conn, actor, method, record.record_id, reason, request, digest)
                return response_type(record=messages.record(record))

            answer = requests.once(
                conn, method, request, response_type, first, digest=digest, clock=self._clock
            )
            stored = self._store.get(conn, answer.record.record_id)
            answer.record.biodata.ParseFromString(self._store.biodata(stored))
            return answer

        answer = self._db.run(transaction)
        self._bell.ring()
        return answer

    def _audit(
        self,
        conn: sa.Connection,
        actor: str,
        action: str,
        resource: str,
        reason: str,
        request: _Mutation | enroll_pb2.ClaimNextRecordRequest | enroll_pb2.RenewClaimRequest,
        digest: bytes | None = None,
    ) -> None:
        audit.append(
            conn,
            actor=actor,
            action=action,
            resource=resource,
            reason=reason,
            digest=requests.digest_of(request) if digest is None else digest,
            at=self._clock.now(),
        )

    def _with_biodata(self, record: Record) -> record_pb2.Record:
        message = messages.record(record)
        message.biodata.ParseFromString(self._store.biodata(record))
        return message

    def _claim(self, conn: sa.Connection, claim_id: str) -> enroll_pb2.Claim:
        claim = claims.standing(conn, claim_id, lock=False)
        record = self._with_biodata(self._store.get(conn, claim.record_id))
        images = self._vault.images(conn, claim.record_id, ImageKind.FACE, ImageKind.SIGNATURE)
        return messages.claim(
            claim,
            record,
            {image.announced.kind: image.content for image in images},
            self._vault.chip_fingers(conn, claim.record_id),
            self._regions.places(record.biodata.address.district_code),
        )
