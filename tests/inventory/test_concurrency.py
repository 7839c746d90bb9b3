"""Two replicas and many threads at once: no blank twice, nothing negative, no deadlock, no lost request."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import chain

import pytest
from tunggal.inventory.v1 import contracts_pb2, ledger_pb2, stock_pb2
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common import db
from services.common.clock import FixedClock
from tests.inventory.at_once import THREADS, all_at_once, outcome
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office, new_id


def test_the_last_blanks_go_to_one_job_each_and_the_rest_is_refused(replicas: list[Office]) -> None:
    replicas[0].sign(30)
    replicas[0].deliver(1, 30)

    serials: list[int] = []

    def take_ten(office: Office, number: int) -> list[str]:
        def take() -> None:
            serials.append(office.reserve(CENTRE, f"job-{number}").serial)

        return [outcome(take) for _ in range(10)]

    outcomes = Counter(chain.from_iterable(all_at_once(replicas, take_ten)))
    assert outcomes == {"done": 30, "INSUFFICIENT_STOCK": 10 * THREADS - 30}
    assert sorted(serials) == list(range(1, 31))
    assert replicas[1].level(CENTRE) == {"reserved": 30}
    replicas[0].check_books()


def test_one_request_sent_by_eight_threads_is_done_once(replicas: list[Office]) -> None:
    replicas[0].sign(100)
    replicas[0].deliver(1, 100)
    request = pb.ReserveBlankRequest(request_id=new_id(), location=CENTRE, purpose="job")
    answers = all_at_once(replicas, lambda office, _: office.send(request))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert replicas[0].level(CENTRE) == {"on_hand": 99, "reserved": 1}


@pytest.fixture
def without_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadlock would be retried and so stay unseen."""
    monkeypatch.setattr(db, "ATTEMPTS", 1)


@pytest.mark.usefixtures("without_retry")
def test_blanks_sent_to_and_fro_between_two_regencies_never_deadlock(replicas: list[Office]) -> None:
    replicas[0].sign(200)
    replicas[0].deliver(1, 200)
    replicas[0].move(CENTRE, DKI, 100)
    replicas[0].move(CENTRE, BEKASI, 100)

    def swap(office: Office, number: int) -> None:
        source, target = (DKI, BEKASI) if number % 2 else (BEKASI, DKI)
        for _ in range(4):
            office.move(source, target, 5)
            blank = office.reserve(target)
            office.release(blank.reservation_id)

    all_at_once(replicas, swap)
    assert replicas[0].stock().total.on_hand == 200
    replicas[0].check_books()


def test_one_chip_is_bound_to_one_blank(replicas: list[Office]) -> None:
    replicas[0].sign(THREADS)
    replicas[0].deliver(1, THREADS)
    held = [replicas[0].reserve(CENTRE).reservation_id for _ in range(THREADS)]
    outcomes = all_at_once(
        replicas, lambda office, number: outcome(lambda: office.consume(held[number], "04A1B2C3D4E5F6"))
    )
    assert Counter(outcomes) == {"done": 1, "CHIP_UID_BOUND": THREADS - 1}
    assert replicas[0].level(CENTRE) == {"reserved": THREADS - 1, "consumed": 1}
    replicas[0].check_books()


def test_a_reservation_ends_once_however_many_try(replicas: list[Office]) -> None:
    replicas[0].sign(10)
    replicas[0].deliver(1, 10)
    held = replicas[0].reserve(CENTRE).reservation_id
    outcomes = all_at_once(
        replicas, lambda office, number: outcome(lambda: office.consume(held, f"04A1B2C{number}"))
    )
    assert Counter(outcomes) == {"done": 1, "RESERVATION_CONSUMED": THREADS - 1}
    replicas[0].check_books()


def test_a_receipt_counts_once_however_many_confirm_it(replicas: list[Office]) -> None:
    replicas[0].sign(10)
    replicas[0].deliver(1, 10)
    sent = replicas[0].dispatch(replicas[0].allocate(CENTRE, DKI, 10).allocation_id).allocation_id
    outcomes = all_at_once(replicas, lambda office, _: outcome(lambda: office.receive(sent)))
    assert Counter(outcomes) == {"done": 1, "ALLOCATION_ALREADY_RECEIVED": THREADS - 1}
    assert replicas[0].level(DKI) == {"on_hand": 10}


def test_lots_that_share_serials_cannot_slip_past_each_other(replicas: list[Office]) -> None:
    for number in range(THREADS):
        replicas[0].sign(1000, f"KTP-{number}")
    outcomes = all_at_once(
        replicas,
        lambda office, number: outcome(
            lambda: office.deliver(1 + 50 * number, 100 + 50 * number, f"KTP-{number}")
        ),
    )
    assert set(outcomes) == {"done", "SERIALS_KNOWN"}
    replicas[0].check_books()


