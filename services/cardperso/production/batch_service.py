"""The RPCs of batches: message → domain call → message."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import grpc
import sqlalchemy as sa
from tunggal.cardperso.v1 import production_pb2 as pb

from services.cardperso import people
from services.cardperso.desk import position
from services.cardperso.production import messages as shown
from services.cardperso.production import store as shelves
from services.cardperso.production.adapter import Adapter
from services.cardperso.production.batch import Batch, BatchState
from services.common import paging
from services.common.db import lock


class BatchMethods(Adapter):
    """Batches are ordered, paused, resumed and ended."""

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
            people.acting(context, request.operator),
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

    def _change(self, batch_id: str, state: BatchState, reason: str) -> Callable[[sa.Connection], pb.Batch]:
        def work(conn: sa.Connection) -> pb.Batch:
            lock(conn, "cardperso-floor")
            batch = shelves.batch(conn, batch_id).to(state, reason)
            shelves.save_batch(conn, batch)
            return _batch(conn, batch)

        return work


def _batch(conn: sa.Connection, batch: Batch) -> pb.Batch:
    return shown.batch(batch, shelves.tally(conn, batch.batch_id))
