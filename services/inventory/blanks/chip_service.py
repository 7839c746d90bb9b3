"""The RPCs of chips: message → chips → message."""

from __future__ import annotations

import grpc
from tunggal.inventory.v1 import chips_pb2 as pb
from tunggal.inventory.v1 import chips_pb2_grpc

from services.inventory.adapter import CARD_STATIONS, OPERATORS, Adapter
from services.inventory.blanks import chips
from services.inventory.blanks.chips import Standing
from services.inventory.desk import Desk

#: Who may call what: SPIFFE paths by method.
ALLOW = {"ListChips": OPERATORS, "CheckChip": CARD_STATIONS}
_STANDINGS = {
    Standing.LISTED: pb.CHIP_STANDING_LISTED,
    Standing.UNLISTED: pb.CHIP_STANDING_UNLISTED,
    Standing.FOREIGN: pb.CHIP_STANDING_FOREIGN,
    Standing.USED: pb.CHIP_STANDING_USED,
}


class ChipService(Adapter, chips_pb2_grpc.ChipServiceServicer):
    """Adapter between the contract of this service and the chips."""

    def ListChips(self, request: pb.ListChipsRequest, context: grpc.ServicerContext) -> pb.ListChipsResponse:
        """Enters the chips of a lot."""

        def work(desk: Desk) -> tuple[pb.ListChipsResponse, str]:
            listed = chips.enter(desk.store.connection, request.lot_id, list(request.chip_uids))
            return pb.ListChipsResponse(listed=listed), f"lots/{request.lot_id}"

        return self._book(context, request, pb.ListChipsResponse, work)

    def CheckChip(self, request: pb.CheckChipRequest, context: grpc.ServicerContext) -> pb.CheckChipResponse:
        """Looks a chip up for a reserved blank."""
        with self._read() as store:
            known = chips.check(store, request.reservation_id, request.chip_uid)
        return pb.CheckChipResponse(standing=_STANDINGS[known.standing], serial=known.serial)