def test_a_contract_is_never_overdelivered(replicas: list[Office]) -> None:
    replicas[0].sign(500)
    outcomes = all_at_once(
        replicas, lambda office, number: outcome(lambda: office.deliver(1 + 100 * number, 100 + 100 * number))
    )
    assert Counter(outcomes) == {"done": 5, "MORE_THAN_OUTSTANDING": 3}
    assert replicas[0].stock().total.on_hand == 500


@pytest.mark.usefixtures("without_retry")
def test_locations_seen_for_the_first_time_by_all_at_once(replicas: list[Office]) -> None:
    replicas[0].sign(THREADS * 10)
    replicas[0].deliver(1, THREADS * 10)

    def first_receipts(office: Office, number: int) -> stock_pb2.Allocation:
        return office.move(CENTRE, (DKI, BEKASI)[number % 2], 10)

    all_at_once(replicas, first_receipts)
    assert replicas[0].level(DKI) == replicas[0].level(BEKASI) == {"on_hand": THREADS * 5}
    replicas[0].check_books()


def test_a_two_phase_transfer_ends_once_however_many_decide(
    replicas: list[Office], clock: FixedClock
) -> None:
    replicas[0].sign(100)
    replicas[0].deliver(1, 100)
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=10, from_location=CENTRE, to_location=DKI, reason="perhaps"
    )
    order.pending_until.FromDatetime(clock.now() + timedelta(hours=1))
    opened = replicas[0].do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers[0].transfer_id

    def decide(office: Office, number: int) -> str:
        if number % 2:
            return outcome(lambda: office.do(ledger_pb2.PostPendingRequest, transfer_id=opened))
        return outcome(lambda: office.do(ledger_pb2.VoidPendingRequest, transfer_id=opened, reason="no"))

    outcomes = Counter(all_at_once(replicas, decide))
    assert outcomes["done"] == 1
    assert outcomes["PENDING_POSTED"] + outcomes["PENDING_VOIDED"] == THREADS - 1
    assert replicas[0].stock().total.on_hand == 100
    replicas[0].check_books()


def test_a_step_of_a_contract_is_approved_once(replicas: list[Office]) -> None:
    terms = contracts_pb2.ContractTerms(
        kind=contracts_pb2.CONTRACT_KIND_BLANKS,
        supplier="PT Kartu",
        item="blank",
        quantity=50,
        currency="IDR",
    )
    replicas[0].draft("KTP-2018", terms)
    replicas[0].step("KTP-2018", "SIGN")
    change = (
        replicas[0]
        .do(
            contracts_pb2.ProposeChangeRequest,
            contract_id="KTP-2018",
            kind=contracts_pb2.CHANGE_KIND_ACTIVATE,
            reason="deposit paid",
            operator="ani",
        )
        .change
    )
    outcomes = all_at_once(
        replicas,
        lambda office, number: outcome(
            lambda: office.do(
                contracts_pb2.ApproveChangeRequest, change_id=change.change_id, operator=f"op-{number}"
            )
        ),
    )
    assert Counter(outcomes) == {"done": 1, "CHANGE_DECIDED": THREADS - 1}
    assert replicas[0].stock().contracted == 50
    replicas[0].check_books()


def test_days_are_closed_while_everybody_books(replicas: list[Office], clock: FixedClock) -> None:
    replicas[0].sign(10_000)
    replicas[0].deliver(1, 10_000)
    clock.advance(timedelta(days=3))

    def work(office: Office, number: int) -> list[str]:
        if number == 0:
            return office.upkeep.catch_up()
        pair = [
            ledger_pb2.NewTransfer(
                item="blank", quantity=1, from_location=CENTRE, to_location=place, reason="need"
            )
            for place in (DKI, BEKASI)
        ]
        return [outcome(lambda: office.do(ledger_pb2.PostTransfersRequest, transfers=pair)) for _ in range(5)]

    results = all_at_once(replicas, work)
    assert results[0] == ["days/2026-03-02", "days/2026-03-03", "days/2026-03-04"]
    assert Counter(chain.from_iterable(results[1:])) == {"done": 5 * (THREADS - 1)}
    assert replicas[0].balances(at=clock.now() - timedelta(days=1))["ID/blank/on-hand"] == 10_000
    assert replicas[0].level(DKI) == replicas[0].level(BEKASI) == {"on_hand": 5 * (THREADS - 1)}
    replicas[0].check_books()
