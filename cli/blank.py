"""`tunggal blank`: where a blank is and who held it; cards that came back."""

from __future__ import annotations

import uuid
from datetime import UTC
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from tunggal.inventory.v1 import inventory_pb2, stock_pb2
from tunggal.inventory.v1 import withdrawals_pb2 as pb
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from tunggal.inventory.v1.withdrawals_pb2_grpc import WithdrawalServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.movements import listing, tabulate
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from cli.places import national_time

app = typer.Typer(help="Follow a blank, and take cards that come back.", no_args_is_help=True)


class Cause(StrEnum):
    """Why a card came back."""

    VOID = "void"
    REPLACED = "replaced"
    DECEASED = "deceased"
    FOUND = "found"


@app.callback()
def blank() -> None:
    """Follow a blank, and take cards that come back."""


@app.command()
@readable
def show(
    serial: Annotated[int, typer.Argument(min=1, help="Serial number printed on it.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show where a blank is and who held it, from the lot to the card or the fire."""
    with connect("inventory", inventory, tls_dir) as channel:
        answer = InventoryServiceStub(channel).GetBlank(inventory_pb2.GetBlankRequest(serial=serial))
    if as_json:
        typer.echo(to_json(answer))
        return
    found, console = answer.blank, Console(emoji=False)
    why = f" ({escape(found.spoil_reason)})" if found.spoil_reason else ""
    chip = f", chip {found.chip_uid}" if found.chip_uid else ""
    console.print(f"[bold]{serial}[/] is {_state(found.state)}{why} at {found.location}{chip}.")
    listing(
        ("When (WIB)", "What", "To", "By", "Why"),
        [
            (
                national_time(step.book_time.ToDatetime(UTC)),
                step.kind,
                step.to_account,
                step.actor.rpartition("/")[2],
                step.reason,
            )
            for step in answer.custody
        ],
    )


@app.command()
@readable
def withdraw(
    operator: Operator,
    location: Annotated[str, typer.Option("--at", metavar="LOCATION", help="Where it is held from now on.")],
    cause: Annotated[Cause, typer.Option(help="Why it came back.")],
    chip: Annotated[str, typer.Option(help="UID of its chip.")] = "",
    serial: Annotated[int, typer.Option(min=0, help="Serial number, where the chip is dead.")] = 0,
    note: Annotated[str, typer.Option(help="What is to be said of it.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Take a card that came back; it is held until it is destroyed before a witness."""
    with connect("inventory", inventory, tls_dir) as channel:
        request = pb.WithdrawCardRequest(
            request_id=str(uuid.uuid4()),
            chip_uid=chip.upper(),
            serial=serial,
            location=location,
            cause=pb.WithdrawalCause.Value(f"WITHDRAWAL_CAUSE_{cause.name}"),
            note=note,
            operator=operator,
        )
        taken = WithdrawalServiceStub(channel).WithdrawCard(request).withdrawal
    if as_json:
        typer.echo(to_json(taken))
        return
    Console(emoji=False).print(
        f"The card of blank {taken.serial}, made at {taken.made_at}, is held at {taken.location}."
    )


@app.command()
@readable
def withdrawn(
    location: Annotated[
        str, typer.Argument(metavar="LOCATION", help="Held there and below; everywhere unless given.")
    ] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List cards that came back, with what became of them."""
    with connect("inventory", inventory, tls_dir) as channel:
        list_withdrawals = WithdrawalServiceStub(channel).ListWithdrawals
        request = pb.ListWithdrawalsRequest(location=location)
        found: list[pb.Withdrawal] = every(list_withdrawals, request, "withdrawals")
    tabulate(
        found,
        ("Serial", "Cause", "Held at", "Since", "Taken by", "Now"),
        lambda taken: (
            str(taken.serial),
            pb.WithdrawalCause.Name(taken.cause).rpartition("_")[2].lower(),
            taken.held_at,
            national_time(taken.event_time.ToDatetime(UTC))[:10],
            taken.taken_by.partition(":")[2],
            _state(taken.state),
        ),
        as_json=as_json,
        nothing="No card came back.",
    )


def _state(state: stock_pb2.BlankState.ValueType) -> str:
    """The state in words: "on hand", "consumed"."""
    word = stock_pb2.BlankState.Name(state).removeprefix("BLANK_STATE_").lower().replace("_", " ")
    return "a card that is out" if state == stock_pb2.BLANK_STATE_CONSUMED else word
