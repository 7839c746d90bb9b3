"""What can be done with contracts: draft, two-person steps, amendments, exit register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.contracts import amendment, exit_register, lot_reversal
from services.inventory.contracts import contract as contracts
from services.inventory.contracts.contract import (
    Change,
    ChangeKind,
    ChangeState,
    Contract,
    ContractState,
    Due,
)
from services.inventory.contracts.exit_register import ExitItem, ExitKind, ExitState
from services.inventory.contracts.store import ContractStore
from services.inventory.contracts.terms import check_terms
from services.inventory.desk import Desk, Event
from services.inventory.fields import named
from services.inventory.ledger import days
from services.inventory.ledger.entries import Kind, Line, OverdrawnError
from services.inventory.people import require_other


@dataclass(frozen=True)
class Attachment:
    """A document, kept elsewhere, known here by its hash."""

    sha256: str
    name: str
    size: int


class ContractOffice:
    """Books what happens to contracts. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = ContractStore(desk.store.connection)
        self._now = desk.clerk.now
        self._today = days.day_of(self._now)

    def enter_signed(
        self, contract_id: str, supplier: str, quantity: int, scan_sha256: str, operator: str
    ) -> tuple[Contract, Change]:
        """Enter a contract for blanks that was signed elsewhere, with its scan: a draft, and the proposal to
        take it over.
        """
        contract = Contract(contract_id, supplier, quantity, self._now, state=ContractState.DRAFT)
        self.draft(contract, (), operator)
        self.attach(contract_id, Attachment(scan_sha256, "scan of the signed contract", 0), operator)
        reason = f"signed with {supplier}"
        return contract, self.propose(contract_id, ChangeKind.TAKE_OVER, {}, reason, operator)

    def draft(self, contract: Contract, dues: Sequence[Due], operator: str) -> Contract:
        """Enter a contract as a draft."""
        check_terms(contract, dues)
        if contract.item is not None:
            with named("terms.item"):
                self._desk.item(contract.item)
        if contract.succeeds is not None:
            self._store.locked(contract.succeeds, "terms.succeeds")
        self._add(contract, dues, self._desk.person(operator).signature, "drafted")
        return contract

    def propose(
        self, contract_id: str, kind: ChangeKind, terms: Mapping[str, str], reason: str, operator: str
    ) -> Change:
        """Propose a step; it changes nothing until somebody else approves it."""
        contract = self._store.locked(contract_id)
        contract.require_step(kind)
        before: dict[str, str] = {}
        if kind is ChangeKind.REVERSE_LOT:
            lot_reversal.find(self._desk, contract, terms)
        elif (kind is ChangeKind.AMEND) != bool(terms):
            raise InvalidArgument(
                "TERMS_DO_NOT_FIT",
                "An amendment names the terms that it changes; this step has none.",
                field="terms",
                remedy=f"An amendment may change: {', '.join(amendment.TERMS)}.",
            )
        elif terms:
            dues = self._store.dues(contract_id)
            amendment.amended(contract, dues, terms, self._today)
            before = amendment.stated(contract, dues, terms)
        change = Change(
            change_id=self._desk.clerk.new_id(),
            contract_id=contract_id,
            kind=kind,
            terms=dict(terms),
            reason=reason,
            state=ChangeState.PROPOSED,
            proposed_by=self._desk.person(operator).signature,
            propose_time=self._now,
            terms_before=before,
        )
        self._store.changes.add(change)
        self._tell(contract_id, f"{kind}-proposed", change.proposed_by, reason)
        return change

    def decide(self, change_id: str, approved: bool, reason: str, operator: str) -> tuple[Change, Contract]:
        """Approve or reject a proposed step; approved, it takes effect at once.

        Raises :class:`PermissionDenied` when the same operator proposed it, :class:`FailedPrecondition` when
        it no longer fits.
        """
        found = self._store.changes.get(change_id)
        if found is None:
            raise _unknown_change(change_id)
        contract = self._store.locked(found.contract_id)
        # Read again: whoever held the contract's lock before may have decided.
        change = self._store.changes.get(change_id)
        assert change is not None
        if change.state is not ChangeState.PROPOSED:
            raise FailedPrecondition(
                "CHANGE_DECIDED",
                f"This step was {change.state} before; the history of the contract tells why.",
                field="change_id",
                remedy="Propose it anew if it is still wanted.",
                metadata={"state": change.state},
            )
        person = self._desk.person(operator)
        require_other(person, change.proposed_by)
        state = ChangeState.APPROVED if approved else ChangeState.REJECTED
        change = self._end(change, state, person.signature, reason)
        if not approved:
            return change, contract
        with named("change_id"):
            return change, self._take(contract, change)

    def attach(self, contract_id: str, document: Attachment, operator: str) -> Contract:
        """Attach a document by its hash."""
        contract = self._store.locked(contract_id)
        person = self._desk.person(operator).signature
        self._store.attach(contract_id, document.sha256, document.name, document.size, person, self._now)
        self._tell(contract_id, "attached", person, f"{document.name} {document.sha256}")
        return contract

    def record_exit(
        self,
        contract_id: str,
        kind: ExitKind,
        name: str,
        state: ExitState,
        evidence: str,
        note: str,
        operator: str,
    ) -> list[ExitItem]:
        """Say of one thing that the vendor has handed it over, or not; the newest word counts."""
        self._store.locked(contract_id)
        thing = exit_register.plain_name(name)
        person = self._desk.person(operator).signature
        self._store.exit_items.add(
            ExitItem(contract_id, kind, thing, state, evidence, note, person, self._now)
        )
        self._tell(contract_id, f"exit-{state}", person, f"{kind}: {thing}")
        return self._store.exit_register(contract_id)

    def _take(self, contract: Contract, change: Change) -> Contract:
        """Let an approved step take effect."""
        after = contract.after(change.kind)
        event = Event(Kind.CONTRACT_AMENDED, contract.contract_id, change.reason)
        if change.kind is ChangeKind.AMEND:
            dues = self._store.dues(contract.contract_id)
            after, dues = amendment.amended(after, dues, change.terms, self._today)
            self._store.set_dues(contract.contract_id, dues)
            if contract.state is ContractState.ACTIVE:
                self._restate(contract, after.quantity - contract.quantity, event)
        elif change.kind is ChangeKind.REVERSE_LOT:
            lot = lot_reversal.find(self._desk, contract, change.terms)
            lot_reversal.reverse(self._desk, contract, lot, change.reason)
        elif change.kind is ChangeKind.SIGN:
            self._check_predecessor(contract)
        elif change.kind is ChangeKind.TAKE_OVER:
            self._check_scan(contract)
            self._check_predecessor(contract)
            self._promise(after, event._replace(kind=Kind.CONTRACT_SIGNED))
        elif change.kind is ChangeKind.ACTIVATE:
            self._promise(after, event._replace(kind=Kind.CONTRACT_SIGNED))
        elif change.kind is ChangeKind.CLOSE:
            self._check_closable(contract)
        elif contract.outstanding:
            self._restate(contract, -contract.outstanding, event._replace(kind=Kind.CONTRACT_TERMINATED))
        self._store.save(after)
        self._supersede(change, after)
        found = self._store.find(after.contract_id)
        assert found is not None
        return found

    def _supersede(self, taken: Change, after: Contract) -> None:
        """End the steps that were proposed for the contract as it was."""
        for waiting in self._store.changes_of(after.contract_id):
            if waiting.state is ChangeState.PROPOSED and not contracts.stands(
                waiting.kind, taken.kind, after
            ):
                assert taken.decided_by is not None
                reason = f"{taken.kind} took effect first"
                self._end(waiting, ChangeState.SUPERSEDED, taken.decided_by, reason)

    def _end(self, change: Change, state: ChangeState, person: str, reason: str) -> Change:
        """Keep what became of a proposed step."""
        ended = replace(change, state=state, decided_by=person, decide_time=self._now)
        self._store.changes.save(ended)
        self._tell(change.contract_id, f"{change.kind}-{state}", person, reason)
        return ended

    def _check_predecessor(self, contract: Contract) -> None:
        """Another vendor can follow only when the one before has handed everything over."""
        if contract.succeeds is None:
            return
        before = self._store.locked(contract.succeeds)
        if before.supplier != contract.supplier:
            said = self._store.exit_register(before.contract_id)
            exit_register.require_complete(before.contract_id, said, f"{contract.contract_id} is signed")

    def _check_scan(self, contract: Contract) -> None:
        if not self._store.attachments(contract.contract_id):
            raise FailedPrecondition(
                "SCAN_MISSING",
                f"Contract {contract.contract_id} has no document that shows who signed it.",
                field="change_id",
                remedy="Attach the hash of its scan with AttachDocument, then approve.",
            )

    def _check_closable(self, contract: Contract) -> None:
        if contract.outstanding:
            raise FailedPrecondition(
                "STILL_OUTSTANDING",
                f"Contract {contract.contract_id} has {contract.outstanding} units outstanding.",
                field="kind",
                remedy="Receive them, amend the quantity, or terminate the contract.",
                metadata={"outstanding": str(contract.outstanding)},
            )
        if contract.kind not in contracts.DELIVERING:
            said = self._store.exit_register(contract.contract_id)
            exit_register.require_complete(contract.contract_id, said, "it is closed")

    def _add(self, contract: Contract, dues: Sequence[Due], person: str, reason: str) -> None:
        contracts.check_number(contract.contract_id)
        if not self._store.add(contract):
            raise contracts.exists(contract.contract_id)
        self._store.set_dues(contract.contract_id, dues)
        self._tell(contract.contract_id, contract.state, person, reason)

    def _promise(self, contract: Contract, event: Event) -> None:
        if contract.kind in contracts.DELIVERING:
            self._restate(contract, contract.quantity, event)

    def _restate(self, contract: Contract, change: int, event: Event) -> None:
        """Let the supplier owe so many more, or fewer, than before."""
        if change == 0:
            return
        sides = (contract.contracted, contract.owed)
        source, target = sides if change > 0 else sides[::-1]
        try:
            self._desk.books.shift(source, target, abs(change))
        except OverdrawnError as short:
            raise amendment.delivered_already(contract.promised - short.balance) from short
        self._desk.record(event, [Line(source, target, abs(change))])

    def _tell(self, contract_id: str, kind: str, person: str, reason: str) -> None:
        self._store.tell(contract_id, kind, person, reason, self._now)


def _unknown_change(change_id: str) -> NotFound:
    return NotFound(
        "CHANGE_UNKNOWN",
        f"There is no proposed step {change_id}.",
        field="change_id",
        remedy="Send the change_id that ProposeChange answered.",
    )
