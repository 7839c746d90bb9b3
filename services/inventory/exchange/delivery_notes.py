"""Delivery notes as CSV: one line a lot, every fault named with its line and column, so that a clerk can mend
the file and send it again.

Files come from spreadsheets, Indonesian ones for the most part: semicolons between cells, dots between
thousands, and texts that the spreadsheet took for something else. What can only mean one thing is read; what
two people might read differently is a fault.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from services.inventory.ledger.serials import SerialRange

COLUMNS: Final = ("contract_id", "delivery_note", "first_serial", "last_serial")
#: Lines that are booked in one transaction, for which everybody else waits on SQLite: some seconds.
MOST_LINES: Final = 2_000
#: Lines of a file whose notes are booked one after the other; a contract of 7,000,000 blanks comes in some
#: thousand boxes.
MOST_FILE_LINES: Final = 200_000
_LAST_SERIAL: Final = 999_999_999_999
_CONTRACT: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{2,63}")
#: At most twelve digits, as they are or in groups of three by one kind of mark.
_SERIAL: Final = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:([ .,_\u00a0\u202f])[0-9]{3}(?:\1[0-9]{3}){0,2})")
#: One thousand to half the world, and one with three decimals to the other half.
_AMBIGUOUS: Final = re.compile(r"[0-9]{1,3}[.,][0-9]{3}")
#: How spreadsheets show a number that is too long for them: its last digits are lost.
_SHORTENED: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
#: What spreadsheets make of "3-17" and "MAR-17"; in English and Indonesian.
_MONTHS: Final = "jan|feb|mar|apr|may|mei|jun|jul|aug|agu|agt|sep|oct|okt|nov|dec|des"
_DATE: Final = re.compile(
    rf"[0-9]{{1,2}}-(?:{_MONTHS})(?:-[0-9]{{2,4}})?|(?:{_MONTHS})-[0-9]{{2,4}}", re.IGNORECASE
)
_MARKS: Final = re.compile(r"[^0-9]")
#: Characters of a cell that its fault repeats.
_QUOTED: Final = 40


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


class Parsed(NamedTuple):
    """What a file says: lines that can be booked, faults, and of lines with a fault the contract's number
    where that could be read.
    """

    lines: list[DeliveryLine]
    faults: list[LineFault]
    unread: dict[int, str]


def parse(text: str, most: int = MOST_LINES) -> Parsed:
    """The lines of a CSV file of at most ``most`` lines, and all its faults. Commas, semicolons or tabs
    separate; a byte-order mark and a first line such as ``sep=;`` are fine.
    """
    delimiter, rest, skipped = _opened(text)
    reader = csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter, strict=True)
    found = Parsed([], [], {})
    names: list[str] = []
    for number, cells in _rows(reader, found.faults, skipped):
        if not names:
            names = [name.strip().lower() for name in cells]
            if unfit := _header_faults(names):
                return Parsed([], unfit, {})
        elif number > most + skipped + 1:
            remedy = f"Send it in several files of at most {most:,} lines; each is booked as a whole."
            found.faults.append(LineFault(number, "", f"More than {most:,} lines.", remedy))
            break
        elif any(cell.strip() for cell in cells):
            line, faults = _line(number, names, [cell.strip() for cell in cells])
            found.faults.extend(faults)
            if isinstance(line, DeliveryLine):
                found.lines.append(line)
            elif line:
                found.unread[number] = line
    if not names and not found.faults:
        return Parsed([], _header_faults([]), {})
    if not found.lines and not found.faults:
        found.faults.append(LineFault(1, "", "The file has no lines.", "Add one line for each lot."))
    found.faults.extend(_overlaps(found.lines))
    found.faults.sort(key=lambda fault: fault.line)
    return found


def _opened(text: str) -> tuple[str, str, int]:
    """The delimiter, the text from the header on, and the lines before that."""
    text = text.removeprefix("\ufeff")
    told = re.match(r"sep=([,;\t])\r?\n", text, re.IGNORECASE)
    if told:
        return told[1], text[told.end() :], 1
    header, _, _ = text.partition("\n")
    return max(",;\t", key=header.count), text, 0


def _rows(reader: Any, faults: list[LineFault], skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line; one that is no CSV is a fault, and the next one is read."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = "Save the file as CSV (UTF-8) again; quotes must be closed."
            faults.append(LineFault(reader.line_num + skipped, "", f"Not CSV: {error}.", remedy))
            if "unexpected end of data" in str(error):
                return
        else:
            yield reader.line_num + skipped, cells


def _header_faults(names: list[str]) -> list[LineFault]:
    return [
        LineFault(
            1,
            column,
            f"The column {column} is {'there twice' if names.count(column) else 'missing'}.",
            f"Begin the file with the line {','.join(COLUMNS)}.",
        )
        for column in COLUMNS
        if names.count(column) != 1
    ]


def _line(number: int, names: list[str], cells: list[str]) -> tuple[DeliveryLine | str, list[LineFault]]:
    """The line, or of one with a fault the contract's number where that could be read; and all its faults."""
    if any(cells[len(names) :]):
        problem = f"The line has {len(cells)} cells, the header {len(names)}."
        remedy = "Write numbers without commas, or put a cell that holds the separator in quotes."
        return "", [LineFault(number, "", problem, remedy)]
    values = dict(zip(names, cells, strict=False))
    faults = []
    contract_id, note = values.get("contract_id", ""), values.get("delivery_note", "")
    if not _CONTRACT.fullmatch(contract_id):
        remedy = "Write the contract's number as ListContracts has it, such as KTP-2017-03."
        problem = f"{_quoted(contract_id)} is no contract number."
        faults.append(LineFault(number, "contract_id", problem, remedy))
        contract_id = ""
    if unfit := _note_fault(note):
        faults.append(LineFault(number, "delivery_note", *unfit))
    serials = []
    for column in ("first_serial", "last_serial"):
        serial, wrong = _serial(values.get(column, ""))
        serials.append(serial)
        if wrong:
            faults.append(LineFault(number, column, *wrong))
    if all(serials) and serials[1] < serials[0]:
        remedy = "Swap first_serial and last_serial, or correct them."
        faults.append(LineFault(number, "last_serial", f"{serials[1]} is before {serials[0]}.", remedy))
    if faults:
        return contract_id, faults
    return DeliveryLine(number, contract_id, note, SerialRange(*serials)), []


