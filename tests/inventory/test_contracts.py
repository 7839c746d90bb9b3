"""Contracts of every kind: two people for a step, what is due, what the vendor leaves, what the ABIS may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tunggal.inventory.v1 import contracts_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, InvalidArgument, PermissionDenied, TunggalError
from tests.inventory.inventory_office import CENTRE, Office

LICENCE = "ABIS-2014-01"
UPKEEP = "ATS-2015"


def terms(kind: str, **fields: Any) -> pb.ContractTerms:
    values = {"supplier": "PT Sidik Jari", "currency": "IDR", **fields}
    return pb.ContractTerms(kind=pb.ContractKind.Value(f"CONTRACT_KIND_{kind}"), **values)


def blanks(quantity: int, **fields: Any) -> pb.ContractTerms:
    return terms("BLANKS", item="blank", quantity=quantity, **fields)


def in_force(office: Office, contract_id: str, given: pb.ContractTerms) -> Any:
    office.draft(contract_id, given)
    office.step(contract_id, "SIGN")
    return office.step(contract_id, "ACTIVATE")


def entitlement(office: Office) -> pb.Entitlement:
    found: pb.Entitlement = office.send(pb.GetEntitlementRequest()).entitlement
    return found


def read(office: Office, contract_id: str) -> pb.ContractFile:
    found: pb.ContractFile = office.send(pb.GetContractFileRequest(contract_id=contract_id)).contract
    return found


def refused(office: Office, request: type[Any], /, **fields: Any) -> TunggalError:
    with pytest.raises(TunggalError) as error:
        office.do(request, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value


def test_a_contract_is_drafted_signed_activated_delivered_and_closed(office: Office) -> None:
    drafted = office.draft("KTP-2017-03", blanks(1000, price=9_500_000_00))
    assert (drafted.state, drafted.outstanding) == (pb.CONTRACT_STATE_DRAFT, 0)
    assert office.step("KTP-2017-03", "SIGN").state == pb.CONTRACT_STATE_SIGNED
    active = office.step("KTP-2017-03", "ACTIVATE")
    assert (active.state, active.delivered, active.outstanding) == (pb.CONTRACT_STATE_ACTIVE, 0, 1000)

    office.deliver(1, 1000)
    closed = office.step("KTP-2017-03", "CLOSE")
    assert (closed.state, closed.delivered, closed.outstanding) == (pb.CONTRACT_STATE_CLOSED, 1000, 0)
    assert [event.kind for event in closed.history] == [
        "draft",
        *(f"{step}-{what}" for step in ("sign", "activate", "close") for what in ("proposed", "approved")),
    ]
    assert {event.person for event in closed.history} == {"operator/cli:ani", "operator/cli:budi"}
    office.check_books()


def test_nobody_approves_what_they_proposed(office: Office) -> None:
    office.draft("KTP-2017-03", blanks(1000))
    change = office.do(
        pb.ProposeChangeRequest,
        contract_id="KTP-2017-03",
        kind=pb.CHANGE_KIND_SIGN,
        reason="tender won",
        operator="ani",
    ).change
    error = refused(office, pb.ApproveChangeRequest, change_id=change.change_id, operator="Ani")
    assert isinstance(error, PermissionDenied)
    assert (error.reason, error.field) == ("SECOND_PERSON_NEEDED", "operator")
    assert read(office, "KTP-2017-03").state == pb.CONTRACT_STATE_DRAFT
    rejected = office.do(
        pb.RejectChangeRequest, change_id=change.change_id, reason="price too high", operator="budi"
    ).change
    assert rejected.state == pb.CHANGE_STATE_REJECTED
    late = refused(office, pb.ApproveChangeRequest, change_id=change.change_id, operator="citra")
    assert late.reason == "CHANGE_DECIDED"


def test_no_lot_is_taken_under_a_contract_that_is_not_active(office: Office) -> None:
    office.draft("KTP-2017-03", blanks(1000))
    with pytest.raises(FailedPrecondition) as error:
        office.deliver(1, 10)
    assert error.value.reason == "CONTRACT_DELIVERS_NOTHING_LIKE_IT"
    assert office.level(CENTRE) == {}


@pytest.mark.parametrize("step", ["ACTIVATE", "CLOSE", "TERMINATE"])
def test_steps_come_in_their_order(office: Office, step: str) -> None:
    office.draft("KTP-2017-03", blanks(1000))
    error = refused(
        office,
        pb.ProposeChangeRequest,
        contract_id="KTP-2017-03",
        kind=f"CHANGE_KIND_{step}",
        reason="now",
        operator="ani",
    )
    assert error.reason == "WRONG_CONTRACT_STATE"


def test_an_amendment_changes_what_the_supplier_owes(office: Office) -> None:
    in_force(office, "KTP-2017-03", blanks(1000))
    office.deliver(1, 400)
    assert office.step("KTP-2017-03", "AMEND", quantity="1500").outstanding == 1100
    assert office.step("KTP-2017-03", "AMEND", quantity="400", price="77").outstanding == 0
    found = read(office, "KTP-2017-03")
    assert (found.terms.quantity, found.terms.price, found.delivered) == (400, 77, 400)
    assert [dict(change.terms) for change in found.changes if change.terms] == [
        {"quantity": "1500"},
        {"quantity": "400", "price": "77"},
    ]
    with pytest.raises(FailedPrecondition) as error:
        office.step("KTP-2017-03", "AMEND", quantity="399")
    assert error.value.reason == "DELIVERED_ALREADY"
    office.check_books()


def test_what_a_terminated_contract_still_owed_is_owed_no_more(office: Office) -> None:
    in_force(office, "KTP-2017-03", blanks(1000))
    office.deliver(1, 400)
    ended = office.step("KTP-2017-03", "TERMINATE")
    assert (ended.state, ended.outstanding) == (pb.CONTRACT_STATE_TERMINATED, 0)
    assert office.stock().contracted == 400
    with pytest.raises(FailedPrecondition):
        office.deliver(401, 410)
    office.check_books()


def test_a_contract_with_blanks_outstanding_cannot_be_closed(office: Office) -> None:
    in_force(office, "KTP-2017-03", blanks(1000))
    with pytest.raises(FailedPrecondition) as error:
        office.step("KTP-2017-03", "CLOSE")
    assert error.value.reason == "STILL_OUTSTANDING"


def test_deliveries_that_are_late_show(office: Office, clock: FixedClock) -> None:
    due = [pb.DueDelivery(due="2026-03-31", quantity=300), pb.DueDelivery(due="2026-04-30", quantity=700)]
    office.draft("KTP-2017-03", blanks(1000), deliveries=due)
    office.step("KTP-2017-03", "SIGN")
    office.step("KTP-2017-03", "ACTIVATE")
    office.deliver(1, 250)
    assert read(office, "KTP-2017-03").overdue == 0
    clock.advance(timedelta(days=30))
    assert read(office, "KTP-2017-03").overdue == 50
    clock.advance(timedelta(days=30))
    assert read(office, "KTP-2017-03").overdue == 750


def test_a_supplier_answers_for_the_deliveries_of_one_contract_and_not_of_others(
    office: Office, clock: FixedClock
) -> None:
    for contract_id, quantity in (("KTP-2017-03", 100), ("KTP-2017-04", 30)):
        due = [pb.DueDelivery(due="2026-03-31", quantity=quantity)]
        office.draft(contract_id, blanks(quantity), deliveries=due)
        office.step(contract_id, "SIGN")
        office.step(contract_id, "ACTIVATE")
    clock.advance(timedelta(days=30))
    for contract_id, quantity in (("KTP-2017-03", 100), ("KTP-2017-04", 30)):
        told = read(office, contract_id)
        assert [each.quantity for each in told.deliveries] == [quantity]
        assert told.overdue == quantity


def test_ribbon_comes_by_units_and_no_more_than_was_ordered(office: Office) -> None:
    in_force(office, "RIB-2020", terms("CONSUMABLES", item="ribbon", quantity=40))

    def receive(quantity: int) -> Any:
        return office.do(
            pb.ReceiveSupplyRequest,
            contract_id="RIB-2020",
            delivery_note="SJ-9",
            location="32.16",
            quantity=quantity,
        )

    assert receive(30).contract.outstanding == 10
    with pytest.raises(FailedPrecondition) as error:
        receive(11)
    assert error.value.reason == "MORE_THAN_OUTSTANDING"
    assert office.balances("32.16") == {"32.16/ribbon/on-hand": 30}
    assert office.stock().total.on_hand == 0
    office.check_books()


def test_a_licence_delivers_no_rolls(office: Office) -> None:
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until="2026-12-31"))
    delivery = {"contract_id": LICENCE, "delivery_note": "SJ-9", "location": "32.16", "quantity": 1}
    assert refused(office, pb.ReceiveSupplyRequest, **delivery).reason == (
        "CONTRACT_DELIVERS_NOTHING_LIKE_IT"
    )


def test_documents_are_known_by_their_hash(office: Office) -> None:
    office.draft("KTP-2017-03", blanks(1000))
    for _ in range(2):
        office.do(
            pb.AttachDocumentRequest,
            contract_id="KTP-2017-03",
            sha256="ab" * 32,
            name="kontrak.pdf",
            size=120_000,
            operator="ani",
        )
    office.step("KTP-2017-03", "SIGN")
    found = read(office, "KTP-2017-03")
    (document,) = found.documents
    assert (document.name, document.size, document.attached_by) == (
        "kontrak.pdf",
        120_000,
        "operator/cli:ani",
    )
    assert [(told.kind, told.person) for told in found.history] == [
        ("draft", "operator/cli:ani"),
        *[("attached", "operator/cli:ani")] * 2,
        ("sign-proposed", "operator/cli:ani"),
        ("sign-approved", "operator/cli:budi"),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (terms("BLANKS", item="blank"), "terms.quantity"),
        (terms("BLANKS", item="ribbon", quantity=5), "terms.item"),
        (terms("MAINTENANCE"), "terms.valid_until"),
        (terms("MAINTENANCE", valid_until="2015-12-31", quantity=1, item="blank"), "terms.quantity"),
        (blanks(5, max_people=10), "terms.max_people"),
        (blanks(5, valid_from="2015-12-31", valid_until="2015-01-01"), "terms.valid_until"),
        (blanks(5, valid_until="2015-02-30"), "terms.valid_until"),
        (terms("CONSUMABLES", item="paper", quantity=5), "terms.item"),
        (blanks(5, succeeds="KTP-1999"), "terms.succeeds"),
    ],
)
def test_terms_that_do_not_fit_are_refused(office: Office, given: pb.ContractTerms, field: str) -> None:
    with pytest.raises(TunggalError) as error:
        office.draft("KTP-2017-03", given)
    assert error.value.field == field
    with pytest.raises(TunggalError):
        read(office, "KTP-2017-03")


@pytest.mark.parametrize("changed", [{"supplier": "x"}, {"quantity": "-5"}, {"quantity": "many"}, {}])
def test_an_amendment_names_terms_that_can_be_amended(office: Office, changed: dict[str, str]) -> None:
    in_force(office, "KTP-2017-03", blanks(1000))
    with pytest.raises(InvalidArgument) as error:
        office.step("KTP-2017-03", "AMEND", **changed)
    assert error.value.field == "terms"


def attest(
    office: Office, contract_id: str, kind: str, state: str = "ATTESTED", name: str = "all of it"
) -> Any:
    return office.do(
        pb.RecordExitItemRequest,
        contract_id=contract_id,
        kind=f"EXIT_KIND_{kind}",
        name=name,
        state=f"EXIT_STATE_{state}",
        evidence_sha256="cd" * 32 if state == "ATTESTED" else "",
        note="safe of the directorate general" if state == "ATTESTED" else "vendor does not answer",
        operator="dewi",
    ).exit_register


def test_the_next_tender_waits_until_the_old_vendor_has_handed_everything_over(office: Office) -> None:
    """2017: the licence could be extended only after user name, password and source code were handed over."""
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until="2026-12-31", max_people=190_000_000))
    successor = terms("ABIS_LICENCE", supplier="PT Baru", valid_until="2028-12-31", succeeds=LICENCE)
    office.draft("ABIS-2017-11", successor)
    attest(office, LICENCE, "DOCUMENTATION")
    attest(office, LICENCE, "DATA")
    attest(office, LICENCE, "CREDENTIALS", "MISSING", "root password of the matcher")

    with pytest.raises(FailedPrecondition) as error:
        office.step("ABIS-2017-11", "SIGN")
    assert error.value.reason == "EXIT_REGISTER_INCOMPLETE"
    assert error.value.metadata["missing"] == "source, credentials: root password of the matcher"
    assert read(office, "ABIS-2017-11").state == pb.CONTRACT_STATE_DRAFT

    attest(office, LICENCE, "CREDENTIALS", "ATTESTED", "root password of the matcher")
    register = attest(office, LICENCE, "SOURCE")
    assert register.complete
    assert {(item.said_by, item.state) for item in register.items} == {
        ("operator/cli:dewi", pb.EXIT_STATE_ATTESTED)
    }
    assert len(register.history) == 5
    assert office.step("ABIS-2017-11", "SIGN").state == pb.CONTRACT_STATE_SIGNED
    assert read(office, LICENCE).succeeded_by == ["ABIS-2017-11"]


def test_a_licence_is_closed_only_when_nothing_of_it_is_missing(office: Office) -> None:
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until="2026-12-31"))
    with pytest.raises(FailedPrecondition) as error:
        office.step(LICENCE, "CLOSE")
    assert error.value.reason == "EXIT_REGISTER_INCOMPLETE"
    for kind in ("CREDENTIALS", "SOURCE", "DOCUMENTATION", "DATA"):
        attest(office, LICENCE, kind)
    assert office.step(LICENCE, "CLOSE").state == pb.CONTRACT_STATE_CLOSED


def test_without_a_licence_the_abis_may_nothing(office: Office) -> None:
    found = entitlement(office)
    assert not found.allowed
    assert found.reason == (
        "No ABIS licence is in force, and none follows. "
        "No maintenance contract is in force, and none follows."
    )


def test_the_support_contract_ends_and_the_abis_stops_until_it_is_renewed(
    office: Office, clock: FixedClock
) -> None:
    """31 December 2015: the maintenance ends at midnight in Jakarta, the licence would go on."""
    licence = terms(
        "ABIS_LICENCE",
        valid_until="2026-12-31",
        max_people=172_046_898,
        max_searches_per_day=66_000,
    )
    in_force(office, LICENCE, licence)
    in_force(office, UPKEEP, terms("MAINTENANCE", valid_from="2026-01-01", valid_until="2026-03-02"))
    found = entitlement(office)
    assert found.allowed
    assert (found.max_people, found.max_searches_per_day) == (172_046_898, 66_000)
    assert (found.valid_until, found.licence_until) == ("2026-03-02", "2026-12-31")
    assert list(found.contract_ids) == [LICENCE, UPKEEP]
    assert found.reason == (
        "Licensed and maintained until 2026-03-02 for at most 172,046,898 people and 66,000 searches a day."
    )

    clock.advance(timedelta(hours=15, minutes=29))  # 23:59 in Jakarta
    assert entitlement(office).allowed
    clock.advance(timedelta(minutes=1))
    stopped = entitlement(office)
    assert not stopped.allowed
    assert stopped.reason == "The last maintenance contract ended on 2026-03-02, and none follows."

    in_force(office, "ATS-2026", terms("MAINTENANCE", valid_from="2026-03-10", valid_until="2026-12-31"))
    assert "the next begins on 2026-03-10" in entitlement(office).reason
    clock.advance(timedelta(days=7))
    assert entitlement(office).valid_until == "2026-12-31"


def test_licences_that_follow_without_a_gap_count_as_one_and_their_ceilings_add_up(office: Office) -> None:
    in_force(office, UPKEEP, terms("MAINTENANCE", valid_until="2030-12-31"))
    for number, (first, last, people) in enumerate(
        [
            ("2026-01-01", "2026-06-30", 100),
            ("2026-02-01", "2026-04-30", 50),
            ("2026-07-01", "2026-09-30", 70),
        ]
    ):
        licence = terms("ABIS_LICENCE", valid_from=first, valid_until=last, max_people=people)
        in_force(office, f"ABIS-{number}", licence)
    found = entitlement(office)
    assert (found.max_people, found.max_searches_per_day) == (150, 0)
    assert found.valid_until == "2026-09-30"


def test_contracts_are_listed_by_kind_and_state(office: Office) -> None:
    in_force(office, LICENCE, terms("ABIS_LICENCE", valid_until="2026-12-31"))
    office.draft(UPKEEP, terms("MAINTENANCE", valid_until="2026-12-31"))
    office.sign(100)

    def listed(**fields: Any) -> list[str]:
        answer = office.send(pb.ListContractFilesRequest(**fields))
        return [found.contract_id for found in answer.contracts]

    assert listed() == [LICENCE, UPKEEP, "KTP-2017-03"]
    assert listed(kind=pb.CONTRACT_KIND_MAINTENANCE) == [UPKEEP]
    assert listed(state=pb.CONTRACT_STATE_ACTIVE) == [LICENCE, "KTP-2017-03"]
