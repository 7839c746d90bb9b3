"""Where is serial N, who held it, and when?"""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import conveyances_pb2, ledger_pb2, movements_pb2, spoilage_pb2, stock_pb2

from services.common.clock import FixedClock
from services.common.errors import NotFound
from services.inventory import tables
from services.inventory.ledger import custody
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account, Condition, Kind, Line, Transfer
from services.inventory.ledger.serials import SerialRange
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, Office


def test_the_custody_of_a_card_goes_from_the_contract_to_its_chip(office: Office, clock: FixedClock) -> None:
    office.sign(7_000_000)
    lot = office.deliver(1, 7_000_000)
    clock.advance(timedelta(days=1))
    office.move(CENTRE, "32", 191_442)
    clock.advance(timedelta(days=1))
    office.move("32", BEKASI, 1_000)
    clock.advance(timedelta(days=1))
    held = office.reserve(BEKASI, "job-7")
    office.consume(held.reservation_id, "04A1B2C3D4E5F6")

    found = office.blank(held.serial)

    assert found.blank.lot_id == lot.lot_id
    assert found.blank.location == BEKASI
    assert found.blank.state == stock_pb2.BLANK_STATE_CONSUMED
    assert found.blank.chip_uid == "04A1B2C3D4E5F6"
    assert [(step.kind, step.from_account, step.to_account) for step in found.custody] == [
        ("lot.received", f"{CONTRACT}/outstanding", "ID/on-hand"),
        ("allocation.created", "ID/on-hand", "ID/allocated"),
        ("allocation.dispatched", "ID/allocated", "32/in-transit"),
        ("allocation.received", "32/in-transit", "32/on-hand"),
        ("allocation.created", "32/on-hand", "32/allocated"),
        ("allocation.dispatched", "32/allocated", "32.16/in-transit"),
        ("allocation.received", "32.16/in-transit", "32.16/on-hand"),
        ("blank.reserved", "32.16/on-hand", "32.16/reserved"),
        ("blank.consumed", "32.16/reserved", "32.16/consumed"),
    ]
    times = [step.book_time.ToDatetime() for step in found.custody]
    assert times == sorted(times)
    assert times[-1] - times[0] == timedelta(days=3)
    assert {step.actor for step in found.custody} == {"operator/cli"}
    assert found.custody[-1].reason == "job-7"


def test_a_neighbour_that_stayed_behind_has_a_custody_of_its_own(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 100)
    office.move(CENTRE, "32", 50)
    assert [step.kind for step in office.blank(51).custody] == ["lot.received"]
    assert len(office.blank(50).custody) == 4


def test_a_blank_on_its_way_is_found_where_it_is_going(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 100)
    office.dispatch(office.allocate(CENTRE, "32", 50).allocation_id)
    assert office.blank(50).blank.location == "32"
    assert office.blank(50).blank.state == stock_pb2.BLANK_STATE_IN_TRANSIT


def test_a_released_blank_is_the_next_to_go_and_remembers_its_reservation(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 100)
    first, second = office.reserve(CENTRE), office.reserve(CENTRE)
    assert (first.serial, second.serial) == (1, 2)
    released = office.release(first.reservation_id)
    assert released.state == stock_pb2.BLANK_STATE_ON_HAND
    assert office.blank(1).blank.reservation_id == first.reservation_id
    again = office.reserve(CENTRE)
    assert again.serial == 1
    assert office.blank(1).blank.reservation_id == again.reservation_id


def test_a_spoiled_blank_keeps_its_reason_and_its_readable_chip(office: Office) -> None:
    office.sign(10)
    office.deliver(1, 10)
    office.spoil(office.reserve(CENTRE).reservation_id, "printed askew", "0A0B0C0D")
    office.spoil(office.reserve(CENTRE).reservation_id, "bent")
    first, second = office.blank(1).blank, office.blank(2).blank
    assert first.state == second.state == stock_pb2.BLANK_STATE_SPOILED
    assert (first.spoil_reason, first.chip_uid) == ("printed askew", "0A0B0C0D")
    assert (second.spoil_reason, second.chip_uid) == ("bent", "")


