"""`tunggal spoilage` and `tunggal destruction`: what cannot be used, who agrees, its end before a witness."""

from __future__ import annotations

from typing import Annotated

import typer
from tunggal.inventory.v1 import spoilage_pb2 as pb
from tunggal.inventory.v1.conveyances_pb2 import GetScrapRequest
from tunggal.inventory.v1.conveyances_pb2_grpc import ConveyanceServiceStub
from tunggal.inventory.v1.spoilage_pb2_grpc import SpoilageServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.movements import (
    Item,
    Quantity,
    Reason,
    Serials,
    Where,
    new_id,
    person,
    ranges,
    tabulate,
    tell,
    units,
    word,
    written,
)
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every

app = typer.Typer(help="Book stock as spoiled, and review it as a second person.", no_args_is_help=True)
destruction = typer.Typer(
    help="Destroy spoiled stock and withdrawn cards before a witness who signs for it.", no_args_is_help=True
)

There = Annotated[str, typer.Argument(metavar="LOCATION", help="Where it is, such as 32.16.")]
DestructionId = Annotated[str, typer.Argument(metavar="DESTRUCTION", help="Id of the destruction.")]


@app.command()
@readable
def book(
    location: There,
    reason: Reason,
    operator: Operator,
    serials: Serials = "",
    quantity: Quantity = 0,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Book free stock as spoiled: a box that got wet, a roll that tore."""
    request = pb.SpoilStockRequest(
        request_id=new_id(),
        location=location,
        item=item,
        quantity=quantity,
        serials=ranges(serials),
        reason=reason,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        booked = SpoilageServiceStub(channel).SpoilStock(request).spoilage
    review = f'tunggal spoilage review {booked.spoilage_id} --accept --seen "…"'
    tell(
        booked,
        f"{units(booked.quantity, item)} at {location} are spoiled: {reason}\nSomebody else: {review}",
        as_json=as_json,
    )


@app.command()
@readable
def review(
    spoilage: Annotated[str, typer.Argument(metavar="SPOILAGE", help="Id of the spoilage.")],
    operator: Operator,
    accept: Annotated[bool, typer.Option("--accept/--question", help="Whether the reason holds.")],
    seen: Annotated[str, typer.Option(metavar="TEXT", help="What you have seen.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say as a second person whether the reason of a spoilage holds."""
    request = pb.ReviewSpoilageRequest(
        request_id=new_id(), spoilage_id=spoilage, accepted=accept, review=seen, operator=operator
    )
    with connect("inventory", inventory, tls_dir) as channel:
        said = SpoilageServiceStub(channel).ReviewSpoilage(request).spoilage
    sentence = f"{units(said.quantity, said.item)} at {said.location}: {word(pb.SpoilageState, said.state)}."
    if accept:
        item = "" if said.item == "blank" else f" --item {said.item}"
        sentence += f"\nWhat may be destroyed there: tunggal destruction candidates {said.location}{item}"
    tell(said, sentence, as_json=as_json)


@app.command(name="list")
@readable
def listed(
    location: Where = "",
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what nobody reviewed yet.")] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List spoilage with what its reviewers say."""
    state = pb.SPOILAGE_STATE_BOOKED if waiting else pb.SPOILAGE_STATE_UNSPECIFIED
    request = pb.ListSpoilageRequest(location=location, state=state)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(SpoilageServiceStub(channel).ListSpoilage, request, "spoilage")
    tabulate(
        found,
        ("Spoilage", "Where", "What", "Why", "Booked by", "State", "Reviewed by"),
        lambda one: (
            one.spoilage_id,
            one.location,
            units(one.quantity, one.item),
            one.reason,
            person(one.booked_by),
            word(pb.SpoilageState, one.state),
            ", ".join(person(each.reviewed_by) for each in one.reviews),
        ),
        as_json=as_json,
        nothing="No spoilage.",
    )


@destruction.command()
@readable
def candidates(
    location: There,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Tell what is there to be destroyed, or to be sent elsewhere for that."""
    request = GetScrapRequest(location=location, item=item)
    with connect("inventory", inventory, tls_dir) as channel:
        scrap = ConveyanceServiceStub(channel).GetScrap(request)
    cards = sum(one.last - one.first + 1 for one in scrap.withdrawn_serials)
    lines = [f"{units(scrap.spoiled, item)} spoiled at {location}; {scrap.unaccepted:,} wait for a reviewer."]
    lines += [f"  --serials {written(scrap.spoiled_serials, most=1000)}"] if scrap.spoiled_serials else []
    if cards:
        lines.append(f"{cards:,} cards that came back:")
        lines.append(f"  --serials {written(scrap.withdrawn_serials, most=1000)}")
    tell(scrap, "\n".join(lines), as_json=as_json)


@destruction.command()
@readable
def prepare(
    location: There,
    method: Annotated[str, typer.Option(metavar="TEXT", help="How: burned, shredded.")],
    operator: Operator,
    serials: Serials = "",
    quantity: Quantity = 0,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Write down what is to be destroyed; nothing moves before somebody else witnessed it."""
    request = pb.PrepareDestructionRequest(
        request_id=new_id(),
        location=location,
        item=item,
        quantity=quantity,
        serials=ranges(serials),
        method=method,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = SpoilageServiceStub(channel).PrepareDestruction(request).destruction
    _show(made, as_json=as_json)


@destruction.command()
@readable
def show(
    destruction_id: DestructionId,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show what is to be destroyed, or the signed protocol of what was."""
    with connect("inventory", inventory, tls_dir) as channel:
        request = pb.GetDestructionRequest(destruction_id=destruction_id)
        found = SpoilageServiceStub(channel).GetDestruction(request).destruction
    _show(found, as_json=as_json)


@destruction.command()
@readable
def witness(
    destruction_id: DestructionId,
    digest: Annotated[str, typer.Option(metavar="SHA256", help="Digest of what you read and saw destroyed.")],
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say that you saw it destroyed; the service signs the protocol."""
    request = pb.WitnessDestructionRequest(
        request_id=new_id(), destruction_id=destruction_id, prepared_sha256=digest, operator=operator
    )
    with connect("inventory", inventory, tls_dir) as channel:
        seen = SpoilageServiceStub(channel).WitnessDestruction(request).destruction
    _show(seen, as_json=as_json)


@destruction.command()
@readable
def withdraw(
    destruction_id: DestructionId,
    reason: Reason,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a prepared destruction go: it will not be done, or cannot be done as it was prepared."""
    request = pb.WithdrawDestructionRequest(
        request_id=new_id(), destruction_id=destruction_id, reason=reason, operator=operator
    )
    with connect("inventory", inventory, tls_dir) as channel:
        gone = SpoilageServiceStub(channel).WithdrawDestruction(request).destruction
    _show(gone, as_json=as_json)


@destruction.command(name="list")
@readable
def destructions(
    location: Where = "",
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for a witness.")] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List destructions."""
    request = pb.ListDestructionsRequest(location=location, prepared_only=waiting)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(SpoilageServiceStub(channel).ListDestructions, request, "destructions")
    tabulate(
        found,
        ("Destruction", "Where", "What", "Serials", "How", "Prepared by", "Outcome"),
        lambda one: (
            one.destruction_id,
            one.location,
            units(one.quantity, one.item),
            written(one.serials, most=2),
            one.method,
            person(one.prepared_by),
            _outcome(one),
        ),
        as_json=as_json,
        nothing="No destruction.",
    )


def _outcome(one: pb.Destruction) -> str:
    if one.witnessed_by:
        return f"witnessed by {person(one.witnessed_by)}"
    if one.withdrawn_by:
        return f"withdrawn by {person(one.withdrawn_by)}: {one.withdraw_reason}"
    return f"stale: {one.stale}" if one.stale else "waits for a witness"


def _show(one: pb.Destruction, *, as_json: bool) -> None:
    if as_json:
        typer.echo(to_json(one))
        return
    serials = f" ({written(one.serials)})" if one.serials else ""
    typer.echo(f"{units(one.quantity, one.item)}{serials} at {one.location}, {one.method}.")
    if not one.witnessed_by:
        typer.echo(f"Prepared by {person(one.prepared_by)}: {one.prepared}")
        if one.withdrawn_by:
            typer.echo(f"Withdrawn by {person(one.withdrawn_by)}: {one.withdraw_reason}")
            return
        if one.stale:
            typer.echo(f"It cannot be witnessed as it was prepared: {one.stale}")
            typer.echo(f"tunggal destruction withdraw {one.destruction_id} --reason …, then prepare it anew.")
            return
        typer.echo("Nothing moves before somebody else saw it destroyed:")
        typer.echo(f"tunggal destruction witness {one.destruction_id} --digest {one.prepared_sha256}")
        return
    typer.echo(f"Prepared by {person(one.prepared_by)}, digest {one.prepared_sha256}.")
    typer.echo(f"Witnessed by {person(one.witnessed_by)}; signed (Ed25519, key {one.key_id}): {one.protocol}")
    typer.echo(f"Signature: {one.signature.hex()}")
