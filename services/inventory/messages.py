"""Domain values as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping

from tunggal.inventory.v1 import stock_pb2

from services.common.moments import timestamp
from services.inventory.blanks.blank import Blank
from services.inventory.contracts.contract import Contract
from services.inventory.contracts.delivery import Lot
from services.inventory.ledger.custody import CustodyStep
from services.inventory.ledger.entries import Account, Condition
from services.inventory.ledger.serials import SerialRange
from services.inventory.movements.allocation import Allocation, AllocationState

_BLANK_STATES = {
    Condition.ON_HAND: stock_pb2.BLANK_STATE_ON_HAND,
    Condition.ALLOCATED: stock_pb2.BLANK_STATE_ALLOCATED,
    Condition.IN_TRANSIT: stock_pb2.BLANK_STATE_IN_TRANSIT,
    Condition.RESERVED: stock_pb2.BLANK_STATE_RESERVED,
    Condition.CONSUMED: stock_pb2.BLANK_STATE_CONSUMED,
    Condition.SPOILED: stock_pb2.BLANK_STATE_SPOILED,
    Condition.PENDING: stock_pb2.BLANK_STATE_PENDING,
    Condition.DESTROYED: stock_pb2.BLANK_STATE_DESTROYED,
    Condition.MISSING: stock_pb2.BLANK_STATE_MISSING,
    Condition.WITHDRAWN: stock_pb2.BLANK_STATE_WITHDRAWN,
    Condition.CONVEYED: stock_pb2.BLANK_STATE_CONVEYED,
}
_ALLOCATION_STATES = {
    AllocationState.ALLOCATED: stock_pb2.ALLOCATION_STATE_ALLOCATED,
    AllocationState.DISPATCHED: stock_pb2.ALLOCATION_STATE_DISPATCHED,
    AllocationState.RECEIVED: stock_pb2.ALLOCATION_STATE_RECEIVED,
    AllocationState.CANCELLED: stock_pb2.ALLOCATION_STATE_CANCELLED,
}
_STATES_BY_NUMBER: dict[int, AllocationState] = {
    int(number): state for state, number in _ALLOCATION_STATES.items()
}


def allocation_state(number: int) -> AllocationState | None:
    """The state that a filter asks for; ``None`` for any."""
    return _STATES_BY_NUMBER.get(number)


def contract(value: Contract) -> stock_pb2.Contract:
    """A contract with what is delivered and outstanding."""
    return stock_pb2.Contract(
        contract_id=value.contract_id,
        supplier=value.supplier,
        quantity=value.quantity,
        delivered_quantity=value.delivered,
        outstanding_quantity=value.outstanding,
        create_time=timestamp(value.create_time),
    )


def lot(value: Lot) -> stock_pb2.Lot:
    """A delivered lot."""
    return stock_pb2.Lot(
        lot_id=value.lot_id,
        contract_id=value.contract_id,
        delivery_note=value.delivery_note,
        serials=serial_range(value.serials),
        receive_time=timestamp(value.receive_time),
    )


def allocation(value: Allocation) -> stock_pb2.Allocation:
    """An allocation with its serials."""
    return stock_pb2.Allocation(
        allocation_id=value.allocation_id,
        from_location=value.source,
        to_location=value.target,
        quantity=value.quantity,
        reason=value.reason,
        state=_ALLOCATION_STATES[value.state],
        serials=[serial_range(serials) for serials in value.serials],
        create_time=timestamp(value.create_time),
        dispatch_time=timestamp(value.dispatch_time),
        receive_time=timestamp(value.receive_time),
        item=value.item,
        missing=value.missing,
        damaged=value.damaged,
        surplus=value.surplus,
        loan_id=value.loan_id or "",
    )


def blank(value: Blank) -> stock_pb2.Blank:
    """One blank."""
    return stock_pb2.Blank(
        serial=value.serial,
        lot_id=value.lot_id,
        location=value.account.place,
        state=blank_state(value.account.condition),
        reservation_id=value.reservation.reservation_id if value.reservation else "",
        chip_uid=value.chip_uid,
        spoil_reason=value.spoil_reason,
    )


def blank_state(condition: Condition) -> stock_pb2.BlankState.ValueType:
    """The state of a blank in that condition."""
    return _BLANK_STATES[condition]


def custody(step: CustodyStep) -> stock_pb2.CustodyEvent:
    """One step in the custody of a blank."""
    return stock_pb2.CustodyEvent(
        transfer_id=step.transfer_id,
        kind=step.kind,
        from_account=step.source.code,
        to_account=step.target.code,
        actor=step.actor,
        reason=step.reason,
        book_time=timestamp(step.book_time),
    )


def levels(balances: Mapping[Account, int]) -> list[stock_pb2.StockLevel]:
    """One level for each location, in the order of ``balances``."""
    found: dict[str, stock_pb2.StockLevel] = {}
    for account, balance in balances.items():
        level = found.setdefault(account.place, stock_pb2.StockLevel(location=account.place))
        _count(level, account.condition, balance)
    return list(found.values())


def total(balances: Mapping[Account, int], location: str) -> stock_pb2.StockLevel:
    """The sum of ``balances`` under the name of ``location``."""
    level = stock_pb2.StockLevel(location=location)
    for account, balance in balances.items():
        _count(level, account.condition, balance)
    return level


def _count(level: stock_pb2.StockLevel, condition: Condition, balance: int) -> None:
    field = condition.replace("-", "_")
    setattr(level, field, getattr(level, field) + balance)


def serial_range(value: SerialRange) -> stock_pb2.SerialRange:
    """A range of serials."""
    return stock_pb2.SerialRange(first=value.first, last=value.last)
