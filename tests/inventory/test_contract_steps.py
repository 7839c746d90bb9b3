"""What two people agreed on is what takes effect: no step rests on terms that were changed meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1 import ledger_pb2

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, InvalidArgument, TunggalError
from services.inventory import tables
from tests.inventory.inventory_office import CONTRACT, Office

LICENCE = "ABIS-2014-01"
#: The day of the clock.
TODAY = "2026-03-02"


def terms(kind: str, **fields: Any) -> pb.ContractTerms:
    values = {"supplier": "PT Sidik Jari", "currency": "IDR", **fields}
    return pb.ContractTerms(kind=pb.ContractKind.Value(f"CONTRACT_KIND_{kind}"), **values)


def blanks(quantity: int) -> pb.ContractTerms:
    return terms("BLANKS", item="blank", quantity=quantity)


def in_force(office: Office, contract_id: str, given: pb.ContractTerms, **more: Any) -> Any:
    office.draft(contract_id, given, **more)
    office.step(contract_id, "SIGN")
    return office.step(contract_id, "ACTIVATE")


def propose(office: Office, contract_id: str, kind: str, operator: str = "ani", **changed: str) -> str:
    change = office.do(
        pb.ProposeChangeRequest,
        contract_id=contract_id,
        kind=f"CHANGE_KIND_{kind}",
        terms=changed,
        reason="as agreed",
        operator=operator,
    ).change
    return str(change.change_id)


def approve(office: Office, change_id: str, operator: str = "budi") -> pb.ContractFile:
    found: pb.ContractFile = office.do(
        pb.ApproveChangeRequest, change_id=change_id, operator=operator
    ).contract
    return found


def read(office: Office, contract_id: str) -> pb.ContractFile:
    found: pb.ContractFile = office.send(pb.GetContractFileRequest(contract_id=contract_id)).contract
    return found


def states(file: pb.ContractFile) -> list[str]:
    return [pb.ChangeState.Name(change.state).removeprefix("CHANGE_STATE_") for change in file.changes]


def test_no_amendment_makes_a_maintenance_contract_owe_blanks(office: Office) -> None:
    in_force(office, "ATS-2015", terms("MAINTENANCE", valid_until="2026-12-31"))
    with pytest.raises(InvalidArgument):
        propose(office, "ATS-2015", "AMEND", quantity="1000")
    assert office.stock().contracted == 0
    assert office.balances() == {}


def test_deliveries_are_amended_with_the_quantity_or_alone(office: Office, clock: FixedClock) -> None:
    """A supplier who is late agrees on other days: what was due then is not overdue any more."""
    due = [pb.DueDelivery(due="2026-03-31", quantity=300), pb.DueDelivery(due="2026-04-30", quantity=700)]
    in_force(office, CONTRACT, blanks(1000), deliveries=due)
    clock.advance(timedelta(days=40))
    assert read(office, CONTRACT).overdue == 300
    later = office.step(CONTRACT, "AMEND", deliveries="2026-06-30:900, 2026-05-31:100")
    assert [(each.due, each.quantity) for each in later.deliveries] == [
        ("2026-05-31", 100),
        ("2026-06-30", 900),
    ]
    assert later.overdue == 0
    with pytest.raises(InvalidArgument) as error:
        propose(office, CONTRACT, "AMEND", quantity="600")
    assert error.value.reason == "MORE_DUE_THAN_CONTRACTED"
    less = office.step(CONTRACT, "AMEND", quantity="600", deliveries="2026-06-30:600")
    assert (less.outstanding, [each.quantity for each in less.deliveries]) == (600, [600])
    assert list(office.step(CONTRACT, "AMEND", deliveries="").deliveries) == []
    office.check_books()


def test_each_amendment_keeps_what_it_replaced(office: Office) -> None:
    office.draft(CONTRACT, blanks(100), deliveries=[pb.DueDelivery(due="2026-04-30", quantity=100)])
    office.step(CONTRACT, "AMEND", quantity="150", price="7")
    office.step(CONTRACT, "SIGN")
    office.step(CONTRACT, "ACTIVATE")
    changed = {"quantity": "200", "valid_until": "2026-12-31", "deliveries": "2026-05-31:200"}
    propose(office, CONTRACT, "AMEND", **changed)
    first, sign, _, second = read(office, CONTRACT).changes
    assert dict(first.terms_before) == {"quantity": "100", "price": "0"}
    assert dict(sign.terms_before) == {}
    assert dict(second.terms) == changed
    assert dict(second.terms_before) == {
        "quantity": "150",
        "valid_until": "",
        "deliveries": "2026-04-30:100",
    }
    assert approve(office, second.change_id).changes[-1].terms_before == second.terms_before


def test_a_quantity_below_what_came_is_refused_when_it_is_proposed(office: Office) -> None:
    in_force(office, CONTRACT, blanks(1000))
    office.deliver(1, 400)
    with pytest.raises(FailedPrecondition) as error:
        propose(office, CONTRACT, "AMEND", quantity="399")
    assert (error.value.reason, error.value.field) == ("DELIVERED_ALREADY", "terms")
    assert not [change for change in read(office, CONTRACT).changes if change.terms]


def test_what_comes_between_proposal_and_approval_counts(office: Office) -> None:
    in_force(office, CONTRACT, blanks(1000))
    change_id = propose(office, CONTRACT, "AMEND", quantity="300")
    office.deliver(1, 400)
    with pytest.raises(FailedPrecondition) as error:
        approve(office, change_id)
    assert error.value.reason == "DELIVERED_ALREADY"
    assert (read(office, CONTRACT).terms.quantity, read(office, CONTRACT).outstanding) == (1000, 600)


def test_a_second_amendment_of_the_same_terms_is_not_approved_unseen(office: Office) -> None:
    """Two proposals for 1,000 blanks; when one took effect, the other is for a contract that is gone."""
    in_force(office, CONTRACT, blanks(1000))
    more, dearer = (
        propose(office, CONTRACT, "AMEND", quantity="1500"),
        propose(office, CONTRACT, "AMEND", "citra", quantity="1200", price="77"),
    )
    assert approve(office, more).outstanding == 1500
    with pytest.raises(FailedPrecondition) as error:
        approve(office, dearer)
    assert error.value.reason == "CHANGE_DECIDED"
    assert error.value.metadata["state"] == "superseded"
    found = read(office, CONTRACT)
    assert (found.terms.quantity, found.terms.price, found.outstanding) == (1500, 0, 1500)
    assert states(found)[-2:] == ["APPROVED", "SUPERSEDED"]
    assert found.changes[-1].decided_by == "operator/cli:budi"
    assert found.history[-1].kind == "amend-superseded"


def test_nobody_signs_terms_that_were_changed_after_the_signature_was_proposed(office: Office) -> None:
    office.draft(CONTRACT, blanks(1000))
    signature = propose(office, CONTRACT, "SIGN")
    office.step(CONTRACT, "AMEND", price="999")
    with pytest.raises(FailedPrecondition) as error:
        approve(office, signature)
    assert error.value.metadata["state"] == "superseded"
    assert office.step(CONTRACT, "SIGN").state == pb.CONTRACT_STATE_SIGNED


def test_nothing_waits_for_a_second_person_after_the_end(office: Office) -> None:
    in_force(office, CONTRACT, blanks(1000))
    propose(office, CONTRACT, "AMEND", quantity="1500")
    propose(office, CONTRACT, "CLOSE")
    assert states(office.step(CONTRACT, "TERMINATE"))[-3:] == ["SUPERSEDED", "SUPERSEDED", "APPROVED"]


def test_a_rejected_step_leaves_the_others_as_they_are(office: Office) -> None:
    in_force(office, CONTRACT, blanks(1000))
    wrong, right = (propose(office, CONTRACT, "AMEND", quantity=q) for q in ("15000", "1500"))
    office.do(pb.RejectChangeRequest, change_id=wrong, reason="a zero too many", operator="budi")
    assert approve(office, right).outstanding == 1500


def test_reversals_of_lots_stand_beside_each_other_until_the_contract_ends(office: Office) -> None:
    in_force(office, CONTRACT, blanks(1000))
    lots = [office.deliver(first, first + 99) for first in (1, 101, 201)]
    back = [propose(office, CONTRACT, "REVERSE_LOT", lot_id=lot.lot_id) for lot in lots]
    office.step(CONTRACT, "AMEND", price="5")
    assert approve(office, back[0]).delivered == 200
    assert approve(office, back[1]).delivered == 100
    assert states(office.step(CONTRACT, "TERMINATE"))[4] == "SUPERSEDED"
    assert office.stock().total.on_hand == 100
    office.check_books()


def test_of_two_people_who_approve_at_once_at_two_replicas_one_does(
    office: Office, database_url: str, clock: FixedClock
) -> None:
    in_force(office, CONTRACT, blanks(1000))
    other = Office(database_url, clock)
    try:
        for round_ in range(5):
            change_id = propose(office, CONTRACT, "AMEND", quantity=str(1100 + round_))

            def attempt(at: Office, who: str, change_id: str = change_id) -> str:
                try:
                    approve(at, change_id, who)
                except TunggalError as error:
                    return error.reason
                return "approved"

            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(attempt, (office, other), ("budi", "citra")))
            assert sorted(answers) == ["CHANGE_DECIDED", "approved"]
            assert read(other, CONTRACT).outstanding == 1100 + round_
    finally:
        other.database.dispose()
    office.check_books()


def test_of_two_amendments_approved_at_once_one_counts(
    office: Office, database_url: str, clock: FixedClock
) -> None:
    in_force(office, CONTRACT, blanks(1000))
    other = Office(database_url, clock)
    try:
        first, second = (propose(office, CONTRACT, "AMEND", quantity=q) for q in ("1100", "1200"))

        def attempt(at: Office, change_id: str) -> int:
            try:
                return approve(at, change_id).outstanding
            except TunggalError:
                return 0

        with ThreadPoolExecutor(2) as pool:
            answers = set(pool.map(attempt, (office, other), (first, second)))
        assert answers in ({0, 1100}, {0, 1200})
        assert read(office, CONTRACT).outstanding == max(answers) == office.stock().contracted
    finally:
        other.database.dispose()
    office.check_books()


@pytest.mark.parametrize(
    "changed", [{"valid_until": "2026-03-01"}, {"valid_until": "2015-12-31"}, {"valid_from": "2026-03-03"}]
)
def test_no_amendment_takes_a_licence_out_of_force_behind_the_back_of_the_abis(
    office: Office, changed: dict[str, str]
) -> None:
    """What was done under it was done under it; an end at once is a termination."""
    licence = terms("ABIS_LICENCE", valid_from="2014-01-01", valid_until="2026-12-31")
    in_force(office, LICENCE, licence)
    with pytest.raises(FailedPrecondition) as error:
        propose(office, LICENCE, "AMEND", **changed)
    assert (error.value.reason, error.value.field) == ("OUT_OF_FORCE", "terms")
    assert "erminate" in (error.value.remedy or "")
    shorter = office.step(LICENCE, "AMEND", valid_until=TODAY)
    assert shorter.terms.valid_until == TODAY


def test_an_end_that_has_passed_before_it_was_approved_is_proposed_anew(
    office: Office, clock: FixedClock
) -> None:
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until="2026-12-31"))
    change_id = propose(office, LICENCE, "AMEND", valid_until=TODAY)
    clock.advance(timedelta(days=1))
    with pytest.raises(FailedPrecondition) as error:
        approve(office, change_id)
    assert error.value.reason == "OUT_OF_FORCE"
    assert read(office, LICENCE).terms.valid_until == "2026-12-31"


def test_a_licence_that_has_run_out_is_extended(office: Office, clock: FixedClock) -> None:
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until=TODAY))
    clock.advance(timedelta(days=5))
    with pytest.raises(FailedPrecondition):
        propose(office, LICENCE, "AMEND", valid_until="2026-03-05")
    assert office.step(LICENCE, "AMEND", valid_until="2026-12-31", max_people="7").terms.max_people == 7


def test_one_thing_of_the_exit_register_is_one_however_it_is_written(office: Office) -> None:
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until="2026-12-31"))

    def say(name: str, state: str) -> pb.ExitRegister:
        register: pb.ExitRegister = office.do(
            pb.RecordExitItemRequest,
            contract_id=LICENCE,
            kind=pb.EXIT_KIND_CREDENTIALS,
            name=name,
            state=f"EXIT_STATE_{state}",
            operator="dewi",
        ).exit_register
        return register

    say("root password", "MISSING")
    said = say(" Root  Password ", "ATTESTED")
    assert [(item.name, item.state) for item in said.items] == [("Root Password", pb.EXIT_STATE_ATTESTED)]
    assert list(said.missing) == ["source", "documentation", "data"]
    gone = say("ROOT PASSWORD", "MISSING")
    assert gone.missing[-1] == "credentials: ROOT PASSWORD"
    assert [item.name for item in gone.history] == ["root password", "Root Password", "ROOT PASSWORD"]
    assert list(say("root pass\uff57ord", "ATTESTED").missing) == ["source", "documentation", "data"]
    with pytest.raises(InvalidArgument) as error:
        say("   ", "ATTESTED")
    assert error.value.field == "name"


@pytest.mark.parametrize("end", ["TERMINATE", "CLOSE"])
def test_what_came_under_a_contract_that_has_ended_is_not_owed_again(office: Office, end: str) -> None:
    in_force(office, "RIB-2020", terms("CONSUMABLES", item="ribbon", quantity=40))
    received = {"contract_id": "RIB-2020", "location": "32.16"}
    for note in ("SJ-9", "SJ-10"):
        office.do(pb.ReceiveSupplyRequest, **received, delivery_note=note, quantity=20)
    with office.database.read() as connection:
        came = tables.transfer.c
        query = sa.select(came.transfer_id).where(came.kind == "supply.received").order_by(came.entry)
        first, second = connection.scalars(query)
    reverse = ledger_pb2.ReverseTransferRequest
    office.do(reverse, transfer_id=second, reason="counted twice")
    assert read(office, "RIB-2020").outstanding == 20
    if end == "CLOSE":
        office.do(pb.ReceiveSupplyRequest, **received, delivery_note="SJ-10", quantity=20)
    office.step("RIB-2020", end)
    with pytest.raises(FailedPrecondition) as error:
        office.do(reverse, transfer_id=first, reason="counted twice")
    assert (error.value.reason, error.value.field) == ("CONTRACT_ENDED", "transfer_id")
    assert read(office, "RIB-2020").outstanding == 0
    office.check_books()
