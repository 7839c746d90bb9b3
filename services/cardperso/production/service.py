"""The RPCs of production: message → domain call → message."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message
from tunggal.cardperso.v1 import production_pb2 as pb
from tunggal.cardperso.v1 import production_pb2_grpc

from services.cardperso import attempts, messages
from services.cardperso.desk import Desk, position
from services.cardperso.job import Job
from services.cardperso.production import messages as shown
from services.cardperso.production import store as shelves
from services.cardperso.production.batch import Batch, BatchState
from services.cardperso.production.floor import Floor
from services.cardperso.production.station import Printer, Station
from services.cardperso.store import Store
from services.common import audit, paging, requests
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database, lock
from services.common.identity import caller

R = TypeVar("R", bound=Message)

_OPERATORS = frozenset({"operator/*"})
_VIEWERS = frozenset({"service/*", "operator/*"})
_LIST = frozenset({"ListStations", "GetBatch", "ListBatches", "ListUnreviewed", "ListFailedChips"})

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    method.name: _VIEWERS if method.name in _LIST else _OPERATORS
    for method in pb.DESCRIPTOR.services_by_name["ProductionService"].methods
}


class ProductionService(production_pb2_grpc.ProductionServiceServicer):
    """Adapter between the contract and the production floor."""

    def __init__(
        self, database: Database, store: Store, desk: Desk, floor: Floor, clock: Clock, bell: Bell, limit: int
    ) -> None:
        self._database = database
        self._store = store
        self._desk = desk
        self._floor = floor
        self._clock = clock
        self._bell = bell
        self._limit = limit

    def RegisterStation(
        self, request: pb.RegisterStationRequest, context: grpc.ServicerContext
    ) -> pb.RegisterStationResponse:
        """See the contract."""
        self._desk.check_reader(request.reader)

        def work(conn: sa.Connection) -> pb.RegisterStationResponse:
            state = Printer.READY if request.printer else Printer.NONE
            station = Station(
                request.name,
                self._floor.host,
                request.location,
                request.reader,
                request.printer,
                state,
                "",
                self._floor.lease_time(),
            )
            shelves.move_station(conn, station)
            return pb.RegisterStationResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.RegisterStationResponse, f"stations/{request.name}", work)

    def ReportPrinter(
        self, request: pb.ReportPrinterRequest, context: grpc.ServicerContext
    ) -> pb.ReportPrinterResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.ReportPrinterResponse:
            station = shelves.station(conn, request.name)
            station = replace(station, printer_state=shown.PRINTERS[request.state])
            shelves.save_station(conn, station)
            return pb.ReportPrinterResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.ReportPrinterResponse, f"stations/{request.name}", work)

    def PauseStation(
        self, request: pb.PauseStationRequest, context: grpc.ServicerContext
    ) -> pb.PauseStationResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.PauseStationResponse:
            station = shelves.station(conn, request.name).with_pause(request.reason)
            shelves.save_station(conn, station)
            return pb.PauseStationResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.PauseStationResponse, f"stations/{request.name}", work)

    def ResumeStation(
        self, request: pb.ResumeStationRequest, context: grpc.ServicerContext
    ) -> pb.ResumeStationResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.ResumeStationResponse:
            station = shelves.station(conn, request.name).with_pause("")
            shelves.save_station(conn, station)
            return pb.ResumeStationResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.ResumeStationResponse, f"stations/{request.name}", work)

    def ListStations(
        self, request: pb.ListStationsRequest, context: grpc.ServicerContext
    ) -> pb.ListStationsResponse:
        """See the contract."""
        with self._database.read() as conn:
            found = shelves.stations(conn, location=request.location)
            return pb.ListStationsResponse(stations=[self._shown(conn, station) for station in found])

    def CreateBatch(
        self, request: pb.CreateBatchRequest, context: grpc.ServicerContext
    ) -> pb.CreateBatchResponse:
        """See the contract."""
        self._desk.check_place(request.region, request.location)
        batch = Batch(
            str(uuid.uuid4()),
            request.region,
            request.location,
            request.quantity,
            BatchState.OPEN,
            "",
            caller(context),
            self._clock.now(),
        )

        def work(conn: sa.Connection) -> pb.CreateBatchResponse:
            shelves.add_batch(conn, batch)
            return pb.CreateBatchResponse(batch=_batch(conn, batch))

        return self._once(context, request, pb.CreateBatchResponse, f"batches/{batch.batch_id}", work)

    def PauseBatch(
        self, request: pb.PauseBatchRequest, context: grpc.ServicerContext
    ) -> pb.PauseBatchResponse:
        """See the contract."""
        work = self._change(request.batch_id, BatchState.PAUSED, request.reason)
        return self._once(
            context,
            request,
            pb.PauseBatchResponse,
            f"batches/{request.batch_id}",
            lambda conn: pb.PauseBatchResponse(batch=work(conn)),
        )

    def ResumeBatch(
        self, request: pb.ResumeBatchRequest, context: grpc.ServicerContext
    ) -> pb.ResumeBatchResponse:
        """See the contract."""
        work = self._change(request.batch_id, BatchState.OPEN, "")
        return self._once(
            context,
            request,
            pb.ResumeBatchResponse,
            f"batches/{request.batch_id}",
            lambda conn: pb.ResumeBatchResponse(batch=work(conn)),
        )

    def CancelBatch(
        self, request: pb.CancelBatchRequest, context: grpc.ServicerContext
    ) -> pb.CancelBatchResponse:
        """See the contract."""
        work = self._change(request.batch_id, BatchState.CANCELLED, request.reason)
        return self._once(
            context,
            request,
            pb.CancelBatchResponse,
            f"batches/{request.batch_id}",
            lambda conn: pb.CancelBatchResponse(batch=work(conn)),
        )

    def GetBatch(self, request: pb.GetBatchRequest, context: grpc.ServicerContext) -> pb.GetBatchResponse:
        """See the contract."""
        with self._database.read() as conn:
            return pb.GetBatchResponse(batch=_batch(conn, shelves.batch(conn, request.batch_id)))

    def ListBatches(
        self, request: pb.ListBatchesRequest, context: grpc.ServicerContext
    ) -> pb.ListBatchesResponse:
        """See the contract."""
        size, after = paging.page_size(request.page_size), position(request.page_token)
        state = shown.BATCH_STATES.get(request.state)
        with self._database.read() as conn:
            found = shelves.batches(conn, state=state, after=after, limit=size + 1)
            more = len(found) > size
            return pb.ListBatchesResponse(
                batches=[_batch(conn, batch) for batch in found[:size]],
                next_page_token=paging.encode_token({"after": found[size - 1].entry}) if more else "",
            )

    def PassCard(self, request: pb.PassCardRequest, context: grpc.ServicerContext) -> pb.PassCardResponse:
        """See the contract."""
        judge = self._judge(request.job_id, lambda job: job.passed(caller(context)))
        return self._once(
            context,
            request,
            pb.PassCardResponse,
            f"jobs/{request.job_id}",
            lambda conn: pb.PassCardResponse(job=messages.job(judge(conn))),
        )

    def RejectCard(
        self, request: pb.RejectCardRequest, context: grpc.ServicerContext
    ) -> pb.RejectCardResponse:
        """See the contract."""
        reason = shown.REJECT_REASONS[request.reason] + (f": {request.note}" if request.note else "")
        judge = self._judge(request.job_id, lambda job: job.rejected(caller(context), reason))
        return self._once(
            context,
            request,
            pb.RejectCardResponse,
            f"jobs/{request.job_id}",
            lambda conn: pb.RejectCardResponse(job=messages.job(judge(conn))),
        )

    def ReviewCard(
        self, request: pb.ReviewCardRequest, context: grpc.ServicerContext
    ) -> pb.ReviewCardResponse:
        """See the contract."""
        judge = self._judge(
            request.job_id, lambda job: job.reviewed(caller(context), confirmed=request.confirmed)
        )
        return self._once(
            context,
            request,
            pb.ReviewCardResponse,
            f"jobs/{request.job_id}",
            lambda conn: pb.ReviewCardResponse(job=messages.job(judge(conn))),
        )

    def ListUnreviewed(
        self, request: pb.ListUnreviewedRequest, context: grpc.ServicerContext
    ) -> pb.ListUnreviewedResponse:
        """See the contract."""
        size, after = paging.page_size(request.page_size), position(request.page_token)
        with self._database.read() as conn:
            found = self._store.unreviewed(conn, after=after, limit=size + 1)
        more = len(found) > size
        return pb.ListUnreviewedResponse(
            jobs=[messages.job(job) for job in found[:size]],
            next_page_token=paging.encode_token({"after": found[size - 1].entry}) if more else "",
        )

    def ListFailedChips(
        self, request: pb.ListFailedChipsRequest, context: grpc.ServicerContext
    ) -> pb.ListFailedChipsResponse:
        """See the contract."""
        with self._database.read() as conn:
            found = attempts.failed(conn, limit=1000)
        return pb.ListFailedChipsResponse(
            chips=[
                shown.failed_chip(uid, failures, last, suspended=failures >= self._limit)
                for uid, failures, last in found
            ]
        )

    def ReleaseChip(
        self, request: pb.ReleaseChipRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseChipResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.ReleaseChipResponse:
            attempts.forget(conn, request.chip_uid)
            return pb.ReleaseChipResponse()

        return self._once(context, request, pb.ReleaseChipResponse, f"chips/{request.chip_uid}", work)

    def _change(self, batch_id: str, state: BatchState, reason: str) -> Callable[[sa.Connection], pb.Batch]:
        def work(conn: sa.Connection) -> pb.Batch:
            lock(conn, "cardperso-floor")
            batch = shelves.batch(conn, batch_id).to(state, reason)
            shelves.save_batch(conn, batch)
            return _batch(conn, batch)

        return work

    def _judge(self, job_id: str, verdict: Callable[[Job], Job]) -> Callable[[sa.Connection], Job]:
        def work(conn: sa.Connection) -> Job:
            return self._store.save(conn, verdict(self._store.job(conn, job_id)), self._clock.now())

        return work

    def _shown(self, conn: sa.Connection, station: Station) -> pb.Station:
        job_id = shelves.job_at(conn, station.host, station.reader)
        return shown.station(station, job_id, self._clock.now())

    def _once(
        self,
        context: grpc.ServicerContext,
        request: Any,
        response_type: type[R],
        resource: str,
        work: Callable[[sa.Connection], R],
    ) -> R:
        """The answer of `work`, once for a request id, written down in the same transaction."""
        method = request.DESCRIPTOR.name.removesuffix("Request")
        now, reason = self._clock.now(), getattr(request, "reason", "")

        def transaction(conn: sa.Connection) -> R:
            def first_time() -> R:
                answer = work(conn)
                audit.append(
                    conn,
                    actor=caller(context),
                    action=method,
                    resource=resource,
                    reason=reason if isinstance(reason, str) else "",
                    digest=requests.digest_of(request),
                    at=now,
                )
                return answer

            return requests.once(conn, method, request, response_type, first_time, clock=self._clock)

        answer = self._database.run(transaction)
        self._bell.ring()
        return answer


def _batch(conn: sa.Connection, batch: Batch) -> pb.Batch:
    return shown.batch(batch, shelves.tally(conn, batch.batch_id))
