"""The RPCs that tell other services' auditors of cards and lost blanks: message → store → message."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from tunggal.cardperso.v1 import reconciliation_pb2 as pb
from tunggal.cardperso.v1 import reconciliation_pb2_grpc

from services.cardperso import made_cards
from services.cardperso.made_cards import LostBlank, MadeCard
from services.common.db import Database
from services.common.moments import timestamp
from services.common.spans import Span

_OPERATORS = frozenset({"operator/*"})

#: Who may call what.
ALLOW = {
    "ListPersonalizedChips": _OPERATORS,
    "FindPersonalizedChips": _OPERATORS,
    "ListSpoiledBlanks": _OPERATORS,
}


class ReconciliationService(reconciliation_pb2_grpc.ReconciliationServiceServicer):
    """Adapter between the contract and the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ListPersonalizedChips(
        self, request: pb.ListPersonalizedChipsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ListPersonalizedChipsResponse]:
        """See the contract."""
        span = Span.of(request)
        with self._database.read() as conn:
            for part in made_cards.of_span(conn, span, request.after):
                yield pb.ListPersonalizedChipsResponse(chips=map(_chip, part))

    def FindPersonalizedChips(
        self, request: pb.FindPersonalizedChipsRequest, context: grpc.ServicerContext
    ) -> pb.FindPersonalizedChipsResponse:
        """See the contract."""
        with self._database.read() as conn:
            found = made_cards.of_chips(conn, request.chip_uids)
        return pb.FindPersonalizedChipsResponse(chips=map(_chip, found))

    def ListSpoiledBlanks(
        self, request: pb.ListSpoiledBlanksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ListSpoiledBlanksResponse]:
        """See the contract."""
        span = Span.of(request)
        with self._database.read() as conn:
            for part in made_cards.lost(conn, span):
                yield pb.ListSpoiledBlanksResponse(blanks=map(_blank, part))


def _chip(card: MadeCard) -> pb.PersonalizedChip:
    return pb.PersonalizedChip(
        chip_uid=card.chip_uid,
        job_id=card.job_id,
        serial=card.serial,
        location=card.location,
        record_id=card.record_id,
        time=None if card.time is None else timestamp(card.time),
        finished=card.finished,
        jobs=card.jobs,
    )


def _blank(blank: LostBlank) -> pb.SpoiledBlank:
    return pb.SpoiledBlank(
        job_id=blank.job_id,
        serial=blank.serial,
        location=blank.location,
        time=timestamp(blank.time),
        accepted=blank.accepted,
        errand=blank.errand,
    )
