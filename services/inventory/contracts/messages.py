"""Contracts and entitlements as messages, and terms as values."""

from __future__ import annotations

from datetime import date, datetime

from tunggal.inventory.v1 import contracts_pb2 as pb

from services.common.moments import timestamp
from services.inventory import messages as stock
from services.inventory.adapter import by_number, day, day_or_none
from services.inventory.contracts import contract as contracts
from services.inventory.contracts import exit_register
from services.inventory.contracts.contract import (
    Change,
    ChangeKind,
    ChangeState,
    Contract,
    ContractKind,
    ContractState,
    Due,
)
from services.inventory.contracts.delivery import Lot
from services.inventory.contracts.entitlement import Entitlement, Use
from services.inventory.contracts.exit_register import ExitItem, ExitKind, ExitState
from services.inventory.contracts.store import ContractStore
from services.inventory.ledger import days
from services.inventory.ledger.serials import SerialRange

KINDS = {
    ContractKind.BLANKS: pb.CONTRACT_KIND_BLANKS,
    ContractKind.CONSUMABLES: pb.CONTRACT_KIND_CONSUMABLES,
    ContractKind.ABIS_LICENCE: pb.CONTRACT_KIND_ABIS_LICENCE,
    ContractKind.MAINTENANCE: pb.CONTRACT_KIND_MAINTENANCE,
}
STATES = {
    ContractState.DRAFT: pb.CONTRACT_STATE_DRAFT,
    ContractState.SIGNED: pb.CONTRACT_STATE_SIGNED,
    ContractState.ACTIVE: pb.CONTRACT_STATE_ACTIVE,
    ContractState.CLOSED: pb.CONTRACT_STATE_CLOSED,
    ContractState.TERMINATED: pb.CONTRACT_STATE_TERMINATED,
}
STEPS = {
    ChangeKind.SIGN: pb.CHANGE_KIND_SIGN,
    ChangeKind.ACTIVATE: pb.CHANGE_KIND_ACTIVATE,
    ChangeKind.AMEND: pb.CHANGE_KIND_AMEND,
    ChangeKind.CLOSE: pb.CHANGE_KIND_CLOSE,
    ChangeKind.TERMINATE: pb.CHANGE_KIND_TERMINATE,
    ChangeKind.TAKE_OVER: pb.CHANGE_KIND_TAKE_OVER,
    ChangeKind.REVERSE_LOT: pb.CHANGE_KIND_REVERSE_LOT,
}
_CHANGES = {
    ChangeState.PROPOSED: pb.CHANGE_STATE_PROPOSED,
    ChangeState.APPROVED: pb.CHANGE_STATE_APPROVED,
    ChangeState.REJECTED: pb.CHANGE_STATE_REJECTED,
    ChangeState.SUPERSEDED: pb.CHANGE_STATE_SUPERSEDED,
}
EXIT_KINDS = {
    ExitKind.CREDENTIALS: pb.EXIT_KIND_CREDENTIALS,
    ExitKind.SOURCE: pb.EXIT_KIND_SOURCE,
    ExitKind.DOCUMENTATION: pb.EXIT_KIND_DOCUMENTATION,
    ExitKind.DATA: pb.EXIT_KIND_DATA,
}
EXIT_STATES = {
    ExitState.ATTESTED: pb.EXIT_STATE_ATTESTED,
    ExitState.MISSING: pb.EXIT_STATE_MISSING,
}


def drafted(request: pb.DraftContractRequest, now: datetime) -> tuple[Contract, list[Due]]:
    """The draft that a request asks for; raises :class:`InvalidArgument` for a day that is none."""
    terms = request.terms
    contract = Contract(
        contract_id=request.contract_id,
        supplier=terms.supplier,
        quantity=terms.quantity,
        create_time=now,
        kind=by_number(KINDS)[terms.kind],
        state=ContractState.DRAFT,
        item=terms.item or None,
        currency=terms.currency,
        price=terms.price,
        valid_from=day_or_none(terms.valid_from, "terms.valid_from"),
        valid_until=day_or_none(terms.valid_until, "terms.valid_until"),
        max_people=terms.max_people,
        max_searches_per_day=terms.max_searches_per_day,
        succeeds=terms.succeeds or None,
    )
    dues = [
        Due(day(due.due, f"deliveries[{n}].due"), due.quantity) for n, due in enumerate(request.deliveries)
    ]
    return contract, dues


