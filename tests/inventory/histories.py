"""Random histories of all movements: a tiny model foretells what each does; every request is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tunggal.inventory.v1 import counts_pb2, ledger_pb2, movements_pb2, reversals_pb2, spoilage_pb2

from services.common.clock import FixedClock
from services.common.errors import TunggalError
from services.inventory.ledger import days
from tests.inventory.histories_model import BLANKS, FEW, PLACES, ROLLS, Model, spans
from tests.inventory.inventory_office import Office, new_id


class MovementHistory(RuleBasedStateMachine):
    """Each rule predicts from the model what the request does, or why it is refused."""

    open_office: ClassVar[Callable[[FixedClock], Office]]
    start: ClassVar[datetime]

    def __init__(self) -> None:
        super().__init__()
        self.clock = FixedClock(self.start)
        self.office = type(self).open_office(self.clock)
        self.model = Model()
        self.pending: dict[str, tuple[list[int], str, str, datetime]] = {}
        self.moved: list[tuple[str, str, str, list[int], int]] = []
        self.booked: dict[str, datetime] = {}
        self.loans: dict[str, tuple[str, str, int]] = {}
        self.seen: list[tuple[datetime, dict[str, int]]] = []

    def teardown(self) -> None:
        for moment, balances in self.seen:
            assert self.stock(at=moment) == balances
        self.office.check_books()
        self.office.database.dispose()

    def stock(self, **fields: Any) -> dict[str, int]:
        promises = ("/contracted", "/outstanding", "/lent", "/borrowed")
        return {k: n for k, n in self.office.balances(**fields).items() if not k.endswith(promises)}

    def twice(self, refusal: str | None, request: type[Any], **fields: Any) -> Any:
        """The same answer both times, or the predicted refusal both times."""
        message = request(request_id=new_id(), **fields)
        outcomes = []
        for _ in range(2):
            try:
                outcomes.append(self.office.send(message))
            except TunggalError as error:
                outcomes.append(error.reason if error.field and error.remedy else "SAYS TOO LITTLE")
        assert outcomes[0] == outcomes[1]
        assert refusal == (outcomes[0] if isinstance(outcomes[0], str) else None)
        return None if refusal else outcomes[0]

    def take_back(self, refusal: str | None, booked: datetime, alone: type[Any], **subject: str) -> Any:
        """What was booked today is taken back alone, anything older by two people."""
        if days.day_of(booked) == days.day_of(self.clock.now()):
            return self.twice(refusal, alone, reason="mistake", **subject)
        self.twice("REVERSAL_NEEDS_TWO", alone, reason="mistake", **subject)
        made = self.office.do(
            reversals_pb2.ProposeReversalRequest, reason="mistake", operator="siti", **subject
        ).reversal
        approve = reversals_pb2.ApproveReversalRequest
        return self.twice(refusal, approve, reversal_id=made.reversal_id, operator="budi")

    @initialize()
    def deliver(self) -> None:
        self.office.sign(BLANKS)
        self.office.deliver(1, BLANKS)
        self.office.supply("ribbon", ROLLS)

    @rule(source=PLACES, receiver=PLACES, blanks=FEW, rolls=FEW)
    def transfer_together(self, source: str, receiver: str, blanks: int, rolls: int) -> None:
        free = self.model.at(source, "on-hand")
        short = len(free) < blanks or self.model.rolls[source, "on-hand"] < rolls
        refusal = "SAME_LOCATION" if source == receiver else "INSUFFICIENT_STOCK" if short else None
        orders = [
            ledger_pb2.NewTransfer(
                item=item, quantity=n, from_location=source, to_location=receiver, reason="need"
            )
            for item, n in (("blank", blanks), ("ribbon", rolls))
        ]
        answer = self.twice(refusal, ledger_pb2.PostTransfersRequest, transfers=orders)
        if answer is None:
            return
        self.model.put(free[:blanks], receiver, "on-hand")
        self.model.roll(rolls, (source, "on-hand"), (receiver, "on-hand"))
        for transfer, serials, n in zip(answer.transfers, (free[:blanks], []), (blanks, rolls), strict=True):
            self.moved.append((transfer.transfer_id, source, receiver, serials, n))
            self.booked[transfer.transfer_id] = self.clock.now()

    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        if not self.moved:
            return
        number = data.draw(st.integers(0, len(self.moved) - 1))
        transfer_id, source, target, serials, quantity = self.moved[number]
        free = self.model.at(target, "on-hand")
        refusal = None
        booked = self.booked[transfer_id]
        if serials:
            if len(free) < quantity:
                refusal = "INSUFFICIENT_STOCK"
            elif not set(serials) <= set(free):
                refusal = "SERIALS_NOT_THERE"
        elif self.model.rolls[target, "on-hand"] < quantity:
            refusal = "INSUFFICIENT_STOCK"
        request = ledger_pb2.ReverseTransferRequest
        if self.take_back(refusal, booked, request, transfer_id=transfer_id) is None:
            return
        del self.moved[number]
        self.twice("REVERSED_BEFORE", request, transfer_id=transfer_id, reason="again")
        if serials:
            self.model.put(serials, source, "on-hand")
        else:
            self.model.roll(quantity, (target, "on-hand"), (source, "on-hand"))

    @rule(place=PLACES, rolls=FEW)
    def use(self, place: str, rolls: int) -> None:
        refusal = None if self.model.rolls[place, "on-hand"] >= rolls else "INSUFFICIENT_STOCK"
        order = ledger_pb2.NewTransfer(item="ribbon", quantity=rolls, from_location=place, reason="printed")
        if self.twice(refusal, ledger_pb2.PostTransfersRequest, transfers=[order]):
            self.model.roll(rolls, (place, "on-hand"), (place, "consumed"))

    @rule(source=PLACES, receiver=PLACES, quantity=FEW, minutes=st.integers(1, 600))
    def open_pending(self, source: str, receiver: str, quantity: int, minutes: int) -> None:
        free = self.model.at(source, "on-hand")
        until = self.clock.now() + timedelta(minutes=minutes)
        order = ledger_pb2.NewTransfer(
            item="blank", quantity=quantity, from_location=source, to_location=receiver, reason="perhaps"
        )
        order.pending_until.FromDatetime(until)
        refusal = "INSUFFICIENT_STOCK" if len(free) < quantity else None
        answer = self.twice(
            "SAME_LOCATION" if source == receiver else refusal,
            ledger_pb2.PostTransfersRequest,
            transfers=[order],
        )
        if answer:
            self.model.put(free[:quantity], source, "pending")
            self.pending[answer.transfers[0].transfer_id] = (free[:quantity], source, receiver, until)

    @rule(data=st.data(), post=st.booleans())
    def decide(self, data: st.DataObject, post: bool) -> None:
        if not self.pending:
            return
        transfer_id = data.draw(st.sampled_from(sorted(self.pending)))
        serials, source, target, until = self.pending[transfer_id]
        fields = {} if post else {"reason": "not now"}
        request = ledger_pb2.PostPendingRequest if post else ledger_pb2.VoidPendingRequest
        refusal = "PENDING_EXPIRED" if until <= self.clock.now() else None
        if self.twice(refusal, request, transfer_id=transfer_id, **fields):
            del self.pending[transfer_id]
            self.model.put(serials, target if post else source, "on-hand")

    @rule(minutes=st.integers(1, 2000), awake=st.booleans())
    def time_passes(self, minutes: int, awake: bool) -> None:
        self.clock.advance(timedelta(minutes=minutes))
        if not awake:  # a downtime: what is due waits for the next start
            return
        self.office.upkeep.catch_up()
        for transfer_id, (serials, source, _, until) in list(self.pending.items()):
            if until <= self.clock.now():
                del self.pending[transfer_id]
                self.model.put(serials, source, "on-hand")

    @rule(source=PLACES, receiver=PLACES, quantity=FEW, data=st.data(), lend=st.booleans())
    def ship(self, source: str, receiver: str, quantity: int, data: st.DataObject, lend: bool) -> None:
        free = self.model.at(source, "on-hand")
        if source == receiver or len(free) < quantity:
            return
        loan_id = ""
        if lend:
            terms = {"item": "blank", "quantity": quantity, "due": "2027-01-01", "reason": "equal run-out"}
            loan = self.office.do(
                movements_pb2.ProposeLoanRequest, lender=source, borrower=receiver, operator="siti", **terms
            ).loan
            loan_id = loan.loan_id
            approved = self.twice(None, movements_pb2.ApproveLoanRequest, loan_id=loan_id, operator="budi")
            allocation_id = approved.allocation.allocation_id
        else:
            allocation_id = self.office.allocate(source, receiver, quantity).allocation_id
        self.office.dispatch(allocation_id)
        sent = free[:quantity]
        fate = data.draw(
            st.lists(st.sampled_from(["on-hand", "missing", "spoiled"]), min_size=quantity, max_size=quantity)
        )
        parts = {c: [s for s, f in zip(sent, fate, strict=True) if f == c] for c in ("missing", "spoiled")}
        self.twice(
            None,
            movements_pb2.ReceiveShipmentRequest,
            allocation_id=allocation_id,
            missing=movements_pb2.Parcel(serials=spans(parts["missing"])),
            damaged=movements_pb2.Parcel(serials=spans(parts["spoiled"])),
            operator="siti",
        )
        for serial, condition in zip(sent, fate, strict=True):
            self.model.put([serial], receiver, condition)
        if lend and "on-hand" in fate:
            self.loans[loan_id] = (source, receiver, fate.count("on-hand"))

    @rule(data=st.data(), quantity=FEW)
    def give_back(self, data: st.DataObject, quantity: int) -> None:
        if not self.loans:
            return
        loan_id = data.draw(st.sampled_from(sorted(self.loans)))
        lender, borrower, owed = self.loans[loan_id]
        free = self.model.at(borrower, "on-hand")
        short = "INSUFFICIENT_STOCK" if len(free) < quantity else None
        refusal = "MORE_THAN_OWED" if quantity > owed else short
        answer = self.twice(refusal, movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=quantity)
        if answer is None:
            return
        self.office.dispatch(answer.allocation.allocation_id)
        self.office.receive(answer.allocation.allocation_id)
        self.model.put(free[:quantity], lender, "on-hand")
        self.loans[loan_id] = (lender, borrower, owed - quantity)
        if owed == quantity:
            del self.loans[loan_id]

    @rule(place=PLACES, data=st.data(), late=st.booleans())
    def count(self, place: str, data: st.DataObject, late: bool) -> None:
        free, lost = self.model.at(place, "on-hand"), self.model.at(place, "missing")
        counted = sorted(
            [s for s in free if data.draw(st.integers(0, 5)) != 0]
            + [s for s in lost if data.draw(st.booleans())]
        )
        count_id = self.office.do(
            counts_pb2.BeginCountRequest, location=place, item="blank", operator="kepala"
        ).count.count_id
        for operator in ("siti", "budi"):
            self.twice(
                None,
                counts_pb2.SubmitCountRequest,
                count_id=count_id,
                serials=spans(counted),
                operator=operator,
            )
        moves = late and free
        if moves:
            held = self.office.reserve(place)
            self.office.release(held.reservation_id)
        answer = self.twice(
            "COUNT_STALE" if moves else None,
            counts_pb2.ApproveCountRequest,
            count_id=count_id,
            reason="searched",
            operator="inspektur",
        )
        if answer:
            assert (answer.missing, answer.found) == (
                len(set(free) - set(counted)),
                len(set(counted) - set(free)),
            )
            self.model.put([s for s in free if s not in counted], place, "missing")
            self.model.put(counted, place, "on-hand")

    @rule(place=PLACES, quantity=FEW)
    def spoil(self, place: str, quantity: int) -> None:
        chosen = self.model.at(place, "on-hand")[-quantity:]
        if chosen:
            self.twice(
                None,
                spoilage_pb2.SpoilStockRequest,
                location=place,
                item="blank",
                serials=spans(chosen),
                reason="wet",
                operator="siti",
            )
            self.model.put(chosen, place, "spoiled")

    @rule(place=PLACES)
    def destroy(self, place: str) -> None:
        chosen = self.model.at(place, "spoiled")
        if not chosen:
            return
        booked = self.office.send(
            spoilage_pb2.ListSpoilageRequest(location=place, state=spoilage_pb2.SPOILAGE_STATE_BOOKED)
        )
        for one in booked.spoilage:
            self.office.do(
                spoilage_pb2.ReviewSpoilageRequest,
                spoilage_id=one.spoilage_id,
                accepted=True,
                review="seen",
                operator="budi",
            )
        self.burn(chosen, place)

    def burn(self, chosen: list[int], place: str) -> None:
        """Prepare and witness a destruction."""
        made = self.office.do(
            spoilage_pb2.PrepareDestructionRequest,
            location=place,
            item="blank",
            serials=spans(chosen),
            method="burned",
            operator="siti",
        ).destruction
        self.twice(
            None,
            spoilage_pb2.WitnessDestructionRequest,
            destruction_id=made.destruction_id,
            prepared_sha256=made.prepared_sha256,
            operator="saksi",
        )
        self.model.put(chosen, place, "destroyed")

    @invariant()
    def the_books_are_those_of_the_model(self) -> None:
        found = self.stock()
        assert found == self.model.balances()
        owed = sum(owed for _, _, owed in self.loans.values())
        everything = self.office.balances(at=self.clock.now())
        assert sum(n for code, n in everything.items() if code.endswith("/lent")) == owed
        assert sum(everything.values()) == 0
        self.seen.append((self.clock.now(), found))
        self.clock.advance(timedelta(seconds=1))


def live(
    history: type[MovementHistory],
    open_office: Callable[[FixedClock], Office],
    start: datetime,
    *,
    examples: int,
    steps: int,
) -> None:
    """Live through so many histories of at most so many steps, each in an office of its own."""
    machine = type("History", (history,), {"open_office": staticmethod(open_office), "start": start})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
