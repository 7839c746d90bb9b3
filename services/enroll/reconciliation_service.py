"""The RPC that tells other services' auditors which records have a card: message → store → message."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from tunggal.enroll.v1 import reconciliation_pb2 as pb
from tunggal.enroll.v1 import reconciliation_pb2_grpc

from services.common.clock import Clock
from services.common.db import Database
from services.common.moments import timestamp
from services.common.spans import Span
from services.enroll import card_records
from services.enroll.card_records import CardRecord

_OPERATORS = frozenset({"operator/*"})

#: Who may call what.
ALLOW = {"ListCardRecords": _OPERATORS, "FindCardRecords": _OPERATORS}


class ReconciliationService(reconciliation_pb2_grpc.ReconciliationServiceServicer):
    """Adapter between the contract and the store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def ListCardRecords(
        self, request: pb.ListCardRecordsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ListCardRecordsResponse]:
        """See the contract."""
        span = Span.of(request)
        with self._database.read() as conn:
            for part in card_records.of_span(conn, span, request.after):
                yield pb.ListCardRecordsResponse(records=map(_record, part))

    def FindCardRecords(
        self, request: pb.FindCardRecordsRequest, context: grpc.ServicerContext
    ) -> pb.FindCardRecordsResponse:
        """See the contract."""
        with self._database.read() as conn:
            found = card_records.of_chips(conn, request.chip_uids)
            lent = card_records.on_loan(conn, request.record_ids, self._clock.now())
        loans = [pb.Loan(record_id=record_id, claimant=claimant) for record_id, claimant in lent]
        return pb.FindCardRecordsResponse(records=map(_record, found), loans=loans)


def _record(card: CardRecord) -> pb.CardRecord:
    return pb.CardRecord(
        chip_uid=card.chip_uid, record_id=card.record_id, region=card.region, time=timestamp(card.time)
    )
