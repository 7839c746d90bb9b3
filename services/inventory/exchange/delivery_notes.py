"""Delivery notes as CSV: one line a lot, every fault named with its line and column, so that a clerk can mend
the file and send it again. Either all lines are fit to be booked, or none is.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Final

from services.inventory.ledger.serials import SerialRange

COLUMNS: Final = ("contract_id", "delivery_note", "first_serial", "last_serial")
#: Lines of one file; a contract of 7,000,000 blanks comes in some hundred lots. All are booked in one
#: transaction, for which everybody else waits on SQLite: some seconds.
MOST_LINES: Final = 2_000
_LAST_SERIAL: Final = 999_999_999_999
_CONTRACT: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{2,63}")
#: Digits, as they are or in groups of three by one kind of mark. "1000.0" and "1,5" are no serials: to drop
#: their marks would make others of them.
_SERIAL: Final = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:([ .,_\u00a0\u202f])[0-9]{3}(?:\1[0-9]{3})*)")
_MARKS: Final = re.compile(r"[^0-9]")


@dataclass(frozen=True)
class DeliveryLine:
    """One lot as the file has it; ``line`` counts from 1, the header included, as spreadsheets count."""

    line: int
    contract_id: str
    delivery_note: str
    serials: SerialRange


@dataclass(frozen=True)
class LineFault:
    """What is wrong in one line, in which column (empty for the whole line), and what to do."""

    line: int
    column: str
    problem: str
    remedy: str


def parse(text: str) -> tuple[list[DeliveryLine], list[LineFault]]:
    """The lines of a CSV file, and its faults. Commas, semicolons or tabs separate; a byte-order mark is
    fine.
    """
    text = text.removeprefix("\ufeff")
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    lines: list[DeliveryLine] = []
    faults: list[LineFault] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if unfit := _header_fault(names):
            return [], [unfit]
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if reader.line_num > MOST_LINES + 1:
                remedy = (
                    f"Send it in several files of at most {MOST_LINES:,} lines; each is booked as a whole."
                )
                faults.append(LineFault(reader.line_num, "", f"More than {MOST_LINES:,} lines.", remedy))
                break
            line, found = _line(reader.line_num, names, [cell.strip() for cell in cells])
            faults += found
            if line is not None:
                lines.append(line)
    except csv.Error as error:
        remedy = "Save the file as CSV (UTF-8) again; quotes must be closed."
        faults.append(LineFault(reader.line_num, "", f"Not CSV: {error}.", remedy))
    if not lines and not faults:
        faults.append(LineFault(1, "", "The file has no lines.", "Add one line for each lot."))
    return lines, sorted(faults + _overlaps(lines), key=lambda fault: fault.line)


def _header_fault(names: list[str]) -> LineFault | None:
    for column in COLUMNS:
        times = names.count(column)
        if times != 1:
            problem = f"The column {column} is {'missing' if times == 0 else 'there twice'}."
            return LineFault(1, column, problem, f"Begin the file with the line {','.join(COLUMNS)}.")
    return None


def _line(number: int, names: list[str], cells: list[str]) -> tuple[DeliveryLine | None, list[LineFault]]:
    if any(cells[len(names) :]):
        problem = f"The line has {len(cells)} cells, the header {len(names)}."
        remedy = "Write numbers without commas, or put a cell that holds the separator in quotes."
        return None, [LineFault(number, "", problem, remedy)]
    values = dict(zip(names, cells, strict=False))
    faults = []
    contract_id, note = values.get("contract_id", ""), values.get("delivery_note", "")
    if not _CONTRACT.fullmatch(contract_id):
        remedy = "Write the contract's number as ListContracts has it, such as KTP-2017-03."
        faults.append(LineFault(number, "contract_id", f"{contract_id!r} is no contract number.", remedy))
    if not 1 <= len(note) <= 64:
        remedy = "Copy the number from the supplier's paper, 1 to 64 characters."
        faults.append(LineFault(number, "delivery_note", "The number is missing or too long.", remedy))
    serials = []
    for column in ("first_serial", "last_serial"):
        # Spreadsheets like to write 1.000.000 or 1,000,000.
        written = values.get(column, "")
        serial = int(_MARKS.sub("", written)) if _SERIAL.fullmatch(written) else 0
        if 1 <= serial <= _LAST_SERIAL:
            serials.append(serial)
        else:
            remedy = "Write a whole number from 1 to 999999999999, without decimals."
            faults.append(LineFault(number, column, f"{written!r} is no serial number.", remedy))
    if len(serials) == 2 and serials[1] < serials[0]:
        remedy = "Swap first_serial and last_serial, or correct them."
        faults.append(LineFault(number, "last_serial", f"{serials[1]} is before {serials[0]}.", remedy))
    if faults:
        return None, faults
    return DeliveryLine(number, contract_id, note, SerialRange(*serials)), []


def _overlaps(lines: list[DeliveryLine]) -> list[LineFault]:
    """Lines that share a serial with another line of the file."""
    faults = []
    reach: DeliveryLine | None = None
    for line in sorted(lines, key=lambda each: each.serials.first):
        if reach is not None and line.serials.first <= reach.serials.last:
            problem = f"Serials {line.serials} are in line {reach.line} already."
            faults.append(
                LineFault(line.line, "first_serial", problem, "A blank comes once: correct one of them.")
            )
        if reach is None or line.serials.last > reach.serials.last:
            reach = line
    return faults
