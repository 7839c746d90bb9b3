"""Withdrawn cards and spoiled blanks go to the furnace elsewhere, and custody answers at every moment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tunggal.inventory.v1 import conveyances_pb2 as pb
from tunggal.inventory.v1 import movements_pb2, spoilage_pb2, stock_pb2, withdrawals_pb2

from services.common.errors import TunggalError
from tests.inventory.inventory_office import BEKASI, CENTRE, Office

WEST_JAVA = "32"


@pytest.fixture
def held(office: Office) -> Office:
    """At Bekasi: cards 1 and 2 came back, 3 and 4 are spoiled, 5 to 20 are free; 20 rolls of ribbon."""
    office.sign(100)
    office.deliver(1, 100)
    office.move(CENTRE, BEKASI, 20)
    office.supply("ribbon", 20, BEKASI)
    for number in (1, 2):
        chip = f"04A1B2C{number}"
        office.consume(office.reserve(BEKASI).reservation_id, chip)
        office.do(
            withdrawals_pb2.WithdrawCardRequest,
            chip_uid=chip,
            location=BEKASI,
            cause=withdrawals_pb2.WITHDRAWAL_CAUSE_REPLACED,
            note="worn",
            operator="siti",
        )
    for _ in range(2):
        office.spoil(office.reserve(BEKASI).reservation_id, "bent")
    return office


def span(first: int, last: int) -> list[stock_pb2.SerialRange]:
    return [stock_pb2.SerialRange(first=first, last=last)]


def review_all(office: Office, accepted: bool = True) -> None:
    for one in office.send(spoilage_pb2.ListSpoilageRequest()).spoilage:
        office.do(
            spoilage_pb2.ReviewSpoilageRequest,
            spoilage_id=one.spoilage_id,
            accepted=accepted,
            review="seen",
            operator="budi",
        )


def send(office: Office, first: int, last: int, **changes: Any) -> pb.Conveyance:
    fields = {
        "from_location": BEKASI,
        "to_location": WEST_JAVA,
        "item": "blank",
        "serials": span(first, last),
        "reason": "furnace at Bandung",
        "operator": "siti",
    }
    sent: pb.Conveyance = office.do(pb.SendConveyanceRequest, **(fields | changes)).conveyance
    return sent


def receive(office: Office, conveyance_id: str, operator: str = "dewi", **fields: Any) -> pb.Conveyance:
    seen: pb.Conveyance = office.do(
        pb.ReceiveConveyanceRequest, conveyance_id=conveyance_id, operator=operator, **fields
    ).conveyance
    return seen


def reason_of(call: Any, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(TunggalError) as error:
        call(*arguments, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value.reason


def test_cards_and_blanks_burn_elsewhere_and_their_whole_way_is_known(held: Office) -> None:
    review_all(held)
    sent = send(held, 1, 4)
    assert (sent.quantity, sent.under_way, sent.state) == (4, 4, pb.CONVEYANCE_STATE_SENT)
    assert held.level(BEKASI) == {"on_hand": 16}
    assert held.level(WEST_JAVA) == {"conveyed": 4}
    on_the_way = held.blank(1).blank
    assert (on_the_way.state, on_the_way.location) == (stock_pb2.BLANK_STATE_CONVEYED, WEST_JAVA)
    assert on_the_way.spoil_reason == "REPLACED: worn"
    assert reason_of(receive, held, sent.conveyance_id, "SITI") == "SECOND_PERSON_NEEDED"
    assert receive(held, sent.conveyance_id).state == pb.CONVEYANCE_STATE_RECEIVED
    assert held.level(WEST_JAVA) == {"withdrawn": 2, "spoiled": 2}
    taken = held.send(withdrawals_pb2.ListWithdrawalsRequest()).withdrawals
    assert [(one.location, one.held_at) for one in taken] == [(BEKASI, WEST_JAVA)] * 2

    made = held.do(
        spoilage_pb2.PrepareDestructionRequest,
        location=WEST_JAVA,
        item="blank",
        serials=span(1, 4),
        method="burned",
        operator="dewi",
    ).destruction
    seen = held.do(
        spoilage_pb2.WitnessDestructionRequest,
        destruction_id=made.destruction_id,
        prepared_sha256=made.prepared_sha256,
        operator="saksi",
    ).destruction
    protocol = json.loads(seen.protocol)
    spoilage = held.send(spoilage_pb2.ListSpoilageRequest(location=BEKASI)).spoilage
    assert sorted(protocol["spoilage"]) == sorted(one.spoilage_id for one in spoilage)
    assert protocol["withdrawn_cards"] == [[1, 2]]
    assert [step.kind for step in held.blank(1).custody][-4:] == [
        "card.withdrawn",
        "conveyance.sent",
        "conveyance.received",
        "stock.destroyed",
    ]
    held.check_books()


def test_the_first_reviewer_still_decides_after_the_journey(held: Office) -> None:
    review_all(held)
    receive(held, send(held, 3, 4).conveyance_id)
    review_all(held, accepted=False)
    what = {"location": WEST_JAVA, "item": "blank", "serials": span(3, 4), "method": "burned"}
    refused = reason_of(held.do, spoilage_pb2.PrepareDestructionRequest, **what, operator="dewi")
    assert refused == "SPOILAGE_NOT_ACCEPTED"


def test_what_never_arrives_stays_on_its_way(held: Office) -> None:
    sent = send(held, 1, 2)
    seen = receive(held, sent.conveyance_id, serials=span(1, 1))
    assert (seen.under_way, list(seen.serials_under_way)) == (1, span(2, 2))
    assert seen.state == pb.CONVEYANCE_STATE_SENT
    assert held.level(WEST_JAVA) == {"withdrawn": 1, "conveyed": 1}
    again = reason_of(receive, held, sent.conveyance_id, serials=span(1, 1))
    assert again == "NOT_ON_ITS_WAY"
    more = reason_of(receive, held, sent.conveyance_id, serials=span(2, 3))
    assert more == "NOT_ON_ITS_WAY"
    (listed,) = held.send(
        pb.ListConveyancesRequest(location=BEKASI, state=pb.CONVEYANCE_STATE_SENT)
    ).conveyances
    assert listed == seen
    back = receive(held, sent.conveyance_id, returned=True)
    assert back.state == pb.CONVEYANCE_STATE_RECEIVED
    assert held.level(WEST_JAVA) == {"withdrawn": 1}
    assert held.level(BEKASI)["withdrawn"] == 1
    held.check_books()


def test_two_conveyances_to_one_place_stay_apart(held: Office) -> None:
    first, second = send(held, 1, 1), send(held, 2, 2)
    assert reason_of(receive, held, first.conveyance_id, serials=span(2, 2)) == "NOT_ON_ITS_WAY"
    receive(held, second.conveyance_id)
    receive(held, first.conveyance_id)
    assert held.level(WEST_JAVA) == {"withdrawn": 2}
    assert reason_of(receive, held, first.conveyance_id) == "NOT_ON_ITS_WAY"
    held.check_books()


def test_only_scrap_that_was_reviewed_is_sent(held: Office) -> None:
    assert reason_of(send, held, 3, 4) == "SPOILAGE_NOT_ACCEPTED"
    assert reason_of(send, held, 1, 5) == "SERIALS_NOT_THERE"
    assert reason_of(send, held, 1, 2, to_location=BEKASI) == "SAME_LOCATION"
    assert reason_of(send, held, 1, 2, quantity=3) == "SERIALS_NEEDED"
    absent = "00000000-0000-4000-8000-000000000000"
    assert reason_of(receive, held, absent) == "CONVEYANCE_UNKNOWN"
    assert held.level(BEKASI) == {"on_hand": 16, "spoiled": 2, "withdrawn": 2}


def test_a_place_lists_what_it_sent_and_what_is_sent_to_it(held: Office) -> None:
    review_all(held)
    there, elsewhere = send(held, 1, 1), send(held, 3, 3, to_location=CENTRE)

    def listed(location: str) -> list[str]:
        found = held.send(pb.ListConveyancesRequest(location=location)).conveyances
        return [each.conveyance_id for each in found]

    assert listed(BEKASI) == [there.conveyance_id, elsewhere.conveyance_id]
    assert listed(WEST_JAVA) == [there.conveyance_id]
    assert listed("32.15") == []


def test_there_is_no_scrap_of_what_the_catalogue_does_not_have(held: Office) -> None:
    with pytest.raises(TunggalError) as error:
        held.send(pb.GetScrapRequest(location=BEKASI, item="gold"))
    assert error.value.reason == "ITEM_UNKNOWN"


def test_rolls_go_by_units_and_no_more_than_were_accepted(held: Office) -> None:
    for quantity in (3, 2):
        held.do(
            spoilage_pb2.SpoilStockRequest,
            location=BEKASI,
            item="ribbon",
            quantity=quantity,
            reason="torn",
            operator="siti",
        )
        if quantity == 3:
            review_all(held)
    rolls = {"item": "ribbon", "serials": []}
    assert reason_of(send, held, 0, 0, **rolls, quantity=4) == "SPOILAGE_NOT_ACCEPTED"
    sent = send(held, 0, 0, **rolls, quantity=3)
    assert reason_of(receive, held, sent.conveyance_id, quantity=4) == "NOT_ON_ITS_WAY"
    assert receive(held, sent.conveyance_id, quantity=1).under_way == 2
    assert receive(held, sent.conveyance_id).under_way == 0
    assert held.balances(WEST_JAVA, "ribbon") == {
        "32/ribbon/spoiled": 3,
        "32.16/ribbon/on-hand": 15,
        "32.16/ribbon/spoiled": 2,
    }
    held.check_books()


def test_a_site_closes_only_when_its_scrap_is_gone(held: Office) -> None:
    fair = "32.16:fair"
    held.do(
        movements_pb2.OpenSiteRequest,
        location=fair,
        name="Fair",
        opens="2026-01-01",
        closes="2026-12-31",
        operator="siti",
    )
    held.move(BEKASI, fair, 1)
    held.spoil(held.reserve(fair).reservation_id, "bent")
    assert reason_of(held.do, movements_pb2.CloseSiteRequest, location=fair) == "SITE_NOT_EMPTY"
    review_all(held)
    sent = send(held, 5, 5, from_location=fair, to_location=BEKASI)
    closed = held.do(movements_pb2.CloseSiteRequest, location=fair).site
    assert not closed.open
    refused = reason_of(receive, held, sent.conveyance_id, returned=True)
    assert refused == "SITE_CLOSED"
    receive(held, sent.conveyance_id)
    held.check_books()
