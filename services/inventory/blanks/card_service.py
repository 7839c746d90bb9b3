"""The RPCs of cards that were found bad: message → bookkeeper → message."""

from __future__ import annotations

import grpc
from tunggal.inventory.v1 import cards_pb2 as pb
from tunggal.inventory.v1 import cards_pb2_grpc

from services.inventory import messages
from services.inventory.adapter import Adapter
from services.inventory.blanks.bookkeeper import Bookkeeper
from services.inventory.desk import Desk

#: Who may call what: SPIFFE paths by method.
ALLOW = {"VoidCard": frozenset({"service/cardperso"})}


class CardService(Adapter, cards_pb2_grpc.CardServiceServicer):
    """Adapter between the contract of this service and the bookkeeper."""

    def VoidCard(self, request: pb.VoidCardRequest, context: grpc.ServicerContext) -> pb.VoidCardResponse:
        """Takes a booked card back as spoiled."""

        def work(desk: Desk) -> tuple[pb.VoidCardResponse, str]:
            blank, spoilage = Bookkeeper(desk).void(
                request.reservation_id, request.chip_uid, request.reason, request.operator
            )
            answer = pb.VoidCardResponse(blank=messages.blank(blank), spoilage_id=spoilage.spoilage_id)
            return answer, f"blanks/{blank.serial}"

        return self._book(context, request, pb.VoidCardResponse, work)
