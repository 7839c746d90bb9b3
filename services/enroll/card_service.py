"""The RPCs of cards that were found bad: message in, domain call, message out."""

from __future__ import annotations

import grpc
import sqlalchemy as sa
from tunggal.enroll.v1 import cards_pb2, cards_pb2_grpc

from services.common import audit, requests
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database
from services.common.identity import caller
from services.enroll import messages
from services.enroll.store import Store
from services.enroll.void_card import Rejection, void_card

#: Who may call what.
ALLOW = {"VoidCard": frozenset({"service/cardperso"})}


class CardService(cards_pb2_grpc.CardServiceServicer):
    """Adapter between the contract and the domain."""

    def __init__(self, db: Database, store: Store, clock: Clock, bell: Bell) -> None:
        self._db = db
        self._store = store
        self._clock = clock
        self._bell = bell

    def VoidCard(
        self, request: cards_pb2.VoidCardRequest, context: grpc.ServicerContext
    ) -> cards_pb2.VoidCardResponse:
        """See the contract. What is remembered of the answer leaves the biodata out."""
        actor, now = caller(context), self._clock.now()

        def transaction(conn: sa.Connection) -> cards_pb2.VoidCardResponse:
            def first() -> cards_pb2.VoidCardResponse:
                rejection = Rejection(request.reason, request.rejected_by, request.reviewed_by)
                record = void_card(
                    conn, self._store, request.record_id, request.chip_uid, rejection, actor=actor, at=now
                )
                audit.append(
                    conn,
                    actor=actor,
                    action="VoidCard",
                    resource=record.record_id,
                    reason=record.reason,
                    digest=requests.digest_of(request),
                    at=now,
                )
                return cards_pb2.VoidCardResponse(record=messages.record(record))

            return requests.once(
                conn, "VoidCard", request, cards_pb2.VoidCardResponse, first, clock=self._clock
            )

        answer = self._db.run(transaction)
        self._bell.ring()
        return answer
