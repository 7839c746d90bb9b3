"""`tunggal stock`: how much is where, in which condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Annotated, NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree
from tunggal.inventory.v1 import inventory_pb2
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from tunggal.inventory.v1.stock_pb2 import StockLevel

from cli.answers import to_json
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from cli.places import CENTRE, name_of, parent_of, require_known

#: Width of a screen that has room for what is zero everywhere.
_WIDE = 96
#: Always shown there.
_USUAL = ("on_hand", "allocated", "in_transit", "reserved", "consumed", "spoiled")
#: Shown where some location has some.
_RARE = ("pending", "withdrawn", "conveyed", "destroyed", "missing", "found")
#: What the tree says beside what is free.
_IN_WORDS = (
    ("allocated", "allocated"),
    ("in_transit", "under way here"),
    ("reserved", "reserved"),
    ("consumed", "became cards"),
    ("spoiled", "spoiled"),
    ("withdrawn", "came back"),
    ("conveyed", "under way here to be destroyed"),
    ("missing", "missing"),
)
#: Characters of a bar, of a name that says something, and of a number with its bar.
_BAR, _LEAST_NAME, _LEAST_NUMBERS = 8, 16, 28
#: A space at which no line is broken.
_FIRM = "\u00a0"


@readable
def stock(
    location: Annotated[
        str, typer.Argument(metavar="LOCATION", help="ID, 32, 32.16 or 32.16:site; with all below it.")
    ] = "",
    tree: Annotated[
        bool, typer.Option("--tree", help="Show provinces, regencies and sites as a tree.")
    ] = False,
    item: Annotated[str, typer.Option(help="Item, such as ribbon; blank cards unless given.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the stock of the whole country, or of one location and all below it."""
    with connect("inventory", inventory, tls_dir) as channel:
        request = inventory_pb2.GetStockRequest(location=location, item=item)
        answer = InventoryServiceStub(channel).GetStock(request)
    if as_json:
        typer.echo(to_json(answer))
        return
    if not answer.levels:
        require_known(location)
    console = Console(emoji=False, highlight=False)
    if not answer.levels:
        where = f"{location} {name_of(location)}".strip() or "the whole country"
        console.print(f"The books have no {item or 'blank'} in {where} yet.")
    elif tree:
        console.print(_tree(answer.levels, location or CENTRE, console.width))
    else:
        console.print(_table(answer, console.width))
    outstanding = answer.contracted - answer.delivered
    console.print(
        f"Contracted {answer.contracted:,} = delivered {answer.delivered:,} + outstanding {outstanding:,} "
        "(whole country)"
    )


def _table(answer: inventory_pb2.GetStockResponse, width: int) -> Table:
    place = max(len("Location"), *(len(level.location) for level in answer.levels))

    def room(shown: Sequence[str]) -> int:
        """Characters that are left for names beside these conditions; two part a column from the next."""
        numbers = (max(len(each), len(f"{getattr(answer.total, each):,}")) + 2 for each in shown)
        return width - place - 2 - sum(numbers)

    some = [each for each in (*_USUAL, *_RARE) if getattr(answer.total, each)] or ["on_hand"]
    more = [each for each in (*_USUAL, *_RARE) if each in (*_USUAL, *some)]
    shown = more if width >= _WIDE and room(more) >= 0 else some
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Location", no_wrap=True)
    names = room(shown) - 2 >= _LEAST_NAME
    if names:
        table.add_column("", no_wrap=True, overflow="ellipsis", max_width=min(room(shown) - 2, 40))
    for condition in shown:
        table.add_column(condition.replace("_", " ").capitalize(), justify="right", no_wrap=True)
    # The centre first: everything comes from there.
    for level in sorted(answer.levels, key=lambda each: (each.location != CENTRE, each.location)):
        table.add_row(
            level.location,
            *([name_of(level.location)] if names else []),
            *(f"{getattr(level, condition):,}" for condition in shown),
        )
    table.add_section()
    total = (f"{getattr(answer.total, each):,}" for each in shown)
    table.add_row("Total", *([""] if names else []), *total, style="bold")
    return table


class _Branch(NamedTuple):
    """A place in the tree: how deep, what it has itself, and how much is free there and below."""

    place: str
    depth: int
    level: StockLevel | None
    free: int
    below: list[_Branch]


def _tree(levels: Sequence[StockLevel], top: str, width: int) -> Tree:
    """Each place with what is free there and below, in one column; the bar compares it with its siblings."""
    own = {level.location: level for level in levels}
    places = {top, *own}
    for place in own:
        above = parent_of(place)
        while above is not None and above not in places:
            places.add(above)
            above = parent_of(above)
    inside: dict[str, list[str]] = {place: [] for place in places}
    for place in sorted(places - {top}):
        inside[parent_of(place) or CENTRE].append(place)

    def branch(place: str, depth: int) -> _Branch:
        below = [branch(each, depth + 1) for each in inside[place]]
        level = own.get(place)
        free = (level.on_hand if level else 0) + sum(each.free for each in below)
        return _Branch(place, depth, level, free, below)

    root = branch(top, 0)
    ends = [4 * each.depth + len(_named(each.place)) for each in _all(root)]
    column = min(max(ends), max(24, width - _LEAST_NUMBERS))

    def node(of: _Branch, most: int, into: Tree | None) -> Tree:
        label = _label(of, column, len(f"{root.free:,}"), most, width)
        made = Tree(label, guide_style="dim") if into is None else into.add(label)
        largest = max((each.free for each in of.below), default=0)
        for each in of.below:
            node(each, largest, made)
        return made

    return node(root, 0, None)


def _all(of: _Branch) -> Iterator[_Branch]:
    yield of
    for each in of.below:
        yield from _all(each)


def _named(place: str) -> str:
    """A site stands below its regency, which need not be named again."""
    return place if ":" in place else f"{place} {name_of(place)}".rstrip()


def _label(of: _Branch, column: int, digits: int, most: int, width: int) -> Text:
    room = column - 4 * of.depth
    name = _named(of.place)
    label = Text(no_wrap=True, overflow="ellipsis")
    label.append(name if len(name) <= room else f"{name[: room - 1]}…", style="bold" if of.below else "")
    label.append(" " * (max(room - len(name), 0) + 2))
    label.append(f"{of.free:>{digits},} free", style="green" if of.free else "red")
    label.append(f" {_bar(of.free, most)}", style="green dim")
    level = of.level
    details = [f"{of.free - level.on_hand:,} of it below"] if of.below and level and level.on_hand else []
    for condition, word in _IN_WORDS:
        if level is not None and getattr(level, condition):
            details.append(f"{getattr(level, condition):,} {word}")
    told = " · ".join(details)
    room = width - 4 * of.depth
    if len(label) + 1 + len(told) <= room:
        label.append(f" {told}", style="dim")
        return label
    # What is left out would not be missed, and half a number would be another number.
    label.rstrip()
    for line in wrap(told.replace(" ", _FIRM).replace(f"{_FIRM}·{_FIRM}", f"{_FIRM}· "), room - 2):
        label.append(f"\n  {line.replace(_FIRM, ' ')}", style="dim")
    return label


def _bar(part: int, most: int) -> str:
    """A bar of so many eighths of its full length."""
    eighths = round(8 * _BAR * part / most) if most else 0
    whole, rest = divmod(max(eighths, 1 if part and most else 0), 8)
    return ("█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(_BAR)
