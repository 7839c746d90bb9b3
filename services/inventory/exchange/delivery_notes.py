"""Delivery notes as CSV: one line a lot, every fault named with its line and column, so that a clerk can mend
the file and send it again. Either all lines are fit to be booked, or none is.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Final

from services.inventory.serials import SerialRange

COLUMNS: Final = ("contract_id", "delivery_note", "first_serial", "last_serial")
#: Lines of one file; a contract of 7,000,000 blanks comes in some hundred lots.
MOST_LINES: Final = 10_000
_LAST_SERIAL: Final = 999_999_999_999
_CONTRACT: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{2,63}")


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
    """The lines of a CSV file, and its faults. Commas or semicolons separate; a byte-order mark is fine."""
    text = text.removeprefix("\ufeff")
    header, _, _ = text.partition("\n")
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    lines: list[DeliveryLine] = []
    faults: list[LineFault] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [column for column in COLUMNS if column not in names]
        if missing:
            remedy = f"Begin the file with the line {','.join(COLUMNS)}."
            return [], [LineFault(1, missing[0], f"The column {missing[0]} is missing.", remedy)]
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if reader.line_num > MOST_LINES:
                remedy = "Send it in several files."
                faults.append(LineFault(reader.line_num, "", f"More than {MOST_LINES} lines.", remedy))
                break
            values = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            line, found = _line(reader.line_num, values)
            faults += found
            if line is not None:
                lines.append(line)
    except csv.Error as error:
        remedy = "Save the file as CSV (UTF-8) again; quotes must be closed."
        faults.append(LineFault(reader.line_num, "", f"Not CSV: {error}.", remedy))
    if not lines and not faults:
        faults.append(LineFault(1, "", "The file has no lines.", "Add one line for each lot."))
    return lines, sorted(faults + _overlaps(lines), key=lambda fault: fault.line)


def _line(number: int, values: dict[str, str]) -> tuple[DeliveryLine | None, list[LineFault]]:
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
        digits = re.sub(r"[ .,_]", "", values.get(column, ""))
        if digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= _LAST_SERIAL:
            serials.append(int(digits))
        else:
            remedy = "Write a whole number from 1 to 999999999999."
            faults.append(
                LineFault(number, column, f"{values.get(column, '')!r} is no serial number.", remedy)
            )
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
