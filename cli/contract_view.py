"""How a contract is shown: its terms in words, what came, who agreed to what, what its vendor left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tunggal.inventory.v1 import contracts_pb2 as pb

from cli import money
from services.inventory.words import counted

_WIB: Final = timezone(timedelta(hours=7))
#: Width of a screen that has room for suppliers and for what is overdue.
_WIDE: Final = 104
#: Contracts whose vendor could lock the programme out.
_OF_THE_ABIS: Final = (pb.CONTRACT_KIND_ABIS_LICENCE, pb.CONTRACT_KIND_MAINTENANCE)
_NOT_BINDING: Final = (pb.CONTRACT_STATE_DRAFT, pb.CONTRACT_STATE_SIGNED)


def word(name_of: Callable[[Any], str], number: int) -> str:
    """The last words of an enumeration's name: CONTRACT_KIND_ABIS_LICENCE becomes "abis licence"."""
    return " ".join(name_of(number).lower().split("_")[2:])


def day_of(stamp: Timestamp) -> date:
    """The day of the ledger (Jakarta)."""
    return stamp.ToDatetime(UTC).astimezone(_WIB).date()


def today() -> date:
    """The day of the ledger now."""
    return datetime.now(_WIB).date()


def show_list(console: Console, files: Sequence[pb.ContractFile]) -> None:
    """A line for each contract; numbers are never cut, long names are."""
    wide = console.width >= _WIDE
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Contract", overflow="fold")
    for column in ("For", "State"):
        table.add_column(column, no_wrap=True)
    if wide:
        table.add_column("Supplier", overflow="fold")
    table.add_column("Delivered", justify="right", no_wrap=True)
    if wide:
        table.add_column("Overdue", justify="right", no_wrap=True)
    table.add_column("Until", no_wrap=True)
    for file in files:
        terms = file.terms
        late = Text(f"{file.overdue:,}", "red") if file.overdue else Text("–")
        table.add_row(
            Text(file.contract_id),
            word(pb.ContractKind.Name, terms.kind),
            word(pb.ContractState.Name, file.state),
            *([Text(terms.supplier)] if wide else []),
            f"{file.delivered:,} of {terms.quantity:,}" if terms.quantity else "–",
            *([late] if wide else []),
            terms.valid_until or "open",
        )
    console.print(table)


def show_file(console: Console, file: pb.ContractFile, received: Sequence[tuple[date, int]]) -> None:
    """All that is known of one contract."""
    console.print(_heading(file))
    console.print(_facts(file))
    if file.deliveries or received:
        console.print(_deliveries(file, received))
    if file.changes:
        console.print(_steps(file))
    for change in file.changes:
        if change.state == pb.CHANGE_STATE_PROPOSED:
            line = f"Waits for a second person: tunggal contract approve {change.change_id}"
            console.print(line, style="yellow", soft_wrap=True)
    for gone in file.reversed_lots:
        first, last = gone.lot.serials.first, gone.lot.serials.last
        note, day = gone.lot.delivery_note, day_of(gone.reverse_time)
        console.print(f"Lot {first}–{last} ({note}) was taken back on {day}: {gone.reason}", markup=False)
    for document in file.documents:
        by = f"attached by {_operator(document.attached_by)} on {day_of(document.attach_time)}"
        size = f"{document.size:,} bytes, " if document.size else ""
        console.print(f"Document {document.name}, {size}{by}", markup=False)
        console.print(f"    sha256 {document.sha256}", style="dim", soft_wrap=True)
    _show_register(console, file)


