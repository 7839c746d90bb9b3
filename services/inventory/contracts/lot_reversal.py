"""Taking the receipt of a lot back: the supplier owes it again, and its serials are nobody's.

Only a lot of which every blank is free at the centre can be taken back: what has moved on comes back first.
The lot, its receipt and the reversal stay in the books; its serials may then come with another lot.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.blanks import chips
from services.inventory.contracts.contract import Contract
from services.inventory.contracts.delivery import Lot, ReversedLot
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk, Event
from services.inventory.ledger import custody
from services.inventory.ledger.entries import Account, Condition, Kind, Line
from services.inventory.ledger.serials import SerialRange, without
from services.inventory.location import CENTRE


def find(desk: Desk, contract: Contract, terms: Mapping[str, str]) -> Lot:
    """The lot that a step wants taken back.

    Raises :class:`InvalidArgument` when the step names none, :class:`NotFound` when the contract has no such
    lot, :class:`FailedPrecondition` when it was taken back before.
    """
    if set(terms) != {"lot_id"}:
        raise InvalidArgument(
            "LOT_MISSING",
            "The reversal of a lot names the lot and nothing else.",
            field="terms",
            remedy='Send terms {"lot_id": …}; ListLots has the ids.',
        )
    lot_id = terms["lot_id"]
    gone = ContractStore(desk.store.connection).reversed_lots.get(lot_id)
    if gone is not None:
        raise FailedPrecondition(
            "LOT_REVERSED_BEFORE",
            f"The receipt of lot {lot_id} was taken back on {gone.reverse_time:%Y-%m-%d}.",
            field="terms",
            remedy="Nothing is left to do; receive what did come with ReceiveLot.",
        )
    lot = desk.store.lot(lot_id, lock=True)
    if lot is None or lot.contract_id != contract.contract_id:
        raise NotFound(
            "LOT_UNKNOWN",
            f"Contract {contract.contract_id} has no lot {lot_id}.",
            field="terms",
            remedy="Find it with ListLots.",
        )
    return lot


def reverse(desk: Desk, contract: Contract, lot: Lot, reason: str) -> None:
    """Take the receipt back.

    Raises :class:`FailedPrecondition` naming the first serials that are not free at the centre.
    """
    stock = Account(CENTRE, Condition.ON_HAND, contract.owed.item)
    # Locked first, so that what is free now is free below.
    desk.lock([stock, contract.owed])
    elsewhere = without([lot.serials], desk.books.free(stock))
    if elsewhere:
        raise _moved_on(lot, elsewhere)
    desk.shift(stock, contract.owed, len(lot.serials), "change_id")
    desk.books.take_free([lot.serials], stock)
    steps = custody.steps(desk.store.connection, lot.serials.first)
    received = [step for step in steps if step.kind is Kind.LOT_RECEIVED]
    event = Event(Kind.LOT_REVERSED, lot.lot_id, reason, reverses=received[-1].transfer_id)
    line = Line(stock, contract.owed, len(lot.serials), lot.serials)
    transfer = desk.record(event, [line])
    chips.unlist(desk.store.connection, lot.lot_id)
    desk.store.drop_lot(lot.lot_id)
    ContractStore(desk.store.connection).reversed_lots.add(
        ReversedLot(
            lot_id=lot.lot_id,
            contract_id=lot.contract_id,
            delivery_note=lot.delivery_note,
            first=lot.serials.first,
            last=lot.serials.last,
            receive_time=lot.receive_time,
            transfer_id=transfer.transfer_id,
            reason=reason,
            reverse_time=desk.clerk.now,
        )
    )


def _moved_on(lot: Lot, elsewhere: list[SerialRange]) -> FailedPrecondition:
    first = elsewhere[0]
    more = f" and {len(elsewhere) - 1} ranges more" if len(elsewhere) > 1 else ""
    return FailedPrecondition(
        "LOT_MOVED_ON",
        f"Of lot {lot.serials} the serials {first}{more} are not free at the centre any more.",
        field="change_id",
        remedy="Bring them back first (GetBlank tells where each is), then approve the reversal.",
        metadata={"lot_id": lot.lot_id, "first": str(first.first), "last": str(first.last)},
    )
