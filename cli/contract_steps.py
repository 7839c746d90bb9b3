"""Steps of `tunggal contract` that one person proposes and another approves."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

from cli.answers import to_json
from cli.contract_view import word
from cli.errors import readable
from cli.money import smallest
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from services.common.errors import InvalidArgument


class Step(StrEnum):
    """A step of a contract that one person proposes and another approves."""

    SIGN = "sign"
    ACTIVATE = "activate"
    AMEND = "amend"
    CLOSE = "close"
    TERMINATE = "terminate"
    TAKE_OVER = "take-over"


#: The term that people write in the currency of the contract and the service keeps in its smallest unit.
_PRICE = "price"

ContractId = Annotated[str, typer.Argument(metavar="CONTRACT", help="Number of the contract.")]
ChangeId = Annotated[str, typer.Argument(metavar="STEP", help="Id of the proposed step.")]


@readable
def take_over(
    contract_id: ContractId,
    operator: Operator,
    supplier: Annotated[str, typer.Option(help="Supplier as the contract names it.")],
    quantity: Annotated[int, typer.Option(min=1, help="Blanks contracted.")],
    scan: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Scan of the signed contract; its hash is kept.")
    ],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Enter a contract for blanks that was signed elsewhere, and propose to take it over."""
    request = inventory_pb2.CreateContractRequest(
        request_id=str(uuid.uuid4()),
        contract_id=contract_id,
        supplier=supplier,
        quantity=quantity,
        scan_sha256=hashlib.sha256(scan.read_bytes()).hexdigest(),
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = InventoryServiceStub(channel).CreateContract(request)
    _tell(made, as_json=as_json)


@readable
def reverse_lot(
    contract_id: ContractId,
    lot_id: Annotated[
        str, typer.Argument(metavar="LOT", help="Id of the lot (tunggal blank show N --json).")
    ],
    operator: Operator,
    reason: Annotated[str, typer.Option(help="Why.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Propose to take the receipt of a lot back; all of it must be free at the centre."""
    request = pb.ProposeChangeRequest(
        request_id=str(uuid.uuid4()),
        contract_id=contract_id,
        kind=pb.CHANGE_KIND_REVERSE_LOT,
        terms={"lot_id": lot_id},
        reason=reason,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = ContractServiceStub(channel).ProposeChange(request).change
    _tell(made, as_json=as_json)


@readable
def propose(
    contract_id: ContractId,
    step: Annotated[Step, typer.Argument(metavar="STEP", help=", ".join(Step))],
    operator: Operator,
    reason: Annotated[str, typer.Option(help="Why.")],
    term: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What an amendment changes: quantity, price, valid_from, valid_until, max_people, "
            "max_searches_per_day, or deliveries=2017-04-30:3000000,2017-06-30:4000000. May be repeated.",
        ),
    ] = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Propose a step: sign, activate, amend, close, terminate, or take over what was signed elsewhere."""
    terms = _terms(term or ())
    with connect("inventory", inventory, tls_dir) as channel:
        contracts = ContractServiceStub(channel)
        if _PRICE in terms:
            file = contracts.GetContractFile(pb.GetContractFileRequest(contract_id=contract_id)).contract
            terms[_PRICE] = str(smallest(file.terms.currency, terms[_PRICE]))
        request = pb.ProposeChangeRequest(
            request_id=str(uuid.uuid4()),
            contract_id=contract_id,
            kind=pb.ChangeKind.Value(f"CHANGE_KIND_{step.name}"),
            terms=terms,
            reason=reason,
            operator=operator,
        )
        made = contracts.ProposeChange(request).change
    _tell(made, as_json=as_json)


@readable
def approve(
    change_id: ChangeId,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Approve a proposed step as a second person; it takes effect at once."""
    request = pb.ApproveChangeRequest(request_id=str(uuid.uuid4()), change_id=change_id, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        file = ContractServiceStub(channel).ApproveChange(request).contract
    if as_json:
        typer.echo(to_json(file))
        return
    units = f": {file.delivered:,} delivered, {file.outstanding:,} outstanding" if file.terms.quantity else ""
    typer.echo(f"Approved. {file.contract_id} is {word(pb.ContractState.Name, file.state)}{units}.")


@readable
def reject(
    change_id: ChangeId,
    operator: Operator,
    reason: Annotated[str, typer.Option(help="Why.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Reject a proposed step as a second person."""
    request = pb.RejectChangeRequest(
        request_id=str(uuid.uuid4()), change_id=change_id, operator=operator, reason=reason
    )
    with connect("inventory", inventory, tls_dir) as channel:
        rejected = ContractServiceStub(channel).RejectChange(request).change
    typer.echo(to_json(rejected) if as_json else "Rejected.")


def _terms(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in map(_term, texts):
        if name in found:
            raise InvalidArgument(
                "TERM_TWICE", f"{name} is given twice.", field="term", remedy="Name each term once."
            )
        found[name] = value
    return found


def _term(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidArgument(
            "TERM_MALFORMED",
            f"{text!r} is no term.",
            field="term",
            remedy="Write its name and new value: --term quantity=8000000 --term valid_until=2018-12-31",
        )
    return name.strip(), value.strip()


def _tell(made: pb.ContractChange | inventory_pb2.CreateContractResponse, *, as_json: bool) -> None:
    if as_json:
        typer.echo(to_json(made))
        return
    Console(emoji=False).print(
        f"Proposed. A second person approves it: tunggal contract approve {made.change_id}",
        style="yellow",
        soft_wrap=True,
    )