def test_a_blank_tells_what_spoiled_it_and_not_what_it_was_released_for(office: Office) -> None:
    office.sign(10)
    office.deliver(1, 10)
    office.release(office.reserve(CENTRE).reservation_id, "applicant left")
    wet, crushed = (stock_pb2.SerialRange(first=serial, last=serial) for serial in (1, 2))
    spoiled = office.do(
        spoilage_pb2.SpoilStockRequest,
        location=CENTRE,
        item="blank",
        serials=[wet],
        reason="box got wet",
        operator="siti",
    ).spoilage
    assert office.blank(1).blank.spoil_reason == "box got wet"
    sent = office.allocate(CENTRE, BEKASI, 2).allocation_id
    office.dispatch(sent)
    office.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=sent,
        damaged=movements_pb2.Parcel(serials=[crushed]),
        reason="crushed on the way",
        operator="citra",
    )
    assert office.blank(2).blank.spoil_reason == "crushed on the way"
    assert office.blank(3).blank.spoil_reason == ""
    accepted = {"spoilage_id": spoiled.spoilage_id, "accepted": True, "review": "seen", "operator": "budi"}
    office.do(spoilage_pb2.ReviewSpoilageRequest, **accepted)
    sent = office.do(
        conveyances_pb2.SendConveyanceRequest,
        from_location=CENTRE,
        to_location=BEKASI,
        item="blank",
        serials=[wet],
        reason="to the furnace",
        operator="siti",
    ).conveyance.conveyance_id
    assert office.blank(1).blank.spoil_reason == "box got wet"
    office.do(conveyances_pb2.ReceiveConveyanceRequest, conveyance_id=sent, operator="budi")
    assert office.blank(1).blank.spoil_reason == "box got wet"


def test_consumed_neighbours_grow_together_again(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 100)
    held = [office.reserve(CENTRE) for _ in range(5)]
    for number in (0, 2, 4, 3, 1):
        office.consume(held[number].reservation_id, f"0000000{number}")
    assert office.holdings() == [(1, 5, "ID/consumed"), (6, 100, "ID/on-hand")]


def test_what_is_taken_of_several_pieces_is_cut_from_the_last_of_them(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 20)
    for blank in [office.reserve(CENTRE) for _ in range(6)][:3]:
        office.release(blank.reservation_id)
    made = office.allocate(CENTRE, "32", 5)
    assert [(serials.first, serials.last) for serials in made.serials] == [(1, 3), (7, 8)]
    assert office.holdings() == [
        (1, 3, "ID/allocated"),
        *((serial, serial, "ID/reserved") for serial in (4, 5, 6)),
        (7, 8, "ID/allocated"),
        (9, 20, "ID/on-hand"),
    ]
    assert office.reserve(CENTRE).serial == 9
    office.check_books()


def test_nobody_takes_what_is_held_for_another(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 20)
    held = office.reserve(CENTRE)
    before = office.holdings()
    with office.database.transaction() as connection, pytest.raises(RuntimeError, match="1 of somebody"):
        Books(connection).take([SerialRange(1, 1)], Account(CENTRE, Condition.RESERVED), "somebody")
    assert office.holdings() == before
    office.release(held.reservation_id)


def test_the_inspection_finds_serials_that_two_have(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 20)
    office.reserve(CENTRE)
    with office.database.transaction() as connection:
        row = sa.update(tables.holding).where(tables.holding.c.first == 1)
        connection.execute(row.values(last=3))
    found = list(office.send(ledger_pb2.CheckBooksRequest()).findings)
    assert "Serials 2–3 are in custody twice." in found


def test_a_serial_that_was_never_delivered_is_unknown(office: Office) -> None:
    office.sign(100)
    office.deliver(11, 20)
    for serial in (10, 21):
        with pytest.raises(NotFound) as refused:
            office.blank(serial)
        assert refused.value.reason == "BLANK_UNKNOWN"


def test_custody_finds_exactly_the_lines_that_contain_a_serial(office: Office, clock: FixedClock) -> None:
    """Against a scan of all lines, over ranges of every width."""
    random = Random(7)
    ranges = []
    for _ in range(400):
        length = random.randint(1, 1 << random.randrange(31))
        first = random.randrange(1, 1 << 31)
        ranges.append(SerialRange(first, first + length - 1))
    source, target = Account(CENTRE, Condition.ON_HAND), Account(CENTRE, Condition.ALLOCATED)
    lines = tuple(Line(source, target, len(serials), serials) for serials in ranges)
    with office.database.transaction() as connection:
        books = Books(connection)
        books.record(Transfer("t", Kind.ALLOCATION_CREATED, "a", "operator/cli", "r", clock.now(), lines))
        for serial in [
            n for some in ranges[:40] for n in (some.first - 1, some.first, some.last, some.last + 1)
        ]:
            expected = sum(serials.first <= serial <= serials.last for serials in ranges)
            assert len(custody.steps(connection, serial)) == expected
