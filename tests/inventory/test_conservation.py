"""Random histories against a tiny model: blanks are conserved, never negative, each step may be repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import stock_pb2

from services.common.clock import FixedClock
from services.common.errors import TunggalError
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office, new_id
from tests.inventory.signed_elsewhere import approving, entering

LOCATIONS = st.sampled_from([CENTRE, DKI, BEKASI, f"{BEKASI}:mall-01"])
CONTRACTS = ["KTP-2017-03", "KTP-2018-01"]
UIDS = st.sampled_from([f"04A1B2C{n}" for n in range(6)])


class Model:
    """The same inventory with a row per blank and no database: serial → (location, condition)."""

    def __init__(self) -> None:
        self.contracts: dict[str, int] = {}
        self.delivered: Counter[str] = Counter()
        self.blanks: dict[int, tuple[str, str]] = {}
        self.uids: set[str] = set()

    def free(self, location: str) -> list[int]:
        return sorted(serial for serial, at in self.blanks.items() if at == (location, "on_hand"))

    def put(self, serials: list[int], location: str, condition: str) -> None:
        self.blanks.update(dict.fromkeys(serials, (location, condition)))


def expand(allocation: stock_pb2.Allocation) -> list[int]:
    return [n for serials in allocation.serials for n in range(serials.first, serials.last + 1)]


class InventoryHistory(RuleBasedStateMachine):
    """Each rule predicts the outcome from the model, sends the request twice and compares."""

    allocations = Bundle("allocations")
    reservations = Bundle("reservations")

    @staticmethod
    def open_office() -> Office:
        """The test sets it."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.office = self.open_office()
        self.model = Model()
        self.allocated: dict[str, tuple[stock_pb2.Allocation, str]] = {}
        self.reserved: dict[str, tuple[int, str, str]] = {}

    def teardown(self) -> None:
        self.office.check_books()
        self.office.database.dispose()

    def send_twice(self, request: Any, refusal: str | None) -> Any:
        """The answer, the same both times; or the predicted refusal, the same both times."""
        answers, refusals = [], []
        for _ in range(2):
            try:
                answers.append(self.office.send(request))
            except TunggalError as error:
                refusals.append(error)
        assert [error.reason for error in refusals] == ([] if refusal is None else [refusal, refusal])
        assert all(error.field and error.remedy for error in refusals)
        assert answers[:1] == answers[1:]
        return answers[0] if answers else None

    @initialize(quantity=st.integers(1, 40))
    def sign_and_deliver(self, quantity: int) -> None:
        self.sign(CONTRACTS[0], quantity)
        self.deliver(CONTRACTS[0], 1, quantity)

    @rule(contract_id=st.sampled_from(CONTRACTS), quantity=st.integers(1, 40))
    def sign(self, contract_id: str, quantity: int) -> None:
        known = contract_id in self.model.contracts
        made = self.send_twice(entering(contract_id, quantity), "CONTRACT_EXISTS" if known else None)
        if made is not None:
            self.send_twice(approving(made.change_id), None)
        self.model.contracts.setdefault(contract_id, quantity)

    @rule(contract_id=st.sampled_from(CONTRACTS), first=st.integers(1, 90), length=st.integers(0, 20))
    def deliver(self, contract_id: str, first: int, length: int) -> None:
        serials = list(range(first, first + length))
        request = pb.ReceiveLotRequest(
            request_id=new_id(),
            contract_id=contract_id,
            delivery_note="SJ-1",
            serials=stock_pb2.SerialRange(first=first, last=first + length - 1),
        )
        owed = self.model.contracts.get(contract_id, 0) - self.model.delivered[contract_id]
        if not serials:
            refusal = "SERIAL_RANGE_REVERSED"
        elif contract_id not in self.model.contracts:
            refusal = "CONTRACT_UNKNOWN"
        elif length > owed:
            refusal = "MORE_THAN_OUTSTANDING"
        elif any(serial in self.model.blanks for serial in serials):
            refusal = "SERIALS_KNOWN"
        else:
            refusal = None
        if self.send_twice(request, refusal):
            self.model.delivered[contract_id] += length
            self.model.put(serials, CENTRE, "on_hand")

    @rule(target=allocations, source=LOCATIONS, receiver=LOCATIONS, quantity=st.integers(1, 25))
    def allocate(self, source: str, receiver: str, quantity: int) -> Any:
        request = pb.CreateAllocationRequest(
            request_id=new_id(),
            from_location=source,
            to_location=receiver,
            quantity=quantity,
            reason="equal run-out",
        )
        free = self.model.free(source)
        refusal = "INSUFFICIENT_STOCK" if quantity > len(free) else None
        answer = self.send_twice(request, "SAME_LOCATION" if source == receiver else refusal)
        if answer is None:
            return multiple()
        made = answer.allocation
        assert expand(made) == free[:quantity]
        self.model.put(free[:quantity], source, "allocated")
        self.allocated[made.allocation_id] = (made, "ALLOCATED")
        return made.allocation_id

    @rule(allocation_id=allocations, step=st.sampled_from(["Dispatch", "Receive", "Cancel"]))
    def advance(self, allocation_id: str, step: str) -> None:
        made, state = self.allocated[allocation_id]
        after = {"Dispatch": "DISPATCHED", "Receive": "RECEIVED", "Cancel": "CANCELLED"}[step]
        needed = "DISPATCHED" if step == "Receive" else "ALLOCATED"
        refusal = None
        if state != needed:
            refusal = f"ALLOCATION_ALREADY_{after}" if state == after else "WRONG_ALLOCATION_STATE"
        request = getattr(pb, f"{step}AllocationRequest")(request_id=new_id(), allocation_id=allocation_id)
        if step == "Cancel":
            request.reason = "not needed"
        answer = self.send_twice(request, refusal)
        if answer is None:
            return
        assert answer.allocation.serials == made.serials
        self.allocated[allocation_id] = (made, after)
        place = {
            "Dispatch": (made.to_location, "in_transit"),
            "Receive": (made.to_location, "on_hand"),
            "Cancel": (made.from_location, "on_hand"),
        }[step]
        self.model.put(expand(made), *place)

    @rule(target=reservations, location=LOCATIONS)
    def reserve(self, location: str) -> Any:
        free = self.model.free(location)
        request = pb.ReserveBlankRequest(request_id=new_id(), location=location, purpose="job")
        answer = self.send_twice(request, None if free else "INSUFFICIENT_STOCK")
        if answer is None:
            return multiple()
        assert answer.blank.serial == free[0]
        self.model.put(free[:1], location, "reserved")
        self.reserved[answer.blank.reservation_id] = (free[0], location, "HELD")
        return answer.blank.reservation_id

    @rule(
        reservation_id=st.one_of(reservations, consumes(reservations)),
        step=st.sampled_from(["Release", "Consume", "Spoil"]),
        uid=UIDS,
    )
    def end(self, reservation_id: str, step: str, uid: str) -> None:
        serial, location, state = self.reserved[reservation_id]
        request = getattr(pb, f"{step}BlankRequest")(request_id=new_id(), reservation_id=reservation_id)
        if step == "Release":
            request.reason = "applicant left"
        else:
            request.chip_uid = uid
        if step == "Spoil":
            request.reason = "bent"
        refusal = None
        if state != "HELD":
            refusal = f"RESERVATION_{state}"
        elif step != "Release" and uid in self.model.uids:
            refusal = "CHIP_UID_BOUND"
        answer = self.send_twice(request, refusal)
        if answer is None:
            return
        after, condition = {
            "Release": ("RELEASED", "on_hand"),
            "Consume": ("CONSUMED", "consumed"),
            "Spoil": ("SPOILED", "spoiled"),
        }[step]
        if step != "Release":
            self.model.uids.add(uid)
        self.reserved[reservation_id] = (serial, location, after)
        self.model.put([serial], location, condition)

    @rule(serial=st.integers(1, 110))
    def find(self, serial: int) -> None:
        if serial not in self.model.blanks:
            self.send_twice(pb.GetBlankRequest(serial=serial), "BLANK_UNKNOWN")
            return
        answer = self.send_twice(pb.GetBlankRequest(serial=serial), None)
        location, condition = self.model.blanks[serial]
        assert answer.blank.location == location
        assert stock_pb2.BlankState.Name(answer.blank.state) == f"BLANK_STATE_{condition.upper()}"
        last = f"{location}/{condition.replace('_', '-')}"
        accounts = [answer.custody[0].from_account, *(step.to_account for step in answer.custody)]
        assert accounts[-1] == last
        assert [step.from_account for step in answer.custody] == accounts[:-1]

    @invariant()
    def stock_is_what_the_model_says(self) -> None:
        stock = self.office.stock()
        found: Counter[tuple[str, str]] = Counter()
        for level in stock.levels:
            for field, count in level.ListFields():
                if field.name != "location":
                    assert count > 0
                    found[level.location, field.name] = count
        assert found == Counter(self.model.blanks.values())
        assert stock.contracted == sum(self.model.contracts.values())
        assert stock.delivered == self.model.delivered.total() == found.total()


@pytest.fixture(params=["sqlite", "postgresql"])
def history(
    request: pytest.FixtureRequest, new_database: Callable[[str], str], clock: FixedClock, as_operator: None
) -> tuple[Callable[[], Office], int]:
    """A way to open a new, empty office, and how many histories are worth the time on its database."""
    examples = {"sqlite": 20, "postgresql": 8}[request.param]
    return lambda: Office(new_database(request.param), clock), examples


def test_random_histories_conserve_every_blank(history: tuple[Callable[[], Office], int]) -> None:
    open_office, examples = history
    run_state_machine_as_test(
        type("History", (InventoryHistory,), {"open_office": staticmethod(open_office)}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