def summary(value: Contract, dues: list[Due], now: datetime) -> pb.ContractFile:
    """A contract with its terms and deliveries."""
    return pb.ContractFile(
        contract_id=value.contract_id,
        state=STATES[value.state],
        terms=pb.ContractTerms(
            kind=KINDS[value.kind],
            supplier=value.supplier,
            item=value.item or "",
            quantity=value.quantity,
            currency=value.currency,
            price=value.price,
            valid_from=_text(value.valid_from),
            valid_until=_text(value.valid_until),
            max_people=value.max_people,
            max_searches_per_day=value.max_searches_per_day,
            succeeds=value.succeeds or "",
        ),
        delivered=value.delivered,
        outstanding=value.outstanding,
        overdue=contracts.overdue(dues, value.delivered, days.day_of(now)) if value.outstanding else 0,
        deliveries=[pb.DueDelivery(due=_text(due.day), quantity=due.quantity) for due in dues],
    )


def file(value: Contract, store: ContractStore, now: datetime) -> pb.ContractFile:
    """A contract with all that is known of it."""
    found = summary(value, store.dues(value.contract_id), now)
    found.documents.extend(
        pb.Document(
            sha256=row.sha256,
            name=row.name,
            size=row.size,
            attached_by=row.person,
            attach_time=timestamp(row.at),
        )
        for row in store.attachments(value.contract_id)
    )
    found.changes.extend(change(proposed) for proposed in store.changes_of(value.contract_id))
    found.history.extend(
        pb.ContractEvent(kind=row.kind, person=row.person, reason=row.reason, time=timestamp(row.at))
        for row in store.history(value.contract_id)
    )
    found.reversed_lots.extend(
        pb.ReversedLot(
            lot=stock.lot(
                Lot(
                    gone.lot_id,
                    gone.contract_id,
                    gone.delivery_note,
                    SerialRange(gone.first, gone.last),
                    gone.receive_time,
                )
            ),
            transfer_id=gone.transfer_id,
            reason=gone.reason,
            reverse_time=timestamp(gone.reverse_time),
        )
        for gone in store.reversed_lots_of(value.contract_id)
    )
    found.succeeded_by.extend(store.successors(value.contract_id))
    found.exit_register.CopyFrom(register(value.contract_id, store.exit_register(value.contract_id)))
    return found


def change(value: Change) -> pb.ContractChange:
    """A proposed step."""
    return pb.ContractChange(
        change_id=value.change_id,
        contract_id=value.contract_id,
        kind=STEPS[value.kind],
        terms=value.terms,
        reason=value.reason,
        state=_CHANGES[value.state],
        proposed_by=value.proposed_by,
        propose_time=timestamp(value.propose_time),
        decided_by=value.decided_by or "",
        decide_time=timestamp(value.decide_time),
        terms_before=value.terms_before,
    )


def register(contract_id: str, said: list[ExitItem]) -> pb.ExitRegister:
    """What the vendor has handed over, and what not."""
    missing = exit_register.missing(said)
    return pb.ExitRegister(
        contract_id=contract_id,
        complete=not missing,
        missing=missing,
        items=map(_exit_item, exit_register.current(said)),
        history=map(_exit_item, said),
    )


def entitlement(value: Entitlement, use: Use | None, now: datetime) -> pb.Entitlement:
    """What the ABIS may do."""
    return pb.Entitlement(
        allowed=value.allowed,
        max_people=value.max_people,
        max_searches_per_day=value.max_searches_per_day,
        valid_until=_text(value.until),
        licence_until=_text(value.licence_until),
        maintenance_until=_text(value.maintenance_until),
        reason=value.reason,
        contract_ids=value.contracts,
        as_of=timestamp(now),
        people=use.people if use else 0,
        people_time=timestamp(use.time) if use else None,
    )


def _exit_item(value: ExitItem) -> pb.ExitItem:
    return pb.ExitItem(
        kind=EXIT_KINDS[value.kind],
        name=value.name,
        state=EXIT_STATES[value.state],
        evidence_sha256=value.evidence,
        note=value.note,
        said_by=value.person,
        time=timestamp(value.at),
    )


def _text(value: date | None) -> str:
    return "" if value is None else value.isoformat()
