"""The RPCs that tell other services' auditors of cards and lost blanks: message → store → message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import grpc
from google.protobuf.duration_pb2 import Duration
from tunggal.cardperso.v1 import reconciliation_pb2 as pb
from tunggal.cardperso.v1 import reconciliation_pb2_grpc

from services.cardperso import made_cards
from services.cardperso.made_cards import LostBlank, MadeCard, Step
from services.common.clock import Clock
from services.common.db import Database
from services.common.moments import timestamp
from services.common.spans import Span

_STEPS = {
    Step.NONE: pb.CARD_STEP_NONE,
    Step.BOOK: pb.CARD_STEP_BOOK,
    Step.GIVE_UP: pb.CARD_STEP_GIVE_UP,
    Step.VOID: pb.CARD_STEP_VOID,
}
_OPERATORS = frozenset({"operator/*"})

#: Who may call what.
ALLOW = {
    "ListPersonalizedChips": _OPERATORS,
    "FindPersonalizedChips": _OPERATORS,
    "ListSpoiledBlanks": _OPERATORS,
}


class ReconciliationService(reconciliation_pb2_grpc.ReconciliationServiceServicer):
    """Adapter between the contract and the store.

    Args:
        database: database.
        clock: clock.
        patience: how long a card may be on its way through the books of all services.
    """

    def __init__(self, database: Database, clock: Clock, patience: dt.timedelta) -> None:
        self._database = database
        self._clock = clock
        self._patience = patience

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
        patience = Duration()
        patience.FromTimedelta(self._patience)
        return pb.FindPersonalizedChipsResponse(
            chips=map(_chip, found), read_time=timestamp(self._clock.now()), patience=patience
        )

    def ListSpoiledBlanks(
        self, request: pb.ListSpoiledBlanksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ListSpoiledBlanksResponse]:
        """See the contract."""
        span = Span.of(request)
        with self._database.read() as conn:
            for part in made_cards.lost(conn, span):
                yield pb.ListSpoiledBlanksResponse(blanks=map(self._blank, part))

    def _blank(self, blank: LostBlank) -> pb.SpoiledBlank:
        return pb.SpoiledBlank(
            job_id=blank.job_id,
            serial=blank.serial,
            location=blank.location,
            time=timestamp(blank.time),
            accepted=blank.accepted,
            errand=blank.errand,
            under_way=blank.untold and abs(self._clock.now() - blank.time) <= self._patience,
        )


def _chip(card: MadeCard) -> pb.PersonalizedChip:
    return pb.PersonalizedChip(
        chip_uid=card.chip_uid,
        job_id=card.job_id,
        serial=card.serial,
        location=card.location,
        record_id=card.record_id,
        time=timestamp(card.time),
        finished=card.step is Step.NONE,
        jobs=card.jobs,
        step=_STEPS[card.step],
        version=card.version,
        void_time=timestamp(card.void_time),
    )
