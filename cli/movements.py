"""What the commands of movements share: serial numbers as people write them, whole lists, tables, answers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.message import Message
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from tunggal.inventory.v1.stock_pb2 import SerialRange

from cli.answers import to_json
from services.common.errors import InvalidArgument
from services.inventory.ledger import days
from services.inventory.words import counted

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; others will read it.")]
Item = Annotated[str, typer.Option(help="Item, such as ribbon; blank cards unless given.")]
Quantity = Annotated[int, typer.Option(min=0, help="Units, of items without serial numbers.")]
Serials = Annotated[str, typer.Option(metavar="RANGES", help="Serial numbers of blanks: 1-400,411,500-520.")]
Where = Annotated[str, typer.Argument(metavar="LOCATION", help="Only there; everywhere unless given.")]

#: Characters of a column in which sentences can be read, and of a word that is broken where it is longer.
_LEAST_SENTENCE, _LONGEST_WORD = 12, 40

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_RANGE = re.compile(r"(\d{1,12})(?:\s*[-–]\s*(\d{1,12}))?")


def new_id() -> str:
    """A request id."""
    return str(uuid.uuid4())


def warn_past(day: str) -> None:
    """Tell whoever names a day for what is to come of one that is over. It is no error: what was agreed on
    paper may be entered late.
    """
    if _DAY.fullmatch(day) and day < days.day_of(datetime.now(UTC)).isoformat():
        typer.echo(f"note: {day} is over. Is it mistyped?", err=True)


def ranges(text: str) -> list[SerialRange]:
    """The serial numbers that ``1-400,411`` writes; raises :class:`InvalidArgument`."""
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        written = _RANGE.fullmatch(part)
        if written is None:
            raise InvalidArgument(
                "SERIALS_MALFORMED",
                f"{part!r} is no range of serial numbers.",
                field="serials",
                remedy="Write 1-400,411,500-520.",
            )
        first, last = written.groups()
        found.append(SerialRange(first=int(first), last=int(last or first)))
    return found


def written(serials: Iterable[SerialRange], most: int = 4) -> str:
    """The ranges as people write them; of many the first few."""
    known = [str(one.first) if one.first == one.last else f"{one.first}-{one.last}" for one in serials]
    more = f",… ({len(known)} ranges)" if len(known) > most else ""
    return ",".join(known[:most]) + more


def units(quantity: int, item: str) -> str:
    """So many of an item: ``1 blank``, ``600 blanks``, ``17 ribbon``."""
    return counted(quantity, item, "" if item == "blank" else item)


def word(kind: Any, number: int) -> str:
    """The name of a state as a word: LOAN_STATE_LENT → lent."""
    names = [value.name for value in kind.DESCRIPTOR.values]
    prefix = re.match(r".*?_STATE_", names[0])
    return str(kind.Name(number)).removeprefix(prefix.group() if prefix else "").lower().replace("_", " ")


def person(signature: str) -> str:
    """The operator of a signature; the certificate where it names none."""
    caller, _, operator = signature.partition(":")
    return operator or caller


def tell(answer: Message, sentence: str, *, as_json: bool) -> None:
    """Print what was done, and what somebody does next."""
    typer.echo(to_json(answer) if as_json else sentence)


def tabulate(
    found: Sequence[Message],
    columns: Sequence[str],
    row: Callable[[Any], Sequence[str]],
    *,
    as_json: bool,
    nothing: str,
) -> None:
    """Print a list; the first column is an id, never cut, for it is typed again."""
    if as_json:
        typer.echo(to_json(found))
        return
    if not found:
        typer.echo(nothing)
        return
    listing(columns, [row(one) for one in found])


def listing(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table, or below each other by name where the screen is too narrow for one."""
    console = Console(emoji=False)
    widths = _widths([columns, *rows], console.width)
    if widths is None:
        for cells in rows:
            console.print(_block(columns, cells))
        return
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column, wide in zip(columns, widths, strict=True):
        table.add_column(column, width=wide, overflow="fold")
    for cells in rows:
        # People's own words are neither markup nor emoji.
        table.add_row(*map(Text, cells))
    console.print(table)


def _widths(rows: Sequence[Sequence[str]], screen: int) -> list[int] | None:
    """How wide each column is, so that no word or number is broken; ``None`` where the screen is too narrow.

    What is short stands on one line first; sentences get the rest.
    """
    found, missing = [], []
    for cells in zip(*rows, strict=True):
        longest = max(map(len, cells))
        word = max(len(word) for cell in cells for word in cell.split() or [""])
        found.append(max(min(word, _LONGEST_WORD), min(longest, _LEAST_SENTENCE)))
        missing.append(longest - found[-1])
    room = screen - 2 * len(found) - sum(found)
    if room < 0:
        return None
    for column in sorted(range(len(found)), key=missing.__getitem__):
        more = min(missing[column], room)
        found[column] += more
        room -= more
    return found


def _block(columns: Sequence[str], cells: Sequence[str]) -> Padding:
    """One of a list on a narrow screen: its id, below that everything else by name."""
    text = Text(cells[0], style="bold")
    named = [(column, cell) for column, cell in zip(columns[1:], cells[1:], strict=True) if cell]
    for number, (column, cell) in enumerate(named):
        text.append(" · " if number else "\n", style="not bold")
        text.append(f"{column} ", style="not bold dim").append(cell, style="not bold")
    return Padding(text, (0, 0, 1, 0))
