"""Delivery notes become lots: all lines of a file, or none."""

from __future__ import annotations

from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, TunggalError
from services.inventory.blanks.bookkeeper import Bookkeeper
from services.inventory.contracts.delivery import Lot
from services.inventory.desk import Desk
from services.inventory.exchange.delivery_notes import DeliveryLine, LineFault

#: Refusals that are a line's fault, not the service's.
_OF_THE_LINE = (AlreadyExists, FailedPrecondition, InvalidArgument, NotFound)
_COLUMNS = {"contract_id": "contract_id", "delivery_note": "delivery_note", "serials": "first_serial"}


def book(desk: Desk, lines: list[DeliveryLine]) -> tuple[list[Lot], list[LineFault]]:
    """Book each line as a lot in a transaction that is rolled back where there is a fault.

    Each line has a savepoint of its own, so that every fault is found and not the first one alone.
    """
    bookkeeper, lots, faults = Bookkeeper(desk), [], []
    for line in lines:
        savepoint = desk.store.connection.begin_nested()
        try:
            lots.append(bookkeeper.receive_lot(line.contract_id, line.delivery_note, line.serials))
            savepoint.commit()
        except _OF_THE_LINE as refused:
            savepoint.rollback()
            faults.append(_fault(line, refused))
    return lots, faults


def _fault(line: DeliveryLine, refused: TunggalError) -> LineFault:
    column = _COLUMNS.get((refused.field or "").partition(".")[0], "")
    return LineFault(line.line, column, refused.message, refused.remedy or "Correct the line.")
