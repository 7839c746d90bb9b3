"""What `tunggal contract` enters: drafts, scans, deliveries without serial numbers, what a vendor leaves."""

from __future__ import annotations

import hashlib
import re
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub

from cli.answers import to_json
from cli.contract_steps import ContractId
from cli.errors import readable
from cli.money import smallest
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.places import warn_unknown
from services.common.errors import InvalidArgument

_DUE = re.compile(r"(\d{4}-\d{2}-\d{2}):(\d{1,10})")


class Kind(StrEnum):
    """What a contract is for."""

    BLANKS = "blanks"
    CONSUMABLES = "consumables"
    ABIS_LICENCE = "abis-licence"
    MAINTENANCE = "maintenance"


class Left(StrEnum):
    """What a vendor has to leave behind."""

    CREDENTIALS = "credentials"
    SOURCE = "source"
    DOCUMENTATION = "documentation"
    DATA = "data"


@readable
def draft(
    contract_id: ContractId,
    operator: Operator,
    kind: Annotated[Kind, typer.Option(metavar="KIND", help=f"What it is for: {', '.join(Kind)}.")],
    supplier: Annotated[str, typer.Option(help="Supplier as the contract names it.")],
    item: Annotated[str, typer.Option(help="What is delivered: blank, ribbon, film.")] = "",
    quantity: Annotated[int, typer.Option(min=0, help="Units to be delivered.")] = 0,
    due: Annotated[
        list[str] | None, typer.Option(metavar="DAY:UNITS", help="A delivery due; may be repeated.")
    ] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "IDR",
    price: Annotated[
        str, typer.Option(metavar="AMOUNT", help="Whole price in that currency, such as 575000000000.")
    ] = "0",
    valid_from: Annotated[
        str, typer.Option(metavar="DAY", help="First day of its validity, such as 2017-01-01.")
    ] = "",
    valid_until: Annotated[
        str, typer.Option(metavar="DAY", help="Last day, included; licences and maintenance need it.")
    ] = "",
    max_people: Annotated[int, typer.Option(min=0, help="Unique people of a licence; 0 for no ceiling.")] = 0,
    max_searches: Annotated[
        int, typer.Option(min=0, help="Searches a day of a licence; 0 for no ceiling.")
    ] = 0,
    succeeds: Annotated[str, typer.Option(metavar="CONTRACT", help="Contract that this one follows.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Enter a contract as a draft; it binds nobody yet."""
    terms = pb.ContractTerms(
        kind=pb.ContractKind.Value(f"CONTRACT_KIND_{kind.name}"),
        supplier=supplier,
        item=item or ("blank" if kind is Kind.BLANKS else ""),
        quantity=quantity,
        currency=currency,
        price=smallest(currency, price),
        valid_from=valid_from,
        valid_until=valid_until,
        max_people=max_people,
        max_searches_per_day=max_searches,
        succeeds=succeeds,
    )
    request = pb.DraftContractRequest(
        request_id=str(uuid.uuid4()),
        contract_id=contract_id,
        terms=terms,
        deliveries=map(_delivery, due or ()),
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = ContractServiceStub(channel).DraftContract(request).contract
    _tell(
        made,
        f"Draft {contract_id} entered. Next:\ntunggal contract attach {contract_id} SCAN\n"
        f"tunggal contract propose {contract_id} sign --reason …",
        as_json,
    )


@readable
def attach(
    contract_id: ContractId,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The document.")],
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Attach a document by its hash; the document itself you keep elsewhere."""
    digest, size = _fingerprint(file)
    request = pb.AttachDocumentRequest(
        request_id=str(uuid.uuid4()),
        contract_id=contract_id,
        sha256=digest,
        name=file.name,
        size=size,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = ContractServiceStub(channel).AttachDocument(request).contract
    _tell(made, f"{file.name} attached: {size:,} bytes, SHA-256 {digest}", as_json)


@readable
def supply(
    contract_id: ContractId,
    quantity: Annotated[int, typer.Argument(metavar="UNITS", min=1, help="Units that came.")],
    delivery_note: Annotated[str, typer.Option(help="Number of the supplier's delivery note.")],
    location: Annotated[str, typer.Option(help="Where it arrived.")] = "ID",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Take a delivery of ribbon, film and the like into stock; blanks come by `tunggal import`."""
    warn_unknown(location)
    request = pb.ReceiveSupplyRequest(
        request_id=str(uuid.uuid4()),
        contract_id=contract_id,
        delivery_note=delivery_note,
        location=location,
        quantity=quantity,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = ContractServiceStub(channel).ReceiveSupply(request).contract
    _tell(
        made,
        f"{quantity:,} {made.terms.item} taken into stock at {location}; "
        f"{made.delivered:,} delivered, {made.outstanding:,} outstanding.",
        as_json,
    )


@readable
def left(
    contract_id: ContractId,
    kind: Annotated[Left, typer.Argument(metavar="KIND", help=", ".join(Left))],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is, such as 'root of the matcher'.")],
    operator: Operator,
    missing: Annotated[
        bool, typer.Option("--missing/--attested", help="Is it missing, or have you seen that it is there?")
    ],
    evidence: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="What proves it; its hash is kept.")
    ] = None,
    note: Annotated[str, typer.Option(help="Where it is kept, or why it is missing.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say of one thing whether the vendor has left it behind; the newest word counts."""
    request = pb.RecordExitItemRequest(
        request_id=str(uuid.uuid4()),
        contract_id=contract_id,
        kind=pb.ExitKind.Value(f"EXIT_KIND_{kind.name}"),
        name=name,
        state=pb.EXIT_STATE_MISSING if missing else pb.EXIT_STATE_ATTESTED,
        evidence_sha256=_fingerprint(evidence)[0] if evidence else "",
        note=note,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        register = ContractServiceStub(channel).RecordExitItem(request).exit_register
    still = f"Still missing: {', '.join(register.missing)}." if register.missing else "Nothing is missing."
    if as_json:
        typer.echo(to_json(register))
    else:
        typer.echo(f"{kind}: {name} is {'missing' if missing else 'there'}. {still}")


def _delivery(text: str) -> pb.DueDelivery:
    found = _DUE.fullmatch(text)
    if found is None:
        raise InvalidArgument(
            "DELIVERY_MALFORMED",
            f"{text!r} is no delivery.",
            field="due",
            remedy="Write the day and the units: --due 2017-04-30:3000000",
        )
    return pb.DueDelivery(due=found[1], quantity=int(found[2]))


def _fingerprint(file: Path) -> tuple[str, int]:
    """SHA-256 and size."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size


def _tell(contract: pb.ContractFile, sentence: str, as_json: bool) -> None:
    typer.echo(to_json(contract) if as_json else sentence)
