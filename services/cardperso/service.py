"""The RPCs of card personalization: message → domain call → message."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import cardperso_pb2_grpc

from services.cardperso import desk, messages, pcsc, people
from services.cardperso.desk import Desk
from services.cardperso.job import Job
from services.cardperso.store import Store
from services.common import audit, paging, requests
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import FailedPrecondition, ResourceExhausted

_OPERATORS = frozenset({"operator/*"})
_VIEWERS = frozenset({"service/*", "operator/*"})

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "ListReaders": _VIEWERS,
    "CreateCardJob": _OPERATORS,
    "GetCardJob": _VIEWERS,
    "ListCardJobs": _VIEWERS,
    "WatchCardJob": _VIEWERS,
    "GetCardFace": _OPERATORS,
    "HandOverCard": _OPERATORS,
}


class CardPersoService(cardperso_pb2_grpc.CardPersoServiceServicer):
    """Adapter between the contract and the domain."""

    def __init__(
        self,
        database: Database,
        store: Store,
        counter: Desk,
        clock: Clock,
        bell: Bell,
        stopping: threading.Event,
        *,
        max_watchers: int,
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._desk = counter
        self._clock = clock
        self._bell = bell
        self._stopping = stopping
        self._watchers = threading.BoundedSemaphore(max_watchers)
        self._poll_seconds = poll_seconds

    def ListReaders(
        self, request: pb.ListReadersRequest, context: grpc.ServicerContext
    ) -> pb.ListReadersResponse:
        """See the contract."""
        busy = self._desk.readers_in_use()
        return pb.ListReadersResponse(
            readers=[messages.reader(found, busy.get(found.name, "")) for found in pcsc.readers()]
        )

    def CreateCardJob(
        self, request: pb.CreateCardJobRequest, context: grpc.ServicerContext
    ) -> pb.CreateCardJobResponse:
        """See the contract."""
        with self._database.read() as conn:
            first = requests.stored(conn, "CreateCardJob", request, pb.CreateCardJobResponse)
        if first is not None:
            return first
        job = self._desk.new_job(
            request.region, request.location, request.reader, people.acting(context, request.operator)
        )

        def work(conn: sa.Connection) -> pb.CreateCardJobResponse:
            def store() -> pb.CreateCardJobResponse:
                self._store.add(conn, job)
                self._audit(conn, context, "CreateCardJob", job.job_id, request)
                return pb.CreateCardJobResponse(job=messages.job(job))

            return requests.once(
                conn, "CreateCardJob", request, pb.CreateCardJobResponse, store, clock=self._clock
            )

        answer = self._database.run(work)
        self._bell.ring()
        return answer

    def GetCardJob(
        self, request: pb.GetCardJobRequest, context: grpc.ServicerContext
    ) -> pb.GetCardJobResponse:
        """See the contract."""
        return pb.GetCardJobResponse(job=messages.job(self._job(request.job_id)))

    def ListCardJobs(
        self, request: pb.ListCardJobsRequest, context: grpc.ServicerContext
    ) -> pb.ListCardJobsResponse:
        """See the contract."""
        size = paging.page_size(request.page_size)
        after = desk.position(request.page_token)
        with self._database.read() as conn:
            found = self._store.jobs(
                conn,
                state=messages.state(request.state),
                record_id=request.record_id,
                after=after,
                limit=size + 1,
            )
        more = len(found) > size
        return pb.ListCardJobsResponse(
            jobs=[messages.job(job) for job in found[:size]],
            next_page_token=paging.encode_token({"after": found[size - 1].entry}) if more else "",
        )

    def WatchCardJob(
        self, request: pb.WatchCardJobRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchCardJobResponse]:
        """See the contract."""
        if not self._watchers.acquire(blocking=False):
            raise ResourceExhausted(
                "TOO_MANY_WATCHERS",
                "Too many callers follow jobs at the same time.",
                remedy="Ask with GetCardJob, or raise TUNGGAL_MAX_WATCHERS.",
            )
        try:
            version = 0
            while context.is_active() and not self._stopping.is_set():
                seen = self._bell.rings
                job = self._job(request.job_id)
                if job.version != version:
                    version = job.version
                    yield pb.WatchCardJobResponse(job=messages.job(job))
                if not job.is_open:
                    return
                self._bell.wait(seen, self._poll_seconds)
        finally:
            self._watchers.release()

    def GetCardFace(
        self, request: pb.GetCardFaceRequest, context: grpc.ServicerContext
    ) -> pb.GetCardFaceResponse:
        """See the contract; whoever looks at a person's card is written down."""

        def work(conn: sa.Connection) -> bytes:
            job = self._store.job(conn, request.job_id)
            png = self._store.face(conn, job.job_id, messages.SIDES[request.side])
            self._audit(conn, context, "GetCardFace", job.job_id, request)
            return png

        return pb.GetCardFaceResponse(png=self._database.run(work))

    def HandOverCard(
        self, request: pb.HandOverCardRequest, context: grpc.ServicerContext
    ) -> pb.HandOverCardResponse:
        """See the contract."""
        with self._database.read() as conn:
            first = requests.stored(conn, "HandOverCard", request, pb.HandOverCardResponse)
        if first is not None:
            return first
        try:
            self._desk.hand_over(request.job_id)
        except FailedPrecondition:
            # A double click: the other one was faster.
            with self._database.read() as conn:
                first = requests.stored(conn, "HandOverCard", request, pb.HandOverCardResponse)
            if first is not None:
                return first
            raise

        def work(conn: sa.Connection) -> pb.HandOverCardResponse:
            def hand_over() -> pb.HandOverCardResponse:
                job = self._store.job(conn, request.job_id, lock=True)
                saved = self._store.save(conn, job.handing_over().handed_over(), self._clock.now())
                self._audit(conn, context, "HandOverCard", job.job_id, request)
                return pb.HandOverCardResponse(job=messages.job(saved))

            return requests.once(
                conn, "HandOverCard", request, pb.HandOverCardResponse, hand_over, clock=self._clock
            )

        answer = self._database.run(work)
        self._bell.ring()
        return answer

    def _job(self, job_id: str) -> Job:
        with self._database.read() as conn:
            return self._store.job(conn, job_id)

    def _audit(
        self, conn: sa.Connection, context: grpc.ServicerContext, action: str, job_id: str, request: Message
    ) -> None:
        audit.append(
            conn,
            actor=people.acting(context, getattr(request, "operator", "")),
            action=action,
            resource=f"jobs/{job_id}",
            reason="",
            digest=requests.digest_of(request),
            at=self._clock.now(),
        )
