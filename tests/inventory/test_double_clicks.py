"""The same paper booked twice, under two request ids: by a second click, or by a second clerk."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import contracts_pb2, ledger_pb2, movements_pb2, stock_pb2
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common.errors import TunggalError
from services.inventory import tables
from tests.inventory.at_once import all_at_once, outcome
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, Office

RIBBON = "RIB-2020"


@pytest.fixture
def ordered(office: Office) -> Office:
    """1,000 rolls of ribbon are ordered, and as many of film; none came yet."""
    for contract_id, item in ((RIBBON, "ribbon"), ("FILM-2020", "film")):
        terms = contracts_pb2.ContractTerms(
            kind=contracts_pb2.CONTRACT_KIND_CONSUMABLES,
            supplier="PT Pita",
            item=item,
            quantity=1000,
            currency="IDR",
        )
        office.draft(contract_id, terms)
        office.step(contract_id, "SIGN")
        office.step(contract_id, "ACTIVATE")
    return office


def supply(office: Office, note: str, contract_id: str = RIBBON, **fields: Any) -> Any:
    fields = {"location": BEKASI, "quantity": 100} | fields
    return office.do(
        contracts_pb2.ReceiveSupplyRequest, contract_id=contract_id, delivery_note=note, **fields
    )


def refused(office: Office, note: str, **fields: Any) -> TunggalError:
    before = office.balances()
    with pytest.raises(TunggalError) as error:
        supply(office, note, **fields)
    assert office.balances() == before
    return error.value


def supplied(office: Office) -> list[str]:
    with office.database.read() as connection:
        came = tables.transfer.c
        query = sa.select(came.transfer_id).where(came.kind == "supply.received").order_by(came.entry)
        return list(connection.scalars(query))


def test_a_delivery_note_is_booked_once_and_who_sends_it_again_is_told_where(ordered: Office) -> None:
    first = supply(ordered, "SJ-2020/9")
    for note in ("SJ-2020/9", " sj-2020/9 ", "ＳＪ-2020/9"):
        again = refused(ordered, note, location=CENTRE, quantity=90)
        assert (again.reason, again.field) == ("DELIVERY_NOTE_BOOKED", "delivery_note")
        assert "SJ-2020/9" in again.message
        assert f"100 ribbon to {BEKASI}" in again.message
        (booked,) = supplied(ordered)
        assert again.metadata["supply_id"] == first.supply_id
        assert again.metadata["transfer_id"] == booked
        assert booked in (again.remedy or "")
    assert ordered.balances(BEKASI) == {"32.16/ribbon/on-hand": 100}
    ordered.check_books()


def test_other_notes_and_the_same_note_of_another_contract_are_booked(ordered: Office) -> None:
    """One lorry brings ribbon and film with one note; they are two contracts."""
    supply(ordered, "SJ-9")
    supply(ordered, "SJ-9", "FILM-2020")
    supply(ordered, "SJ-91")
    assert ordered.balances(BEKASI) == {"32.16/ribbon/on-hand": 200, "32.16/film/on-hand": 100}


def test_a_note_that_was_booked_wrong_is_taken_back_and_booked_again(ordered: Office) -> None:
    for quantity in (10, 100):
        supply(ordered, "SJ-9", quantity=quantity)
        assert refused(ordered, "SJ-9", quantity=quantity).reason == "DELIVERY_NOTE_BOOKED"
        if quantity == 10:
            ordered.do(ledger_pb2.ReverseTransferRequest, transfer_id=supplied(ordered)[-1], reason="a zero")
    assert ordered.balances(BEKASI) == {"32.16/ribbon/on-hand": 100}
    ordered.check_books()


def test_eight_clerks_who_book_one_note_book_it_once(ordered: Office, replicas: list[Office]) -> None:
    answers = all_at_once(replicas, lambda at, _: outcome(lambda: supply(at, "SJ-9")))
    assert sorted(answers) == ["DELIVERY_NOTE_BOOKED"] * 7 + ["done"]
    assert ordered.balances(BEKASI) == {"32.16/ribbon/on-hand": 100}


def test_every_other_movement_with_a_paper_is_booked_once(ordered: Office) -> None:
    """Lots by their serials, shipments by what is still to be done with them, a return by the debt."""
    ordered.sign(1000)
    serials = stock_pb2.SerialRange(first=1, last=500)
    lot = {"contract_id": CONTRACT, "delivery_note": "SJ-1", "serials": serials}
    ordered.do(pb.ReceiveLotRequest, **lot)
    assert outcome(lambda: ordered.do(pb.ReceiveLotRequest, **lot)) == "SERIALS_KNOWN"
    loan = ordered.do(
        movements_pb2.ProposeLoanRequest,
        lender=CENTRE,
        borrower=BEKASI,
        item="blank",
        quantity=40,
        due="2030-01-01",
        reason="until the lorry comes",
        operator="siti",
    ).loan
    approval = {"loan_id": loan.loan_id, "operator": "budi"}
    sent = ordered.do(movements_pb2.ApproveLoanRequest, **approval).allocation
    again = outcome(lambda: ordered.do(movements_pb2.ApproveLoanRequest, **approval))
    assert again == "WRONG_LOAN_STATE"
    for step, reason in (
        (pb.DispatchAllocationRequest, "ALLOCATION_ALREADY_DISPATCHED"),
        (pb.ReceiveAllocationRequest, "ALLOCATION_ALREADY_RECEIVED"),
        (movements_pb2.ReceiveShipmentRequest, "ALLOCATION_ALREADY_RECEIVED"),
    ):
        for attempt in (1, 2):
            answer = outcome(partial(ordered.do, step, allocation_id=sent.allocation_id))
            assert answer == reason or (attempt == 1 and answer == "done")
    back = {"loan_id": loan.loan_id, "quantity": 40}
    ordered.do(movements_pb2.ReturnLoanRequest, **back)
    assert outcome(lambda: ordered.do(movements_pb2.ReturnLoanRequest, **back)) == "MORE_THAN_OWED"
    assert ordered.level(BEKASI) == {"allocated": 40}
    ordered.check_books()