def show_history(console: Console, file: pb.ContractFile) -> None:
    """Everything that happened to the contract and was said of what its vendor leaves, oldest first."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("When (WIB)", "What", "Who"):
        table.add_column(column, no_wrap=True)
    table.add_column("Why", overflow="fold")
    for event in file.history:
        at = event.time.ToDatetime(UTC).astimezone(_WIB)
        table.add_row(f"{at:%Y-%m-%d %H:%M}", event.kind, _operator(event.person), Text(event.reason))
    console.print(table)


def _heading(file: pb.ContractFile) -> Text:
    kind, state = word(pb.ContractKind.Name, file.terms.kind), word(pb.ContractState.Name, file.state)
    return Text.assemble((file.contract_id, "bold"), f" {kind}, {state}, with {file.terms.supplier}")


def _facts(file: pb.ContractFile) -> Table:
    terms = file.terms
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    if terms.quantity:
        units = f"{terms.quantity:,} {terms.item}"
        rest = f"{file.outstanding:,} outstanding"
        if file.state == pb.CONTRACT_STATE_TERMINATED:
            rest = f"{terms.quantity - file.delivered:,} owed no more"
        if file.state in _NOT_BINDING:
            table.add_row("Units", f"{units}, none of them owed before it is active")
        else:
            table.add_row("Units", f"{units} = {file.delivered:,} delivered + {rest}")
        if file.overdue:
            table.add_row("Overdue", Text(f"{file.overdue:,}", "bold red"))
    if terms.price:
        table.add_row("Price", money.written(terms.currency, terms.price))
    table.add_row("Valid", _validity(file))
    if terms.kind == pb.CONTRACT_KIND_ABIS_LICENCE:
        people = f"{terms.max_people:,} people" if terms.max_people else "any number of people"
        searches = terms.max_searches_per_day
        table.add_row(
            "Licence", f"{people}, {f'{searches:,} searches a day' if searches else 'any number of searches'}"
        )
    if terms.succeeds or file.succeeded_by:
        followers = f"followed by {', '.join(file.succeeded_by)}" if file.succeeded_by else ""
        before = f"follows {terms.succeeds}" if terms.succeeds else ""
        table.add_row("Succession", Text("; ".join(filter(None, (before, followers)))))
    return table


def _validity(file: pb.ContractFile) -> Text:
    first, last = file.terms.valid_from, file.terms.valid_until
    if not first and not last:
        return Text("without an end")
    text = Text(f"{f'{first} ' if first else ''}to {last}" if last else f"from {first} on")
    if last and file.state == pb.CONTRACT_STATE_ACTIVE:
        left = (date.fromisoformat(last) - today()).days
        if left < 0:
            text.append(f" (ended {counted(-left, 'day')} ago)", "bold red")
        else:
            text.append(
                f" ({counted(left, 'day')} left)" if left else " (today is the last day)", _urgency(left)
            )
    return text


def _deliveries(file: pb.ContractFile, received: Sequence[tuple[date, int]]) -> Table:
    """What is due beside what came, a line a day: a delivery may have come as 100,000 lots."""
    came_on: Counter[date] = Counter()
    for day, units in received:
        came_on[day] += units
    days = sorted(came_on.items())
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("Due", "Received"):
        table.add_column(column, no_wrap=True)
        table.add_column("Units", justify="right", no_wrap=True)
    for row in range(max(len(file.deliveries), len(days))):
        due = file.deliveries[row] if row < len(file.deliveries) else None
        came = days[row] if row < len(days) else None
        table.add_row(
            due.due if due else "",
            f"{due.quantity:,}" if due else "",
            came[0].isoformat() if came else "",
            f"{came[1]:,}" if came else "",
        )
    return table


def _steps(file: pb.ContractFile) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("Step", "State", "Proposed", "Decided"):
        table.add_column(column, no_wrap=True)
    table.add_column("Terms and reason", overflow="fold")
    for change in file.changes:
        decided = _signed(change.decided_by, change.decide_time) if change.decided_by else "–"
        table.add_row(
            word(pb.ChangeKind.Name, change.kind),
            word(pb.ChangeState.Name, change.state),
            _signed(change.proposed_by, change.propose_time),
            decided,
            Text("\n").join([*_terms(file, change), Text(change.reason)]),
        )
    return table


def _terms(file: pb.ContractFile, change: pb.ContractChange) -> list[Text]:
    """What an amendment changes, a line a term: the second person must see what they approve, and an auditor
    what was agreed before.
    """
    lines = []
    for name, value in sorted(change.terms.items()):
        line = Text(f"{name.replace('_', ' ')}: {_value(file, name, value)}", "bold")
        if name in change.terms_before:
            between = "\n" if name == "deliveries" else " "
            line.append(
                f"{between}instead of {_value(file, name, change.terms_before[name])}", "not bold dim"
            )
        lines.append(line)
    return lines


def _value(file: pb.ContractFile, name: str, value: str) -> str:
    """The value of a term for people."""
    if name == "price":
        return money.written(file.terms.currency, int(value))
    if name == "deliveries":
        parts = (part.strip().partition(":") for part in value.split(",") if part.strip())
        return "".join(f"\n  {day} {int(units):>13,}" for day, _, units in parts) or "none"
    if name.startswith("max_") and not int(value):
        return "no ceiling"
    return f"{int(value):,}" if value.isdecimal() else value or "open"


def _show_register(console: Console, file: pb.ContractFile) -> None:
    register = file.exit_register
    if register.items:
        table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("Vendor leaves behind", overflow="fold")
        for column in ("State", "Said by"):
            table.add_column(column, no_wrap=True)
        table.add_column("Note", overflow="fold")
        for item in register.items:
            there = item.state == pb.EXIT_STATE_ATTESTED
            table.add_row(
                Text(f"{word(pb.ExitKind.Name, item.kind)}: {item.name}"),
                Text("attested", "green") if there else Text("missing", "red"),
                _signed(item.said_by, item.time),
                _proof(item),
            )
        console.print(table)
    if register.items or file.terms.kind in _OF_THE_ABIS:
        missing = Text(f"Its vendor has not left: {', '.join(register.missing)}", "red")
        console.print(Text("Its vendor has left everything.", "green") if register.complete else missing)


def _proof(item: pb.ExitItem) -> Text:
    """Where a thing is, and the hash of what proves it."""
    evidence = [Text(f"sha256 {item.evidence_sha256}", "dim")] if item.evidence_sha256 else []
    return Text("\n").join([*([Text(item.note)] if item.note else []), *evidence])


def _signed(signature: str, at: Timestamp) -> str:
    return f"{_operator(signature)}\n{day_of(at)}"


def _operator(signature: str) -> str:
    return signature.partition(":")[2] or signature


def _urgency(days_left: int) -> str:
    return "bold red" if days_left <= 30 else "yellow" if days_left <= 90 else "green"
