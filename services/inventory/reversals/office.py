"""Reversals that one person proposes and another approves."""

from __future__ import annotations

from dataclasses import replace

from services.inventory.desk import Desk
from services.inventory.fields import named
from services.inventory.movements.shipment_reversal import ShipmentReversal
from services.inventory.people import require_other
from services.inventory.reversals import reversal as reversals
from services.inventory.reversals.reversal import Reversal, ReversalState
from services.inventory.reversals.store import ReversalStore
from services.inventory.transfers.office import TransferOffice


class ReversalOffice:
    """Books reversals of two people. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = ReversalStore(desk.store.connection)

    def propose(self, transfer_id: str, allocation_id: str, reason: str, operator: str) -> Reversal:
        """Propose to take a transfer back or, where ``allocation_id`` is given, the last step of a shipment.

        Raises what taking it back at once would raise, but for what has moved on: that may come back first.
        """
        if allocation_id:
            booked = ShipmentReversal(self._desk).last_step(allocation_id)
        else:
            booked = TransferOffice(self._desk).reversible(transfer_id)
        made = Reversal(
            reversal_id=self._desk.clerk.new_id(),
            transfer_id=booked.transfer_id,
            allocation_id=allocation_id or None,
            kind=booked.kind,
            reason=reason,
            state=ReversalState.PROPOSED,
            proposed_by=self._desk.person(operator).signature,
            propose_time=self._desk.clerk.now,
        )
        self._store.reversals.add(made)
        return made

    def approve(self, reversal_id: str, operator: str) -> Reversal:
        """Take it back as a second person.

        Raises :class:`FailedPrecondition` when some of it has moved on, or when it is no longer the last step
        of its shipment.
        """
        before = self._open(reversal_id)
        after = self._decided(before, ReversalState.APPROVED, operator)
        with named("reversal_id"):
            self._carry_out(before)
        return after

    def reject(self, reversal_id: str, operator: str) -> Reversal:
        """Let stand what was booked, as a second person."""
        return self._decided(self._open(reversal_id), ReversalState.REJECTED, operator)

    def _carry_out(self, agreed: Reversal) -> None:
        if agreed.allocation_id is None:
            TransferOffice(self._desk).reverse(agreed.transfer_id, agreed.reason, agreed=True)
            return
        shipment = ShipmentReversal(self._desk)
        if shipment.last_step(agreed.allocation_id).transfer_id != agreed.transfer_id:
            raise reversals.stale(agreed)
        shipment.reverse(agreed.allocation_id, agreed.reason, agreed=True)

    def _decided(self, before: Reversal, state: ReversalState, operator: str) -> Reversal:
        person = self._desk.person(operator)
        require_other(person, before.proposed_by)
        after = replace(before, state=state, decided_by=person.signature, decide_time=self._desk.clerk.now)
        self._store.reversals.save(after)
        return after

    def _open(self, reversal_id: str) -> Reversal:
        found = self._store.reversals.locked(reversal_id, reversals.unknown)
        found.require_open()
        return found
