"""Deliveries of items without serials under a contract."""

from __future__ import annotations

from services.inventory.contracts import delivery
from services.inventory.contracts.contract import Contract, ContractState
from services.inventory.contracts.delivery import Supply
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk, Event
from services.inventory.ledger.entries import Account, Condition, Kind, Line, OverdrawnError
from services.inventory.location import Location
from services.inventory.movements.store import MovementStore


def receive(desk: Desk, contract_id: str, note: str, location: Location, quantity: int) -> Supply:
    """Take a delivery into stock.

    Raises :class:`FailedPrecondition` for a contract that delivers nothing like it and for more than is
    outstanding, :class:`AlreadyExists` for a delivery note whose units are in stock already. After an error
    the caller rolls the transaction back.
    """
    known = ContractStore(desk.store.connection)
    contract = known.locked(contract_id)
    item = contract.item
    if contract.state is not ContractState.ACTIVE or item is None or desk.serialised(item):
        raise delivery.not_delivering(contract, "units without serials")
    MovementStore(desk.store.connection).require_open(location, "location")
    stock = Account(location, Condition.ON_HAND, item)
    try:
        desk.books.shift(contract.owed, stock, quantity)
    except OverdrawnError as short:
        raise delivery.exceeded(contract.owed, short.balance, quantity, "quantity") from short
    # The contract is locked: no other delivery of the same note comes in between.
    _require_new(desk, known, contract, note)
    supply = Supply(desk.clerk.new_id(), contract_id, note, item, quantity, desk.clerk.now)
    known.supplies.add(supply)
    event = Event(Kind.SUPPLY_RECEIVED, supply.supply_id, f"delivery note {note}")
    desk.record(event, [Line(contract.owed, stock, quantity)])
    return supply


def _require_new(desk: Desk, known: ContractStore, contract: Contract, note: str) -> None:
    for supply in known.supplies_of(contract.contract_id):
        if delivery.same_note(supply.delivery_note, note):
            booked = desk.books.transfer(known.booked(supply, contract.owed))
            if booked is not None:
                raise delivery.booked_before(supply, booked)
