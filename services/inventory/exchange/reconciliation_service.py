"""The RPCs of reconciliation with other services: message → store → message."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from tunggal.inventory.v1 import reconciliation_pb2 as pb
from tunggal.inventory.v1 import reconciliation_pb2_grpc

from services.common.moments import timestamp
from services.common.spans import Span
from services.inventory import messages
from services.inventory.adapter import OPERATORS, Adapter
from services.inventory.exchange import card_blanks
from services.inventory.exchange.card_blanks import CardBlank

#: Who may call what.
ALLOW = {"ListConsumedBlanks": OPERATORS, "FindConsumedBlanks": OPERATORS, "FindBlanks": OPERATORS}


class ReconciliationService(Adapter, reconciliation_pb2_grpc.ReconciliationServiceServicer):
    """Adapter between the contract and the books."""

    def ListConsumedBlanks(
        self, request: pb.ListConsumedBlanksRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ListConsumedBlanksResponse]:
        """Sends blanks that became cards."""
        span = Span.of(request)
        with self._read() as store:
            for part in card_blanks.of_span(store.connection, span, request.after):
                yield pb.ListConsumedBlanksResponse(blanks=map(_blank, part))

    def FindConsumedBlanks(
        self, request: pb.FindConsumedBlanksRequest, context: grpc.ServicerContext
    ) -> pb.FindConsumedBlanksResponse:
        """Finds blanks that became cards by their chips."""
        with self._read() as store:
            found = card_blanks.of_chips(store.connection, request.chip_uids)
        return pb.FindConsumedBlanksResponse(blanks=map(_blank, found))

    def FindBlanks(
        self, request: pb.FindBlanksRequest, context: grpc.ServicerContext
    ) -> pb.FindBlanksResponse:
        """Says what some blanks are now."""
        answer = pb.FindBlanksResponse()
        with self._read() as store:
            for serial in request.serials:
                account = store.books.account_of(serial)
                if account is not None:
                    state = messages.blank_state(account.condition)
                    answer.blanks.add(serial=serial, state=state, location=account.place)
        return answer


def _blank(blank: CardBlank) -> pb.ConsumedBlank:
    return pb.ConsumedBlank(
        chip_uid=blank.chip_uid,
        serial=blank.serial,
        location=blank.location,
        time=timestamp(blank.time),
        withdrawn=blank.withdrawn,
    )
