"""The RPCs of judging cards and chips: message → domain call → message."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import sqlalchemy as sa
from tunggal.cardperso.v1 import production_pb2 as pb

from services.cardperso import attempts, judgement, messages, people
from services.cardperso.desk import position
from services.cardperso.job import Job
from services.cardperso.production import messages as shown
from services.cardperso.production.adapter import Adapter
from services.common import paging


class CardMethods(Adapter):
    """Cards are found good or bad, and reviewed; chips that failed are listed and released."""

    def PassCard(self, request: pb.PassCardRequest, context: grpc.ServicerContext) -> pb.PassCardResponse:
        """See the contract."""
        judge = self._judge(
            request.job_id, lambda job: judgement.passed(job, people.acting(context, request.operator))
        )
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
        judge = self._judge(
            request.job_id,
            lambda job: judgement.rejected(job, people.acting(context, request.operator), reason),
        )
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
            request.job_id,
            lambda job: judgement.reviewed(
                job,
                people.acting(context, request.operator),
                confirmed=request.confirmed,
                note=request.note,
            ),
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

    def _judge(self, job_id: str, verdict: Callable[[Job], Job]) -> Callable[[sa.Connection], Job]:
        def work(conn: sa.Connection) -> Job:
            return self._store.save(
                conn, verdict(self._store.job(conn, job_id, lock=True)), self._clock.now()
            )

        return work
