"""Delivery notes become lots: a file is looked through, then booked, whole or note by note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, TunggalError
from services.inventory.blanks.bookkeeper import Bookkeeper
from services.inventory.contracts import contract as contracts
from services.inventory.contracts import delivery
from services.inventory.contracts.contract import Contract
from services.inventory.contracts.delivery import Lot
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk
from services.inventory.exchange.delivery_notes import MOST_LINES, DeliveryLine, LineFault, Parsed
from services.inventory.ledger.days import DayClosedError
from services.inventory.store import Store

#: Lines of short notes that are booked together: others get their turn between them.
TOGETHER = 200
#: Refusals that are a line's fault, not the service's.
_OF_THE_LINE = (AlreadyExists, FailedPrecondition, InvalidArgument, NotFound)
_COLUMNS = {"contract_id": "contract_id", "delivery_note": "delivery_note", "serials": "first_serial"}


class Checked(NamedTuple):
    """Lines that can be booked, those that are in stock already, and all faults of the file, by line."""

    fresh: list[DeliveryLine]
    known: list[DeliveryLine]
    faults: list[LineFault]


class RefusedError(Exception):
    """Rolls an import back for the faults of its lines."""

    def __init__(self, *faults: LineFault) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


class _Contracts:
    """What contracts may still deliver, line after line of a file."""

    def __init__(self, store: Store) -> None:
        self._files = ContractStore(store.connection)
        self._known: dict[str, Contract | TunggalError] = {}
        self._left: dict[str, int] = {}

    def refusal(self, contract_id: str) -> TunggalError | None:
        """Why nothing can be delivered under it, if so."""
        if contract_id not in self._known:
            self._known[contract_id] = self._read(contract_id)
        known = self._known[contract_id]
        return known if isinstance(known, TunggalError) else None

    def exceeded(self, line: DeliveryLine) -> TunggalError | None:
        """Why the lot cannot come after those before it, if so; it counts from now on."""
        contract = self._known[line.contract_id]
        if isinstance(contract, TunggalError):
            return None
        size, left = len(line.serials), self._left.get(line.contract_id, contract.outstanding)
        self._left[line.contract_id] = max(0, left - size)
        return delivery.exceeded(contract.owed, left, size) if size > left else None

    def _read(self, contract_id: str) -> Contract | TunggalError:
        found = self._files.find(contract_id)
        if found is None:
            return contracts.unknown(contract_id)
        try:
            delivery.require_lots(found)
        except FailedPrecondition as refused:
            return refused
        return found


def check(store: Store, parsed: Parsed, *, resumed: bool) -> Checked:
    """All that is wrong with the lines, in the file and against the books.

    ``resumed``: a line that is in stock already, the same in all columns, is none of the faults.
    """
    delivering = _Contracts(store)
    faults = list(parsed.faults)
    checked = Checked([], [], [])
    for line in parsed.lines:
        known = store.lot_overlapping(line.serials)
        if known is not None and resumed and _is_of(line, known):
            checked.known.append(line)
            continue
        refused = [delivering.refusal(line.contract_id)]
        refused.append(delivery.overlapping(line.serials, known) if known else delivering.exceeded(line))
        found = [_fault(line.line, each) for each in refused if each is not None]
        faults += found
        if not found:
            checked.fresh.append(line)
    # Of a line that cannot be read for another reason, the contract may be wrong as well.
    for number, contract_id in parsed.unread.items():
        wrong = delivering.refusal(contract_id)
        if wrong is not None:
            faults.append(_fault(number, wrong))
    if resumed:
        faults += _too_long(parsed.lines)
    return checked._replace(faults=sorted(faults, key=lambda fault: fault.line))


def book(desk: Desk, lines: Iterable[DeliveryLine], *, resumed: bool = False) -> list[Lot]:
    """Book each line as a lot; raises :class:`RefusedError` for the first one that is refused meanwhile.

    ``resumed``: a line that came into stock meanwhile, the same in all columns, is passed over.
    """
    lines = list(lines)
    bookkeeper, lots = Bookkeeper(desk), []
    # All before the first lot: who holds a contract may wait for the stock of the centre, never the other way
    # round. And once each: to read its terms anew for every lot takes as long as to book the lot.
    delivering = {
        number: _delivering(bookkeeper, number) for number in sorted({each.contract_id for each in lines})
    }
    for line in lines:
        savepoint = desk.store.connection.begin_nested()
        try:
            contract = delivering[line.contract_id]
            if isinstance(contract, TunggalError):
                raise contract
            lots.append(bookkeeper.receive(contract, line.delivery_note, line.serials))
            savepoint.commit()
        except DayClosedError:
            raise  # of the whole transaction, which begins again on the next day
        except _OF_THE_LINE as refused:
            savepoint.rollback()
            known = desk.store.lot_overlapping(line.serials)
            if resumed and known is not None and _is_of(line, known):
                continue
            raise RefusedError(_fault(line.line, refused)) from refused
    return lots


def _delivering(bookkeeper: Bookkeeper, contract_id: str) -> Contract | TunggalError:
    """The contract, locked, or why it delivers no lots: the fault of a line that is not in stock already."""
    try:
        return bookkeeper.delivering(contract_id)
    except _OF_THE_LINE as refused:
        return refused


def by_note(lines: Iterable[DeliveryLine]) -> Iterator[list[DeliveryLine]]:
    """Whole delivery notes, short ones together, in the order of their first lines."""
    notes: dict[tuple[str, str], list[DeliveryLine]] = {}
    for line in lines:
        notes.setdefault((line.contract_id, line.delivery_note), []).append(line)
    together: list[DeliveryLine] = []
    for note in notes.values():
        if together and len(together) + len(note) > TOGETHER:
            yield together
            together = []
        together = together + note
    if together:
        yield together


def _too_long(lines: list[DeliveryLine]) -> list[LineFault]:
    """Delivery notes with more lines than one transaction takes."""
    seen: dict[tuple[str, str], int] = {}
    faults = []
    for line in lines:
        note = (line.contract_id, line.delivery_note)
        seen[note] = seen.get(note, 0) + 1
        if seen[note] == MOST_LINES + 1:
            problem = f"Delivery note {line.delivery_note} has more than {MOST_LINES:,} lines."
            remedy = "Write serials that follow each other as one line, from the first to the last."
            faults.append(LineFault(line.line, "delivery_note", problem, remedy))
    return faults


def _is_of(line: DeliveryLine, lot: Lot) -> bool:
    """Whether the lot is what the line says."""
    return (lot.contract_id, lot.delivery_note, lot.serials) == (
        line.contract_id,
        line.delivery_note,
        line.serials,
    )


def _fault(line: int, refused: TunggalError) -> LineFault:
    column = _COLUMNS.get((refused.field or "").partition(".")[0], "")
    return LineFault(line, column, refused.message, refused.remedy or "Correct the line.")
