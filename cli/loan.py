"""`tunggal loan`: one location lends stock to another and gets as much back."""

from __future__ import annotations

from typing import Annotated

import typer
from tunggal.inventory.v1 import movements_pb2 as pb
from tunggal.inventory.v1.movements_pb2_grpc import MovementServiceStub

from cli.errors import readable
from cli.movements import Item, Reason, Where, new_id, tabulate, tell, units, warn_past, word
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from cli.places import warn_unknown

app = typer.Typer(
    help="Lend stock between locations; owed is what arrived whole, until as much came back.",
    no_args_is_help=True,
)

LoanId = Annotated[str, typer.Argument(metavar="LOAN", help="Id of the loan.")]


@app.command()
@readable
def propose(
    lender: Annotated[str, typer.Argument(metavar="LENDER", help="Who lends, such as 32.15.")],
    borrower: Annotated[str, typer.Argument(metavar="BORROWER", help="Who borrows, such as 32.16.")],
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", min=1, help="Units.")],
    due: Annotated[str, typer.Option(metavar="DAY", help="Day by which it is given back: 2026-04-30.")],
    reason: Reason,
    operator: Operator,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Propose a loan."""
    warn_unknown(borrower)
    warn_past(due)
    request = pb.ProposeLoanRequest(
        request_id=new_id(),
        lender=lender,
        borrower=borrower,
        item=item,
        quantity=quantity,
        due=due,
        reason=reason,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = MovementServiceStub(channel).ProposeLoan(request).loan
    tell(made, f"{_said(made)}\nSomebody else: tunggal loan approve {made.loan_id}", as_json=as_json)


@app.command()
@readable
def approve(
    loan: LoanId,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a loan go ahead as a second person; its stock is set aside at the lender."""
    request = pb.ApproveLoanRequest(request_id=new_id(), loan_id=loan, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        answer = MovementServiceStub(channel).ApproveLoan(request)
    leaves = f"When it leaves: tunggal shipment dispatch {answer.allocation.allocation_id}"
    tell(answer, f"{_said(answer.loan)}\n{leaves}", as_json=as_json)


@app.command()
@readable
def reject(
    loan: LoanId,
    reason: Reason,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Refuse a loan as a second person."""
    request = pb.RejectLoanRequest(request_id=new_id(), loan_id=loan, reason=reason, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        refused = MovementServiceStub(channel).RejectLoan(request).loan
    tell(refused, _said(refused), as_json=as_json)


@app.command(name="return")
@readable
def give_back(
    loan: LoanId,
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", min=1, help="Units that go back.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Set stock of the borrower aside that goes back; the debt ends with the lender's receipt."""
    request = pb.ReturnLoanRequest(request_id=new_id(), loan_id=loan, quantity=quantity)
    with connect("inventory", inventory, tls_dir) as channel:
        answer = MovementServiceStub(channel).ReturnLoan(request)
    said = f"{units(quantity, answer.loan.item)} are set aside at {answer.loan.borrower}."
    leaves = f"When they leave: tunggal shipment dispatch {answer.allocation.allocation_id}"
    tell(answer, f"{said}\n{leaves}", as_json=as_json)


@app.command(name="list")
@readable
def listed(
    location: Where = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List loans with what is owed."""
    request = pb.ListLoansRequest(location=location)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(MovementServiceStub(channel).ListLoans, request, "loans")
    tabulate(
        found,
        ("Loan", "Lender", "Borrower", "What", "Owed", "Due", "State"),
        lambda one: (
            one.loan_id,
            one.lender,
            one.borrower,
            units(one.quantity, one.item),
            f"{one.owed:,}",
            one.due,
            word(pb.LoanState, one.state),
        ),
        as_json=as_json,
        nothing="No loan.",
    )


def _said(loan: pb.Loan) -> str:
    state = word(pb.LoanState, loan.state)
    return f"{loan.lender} lends {loan.borrower} {units(loan.quantity, loan.item)} until {loan.due}: {state}."
