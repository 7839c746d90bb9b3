"""`tunggal stock`: how much is where, in which condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

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
from cli.places import CENTRE, name_of, parent_of

#: Width of a screen that has room for what is zero everywhere.
_WIDE = 96
#: Always shown there.
_USUAL = ("on_hand", "allocated", "in_transit", "reserved", "consumed", "spoiled")
#: Shown where some location has some.
_RARE = ("pending", "withdrawn", "conveyed", "destroyed", "missing", "found")


@readable
def stock(
    location: Annotated[
        str, typer.Argument(metavar="[LOCATION]", help="ID, 32, 32.16 or 32.16:site; with all below it.")
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
    console = Console()
    console.print(_tree(answer.levels, location or CENTRE) if tree else _table(answer, console.width))
    outstanding = answer.contracted - answer.delivered
    console.print(
        f"Contracted {answer.contracted:,} = delivered {answer.delivered:,} + outstanding {outstanding:,} "
        "(whole country)"
    )


def _table(answer: inventory_pb2.GetStockResponse, width: int) -> Table:
    usual = _USUAL if width >= _WIDE else [each for each in _USUAL if getattr(answer.total, each)]
    shown = [*usual, *(rare for rare in _RARE if getattr(answer.total, rare))] or ["on_hand"]
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Location", no_wrap=True)
    for condition in shown:
        table.add_column(condition.replace("_", " ").capitalize(), justify="right", no_wrap=True)
    for level in answer.levels:
        table.add_row(level.location, *(f"{getattr(level, condition):,}" for condition in shown))
    table.add_section()
    table.add_row("Total", *(f"{getattr(answer.total, each):,}" for each in shown), style="bold")
    return table


def _tree(levels: Sequence[StockLevel], top: str) -> Tree:
    """Each place with its own stock, and with that of all below it where it has places below it."""
    own = {level.location: level for level in levels}
    places = set(own)
    for place in own:
        above = parent_of(place)
        while above is not None and above not in places:
            places.add(above)
            above = parent_of(above)
    places.add(top)
    below = {place: sorted(each for each in places if parent_of(each) == place) for place in places}

    def free(place: str) -> int:
        mine = own[place].on_hand if place in own else 0
        return mine + sum(free(each) for each in below[place])

    most = max(free(top), 1)

    def branch(place: str, into: Tree | None) -> Tree:
        label = _label(place, own.get(place), free(place) if below[place] else None, most)
        node = Tree(label, guide_style="dim") if into is None else into.add(label)
        for each in below[place]:
            branch(each, node)
        return node

    return branch(top, None)


def _label(place: str, level: StockLevel | None, with_below: int | None, most: int) -> Text:
    on_hand = level.on_hand if level is not None else 0
    label = Text()
    label.append(f"{place} ", style="bold")
    label.append(f"{name_of(place)}  ")
    label.append(f"{on_hand:,} free", style="red" if level is not None and on_hand == 0 else "green")
    if with_below is not None and with_below != on_hand:
        label.append(f" · {with_below:,} with all below", style="cyan")
    for condition, word in (
        ("allocated", "allocated"),
        ("in_transit", "under way here"),
        ("reserved", "reserved"),
        ("consumed", "became cards"),
        ("spoiled", "spoiled"),
        ("withdrawn", "came back"),
        ("conveyed", "under way here to be destroyed"),
        ("missing", "missing"),
    ):
        count = getattr(level, condition) if level is not None else 0
        if count:
            label.append(f" · {count:,} {word}", style="dim")
    label.append("  " + "▇" * round(20 * (with_below or on_hand) / most), style="green dim")
    return label