def _note_fault(note: str) -> tuple[str, str] | None:
    """Problem and remedy of a delivery note's number."""
    if not 1 <= len(note) <= 64:
        remedy = "Copy the number from the supplier's paper, 1 to 64 characters."
        return "The number is missing or too long.", remedy
    if _DATE.fullmatch(note) or _SHORTENED.fullmatch(note):
        remedy = "The spreadsheet changed it: format the column as text, then write the number anew."
        return f"{_quoted(note)} is not what the supplier's paper says.", remedy
    return None


def _serial(written: str) -> tuple[int, tuple[str, str] | None]:
    """The serial, or 0 with problem and remedy."""
    if _AMBIGUOUS.fullmatch(written):
        plain = _MARKS.sub("", written)
        problem = f"{_quoted(written)} may be {plain}, or one with decimals."
        return 0, (problem, f"Write {plain} without a mark.")
    if _SHORTENED.fullmatch(written):
        remedy = "Format the column as a number without decimals, or as text, then write the serial anew."
        return 0, (f"{_quoted(written)} was shortened by the spreadsheet; digits are lost.", remedy)
    serial = int(_MARKS.sub("", written)) if _SERIAL.fullmatch(written) else 0
    if not 1 <= serial <= _LAST_SERIAL:
        remedy = "Write a whole number from 1 to 999999999999, without decimals."
        return 0, (f"{_quoted(written)} is no serial number.", remedy)
    return serial, None


def _quoted(cell: str) -> str:
    """What a cell says, as its fault quotes it: enough to find it by, however much was pasted into it."""
    return repr(cell if len(cell) <= _QUOTED else cell[: _QUOTED - 1] + "…")


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
