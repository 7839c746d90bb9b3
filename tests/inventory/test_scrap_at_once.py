"""Scrap that is sent, received, written down and burned at two places at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import conveyances_pb2, inventory_pb2, spoilage_pb2, stock_pb2, withdrawals_pb2

from services.common import db
from services.inventory.disposal import tables as disposal_tables
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account, Condition
from tests.inventory.at_once import all_at_once, outcome, until_it_waits
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office, new_id

ROUNDS = 5


def span(first: int, last: int) -> list[stock_pb2.SerialRange]:
    return [stock_pb2.SerialRange(first=first, last=last)]


@pytest.fixture
def scrap(replicas: list[Office], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Office], list[int]]:
    """At each of two places pairs of a card that came back and a blank that was spoiled: their first serials.

    A deadlock is not tried again, and so is seen.
    """
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    office = replicas[0]
    office.sign(1000)
    office.deliver(1, 1000)
    firsts = []
    for place in (BEKASI, DKI):
        office.move(CENTRE, place, 4 * ROUNDS)
        for _ in range(2 * ROUNDS):
            held = office.reserve(place)
            office.consume(held.reservation_id, f"04{held.serial:010X}")
            office.do(
                withdrawals_pb2.WithdrawCardRequest,
                serial=held.serial,
                location=place,
                cause=withdrawals_pb2.WITHDRAWAL_CAUSE_VOID,
                operator="siti",
            )
            office.spoil(office.reserve(place).reservation_id)
            firsts.append(held.serial)
    for one in office.send(spoilage_pb2.ListSpoilageRequest(page_size=1000)).spoilage:
        office.do(
            spoilage_pb2.ReviewSpoilageRequest,
            spoilage_id=one.spoilage_id,
            accepted=True,
            review="seen",
            operator="budi",
        )
    return replicas, firsts


def sending(source: str, target: str, first: int) -> Any:
    return conveyances_pb2.SendConveyanceRequest(
        request_id=new_id(),
        from_location=source,
        to_location=target,
        item="blank",
        serials=span(first, first + 1),
        reason="furnace",
        operator="siti",
    )


def test_nobody_who_moves_scrap_waits_in_a_circle(scrap: tuple[list[Office], list[int]]) -> None:
    replicas, firsts = scrap
    office, (here, there) = replicas[0], (firsts[: 2 * ROUNDS], firsts[2 * ROUNDS :])
    for number in range(ROUNDS):
        a, b, c, d = here[2 * number], here[2 * number + 1], there[2 * number], there[2 * number + 1]
        sent = [
            office.send(sending(source, target, first)).conveyance.conveyance_id
            for source, target, first in ((BEKASI, DKI, a), (DKI, BEKASI, c))
        ]
        requests: list[Any] = [
            conveyances_pb2.ReceiveConveyanceRequest(request_id=new_id(), conveyance_id=one, operator="dewi")
            for one in sent
        ]
        requests += [sending(BEKASI, DKI, b), sending(DKI, BEKASI, d)]
        requests += [
            spoilage_pb2.PrepareDestructionRequest(
                request_id=new_id(),
                location=place,
                item="blank",
                serials=span(first, first + 1),
                method="burned",
                operator="dewi",
            )
            for place, first in ((BEKASI, b), (DKI, d))
        ]
        answers = all_at_once(replicas, partial(answer, requests), threads=len(requests))
        assert answers[:4] == ["done"] * 4
        assert set(answers[4:]) <= {"done", "SERIALS_NOT_THERE"}
    total = office.send(inventory_pb2.GetStockRequest()).total
    assert (total.spoiled + total.withdrawn, total.conveyed) == (4 * ROUNDS, 4 * ROUNDS)
    office.check_books()


def answer(requests: list[Any], office: Office, number: int) -> str:
    return outcome(partial(office.send, requests[number]))


def spoil_rolls(office: Office, accepted: bool) -> None:
    what = {"location": CENTRE, "item": "ribbon", "quantity": 10, "reason": "wet", "operator": "siti"}
    booked = office.do(spoilage_pb2.SpoilStockRequest, **what).spoilage
    if accepted:
        review = {"spoilage_id": booked.spoilage_id, "accepted": True, "review": "seen", "operator": "budi"}
        office.do(spoilage_pb2.ReviewSpoilageRequest, **review)


def test_one_accepted_word_lets_rolls_go_once(on_postgresql: list[Office]) -> None:
    """Rolls are all alike: two who send them look at the same reviews, and wait before they look."""
    office, other = on_postgresql
    office.supply("ribbon", 100)
    spoil_rolls(office, accepted=True)
    spoil_rolls(office, accepted=False)
    way = {"from_location": CENTRE, "to_location": DKI, "item": "ribbon", "quantity": 10, "operator": "siti"}
    with ThreadPoolExecutor(2) as pool:
        with office.database.transaction() as booking:
            Books(booking).lock(Account(CENTRE, Condition.SPOILED, "ribbon"))
            sent = [
                pool.submit(
                    outcome,
                    partial(one.do, conveyances_pb2.SendConveyanceRequest, **way, reason="furnace"),
                )
                for one in (office, other)
            ]
            for number, call in enumerate(sent, 1):
                until_it_waits(office, call, number)
        done = [call.result(timeout=60) for call in sent]
    assert sorted(done) == ["SPOILAGE_NOT_ACCEPTED", "done"]
    office.check_books()


def test_a_destruction_that_is_let_go_while_its_witness_signs_is_not_witnessed(
    on_postgresql: list[Office],
) -> None:
    office, other = on_postgresql
    office.supply("ribbon", 100)
    spoil_rolls(office, accepted=True)
    what = {"location": CENTRE, "item": "ribbon", "quantity": 10, "method": "burned", "operator": "siti"}
    spoiled = Account(CENTRE, Condition.SPOILED, "ribbon")
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as booking:
            Books(booking).lock(spoiled)
            preparing = pool.submit(
                lambda: other.do(spoilage_pb2.PrepareDestructionRequest, **what).destruction
            )
            until_it_waits(office, preparing)
            assert not preparing.done(), "what is written down stays as it is looked at"
        made = preparing.result(timeout=60)
        seen = {"destruction_id": made.destruction_id, "prepared_sha256": made.prepared_sha256}
        row = disposal_tables.destruction
        with office.database.transaction() as letting_go:
            letting_go.execute(
                sa.update(row).where(row.c.destruction_id == made.destruction_id).values(state="withdrawn")
            )
            witnessing = pool.submit(
                outcome,
                partial(other.do, spoilage_pb2.WitnessDestructionRequest, **seen, operator="dewi"),
            )
            until_it_waits(office, witnessing)
        assert witnessing.result(timeout=60) == "DESTRUCTION_WITHDRAWN"
    assert office.balances(CENTRE, "ribbon")["ID/ribbon/spoiled"] == 10
    office.check_books()
