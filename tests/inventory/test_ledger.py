"""Transfers as such: linked, two-phase, reversed; balances of any moment; days that stay closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.inventory.v1 import ledger_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, TunggalError
from services.inventory import tables
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, DKI, Office

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def order(item: str, quantity: int, source: str, target: str = "", **fields: Any) -> pb.NewTransfer:
    return pb.NewTransfer(
        item=item, quantity=quantity, from_location=source, to_location=target, reason="need", **fields
    )


def post(office: Office, *orders: pb.NewTransfer) -> list[pb.Transfer]:
    return list(office.do(pb.PostTransfersRequest, transfers=orders).transfers)


def pending(office: Office, clock: FixedClock, hours: int = 1, quantity: int = 10) -> str:
    until = stamp(clock.now() + timedelta(hours=hours))
    (opened,) = post(office, order("ribbon", quantity, CENTRE, BEKASI, pending_until=until))
    return opened.transfer_id


def refusal(office: Office, request: type[Any], **fields: Any) -> TunggalError:
    with pytest.raises(TunggalError) as error:
        office.do(request, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value


@pytest.fixture
def stocked(office: Office) -> Office:
    """1,000 blanks, 100 rolls of ribbon and 50 of film at the centre."""
    office.sign(1000)
    office.deliver(1, 1000)
    office.supply("ribbon", 100)
    office.supply("film", 50)
    return office


def test_a_programme_adds_what_it_keeps_in_stock(office: Office) -> None:
    laminate = pb.Item(item_id="laminate", name="Laminate", unit="roll", cards_per_unit=250)
    office.do(pb.AddItemRequest, item=laminate)
    office.supply("laminate", 5, BEKASI)
    assert office.balances(BEKASI) == {"32.16/laminate/on-hand": 5}
    listed = [item.item_id for item in office.send(pb.ListItemsRequest()).items]
    assert listed == ["blank", "ribbon", "film", "cleaning-kit", "laminate"]
    assert refusal(office, pb.AddItemRequest, item=laminate).reason == "ITEM_EXISTS"
    laminate.serialised = True
    assert refusal(office, pb.AddItemRequest, item=laminate).reason == "ONLY_BLANKS_HAVE_SERIALS"


def test_every_item_has_accounts_of_its_own(stocked: Office) -> None:
    post(stocked, order("ribbon", 30, CENTRE, BEKASI), order("ribbon", 4, BEKASI))
    assert stocked.balances(BEKASI) == {"32.16/ribbon/consumed": 4, "32.16/ribbon/on-hand": 26}
    assert stocked.level(BEKASI) == {}
    assert stocked.level(CENTRE) == {"on_hand": 1000}
    stocked.check_books()


def test_linked_transfers_are_booked_all_or_none(stocked: Office) -> None:
    before = stocked.balances()
    with pytest.raises(FailedPrecondition) as error:
        post(
            stocked,
            order("blank", 500, CENTRE, BEKASI),
            order("ribbon", 1, CENTRE, BEKASI),
            order("film", 51, CENTRE, BEKASI),
        )
    assert (error.value.reason, error.value.field) == ("INSUFFICIENT_STOCK", "transfers[2].quantity")
    assert stocked.balances() == before

    answer = stocked.do(
        pb.PostTransfersRequest,
        transfers=[order("blank", 500, CENTRE, BEKASI), order("film", 50, CENTRE, BEKASI)],
    )
    assert stocked.balances(BEKASI) == {"32.16/blank/on-hand": 500, "32.16/film/on-hand": 50}
    with stocked.database.read() as connection:
        of_batch = sa.select(tables.transfer.c.transfer_id).where(tables.transfer.c.batch == answer.batch_id)
        booked = set(connection.scalars(of_batch))
    assert booked == {transfer.transfer_id for transfer in answer.transfers}
    stocked.check_books()


def test_blanks_cannot_be_used_up_without_saying_which(stocked: Office) -> None:
    with pytest.raises(FailedPrecondition) as error:
        post(stocked, order("blank", 1, CENTRE))
    assert error.value.reason == "SERIALS_NEEDED"


def test_a_two_phase_transfer_is_posted_or_voided_once(stocked: Office, clock: FixedClock) -> None:
    posted, voided = pending(stocked, clock), pending(stocked, clock)
    assert stocked.balances(item="ribbon", location="32.16") == {}
    held = {key: n for key, n in stocked.balances(item="ribbon").items() if key.startswith("ID")}
    assert held == {"ID/ribbon/on-hand": 80, "ID/ribbon/pending": 20}
    answer = stocked.do(pb.PostPendingRequest, transfer_id=posted).pending
    assert (answer.state, answer.to_account) == (pb.PENDING_STATE_POSTED, "32.16/ribbon/on-hand")
    stocked.do(pb.VoidPendingRequest, transfer_id=voided, reason="lorry broke down")
    assert stocked.balances(BEKASI) == {"32.16/ribbon/on-hand": 10}
    assert refusal(stocked, pb.PostPendingRequest, transfer_id=voided).reason == "PENDING_VOIDED"
    again = refusal(stocked, pb.VoidPendingRequest, transfer_id=posted, reason="late")
    assert again.reason == "PENDING_POSTED"
    stocked.check_books()


def test_blanks_of_a_two_phase_transfer_come_back_as_the_ones_they_were(
    stocked: Office, clock: FixedClock
) -> None:
    until = stamp(clock.now() + timedelta(hours=1))
    (opened,) = post(stocked, order("blank", 300, CENTRE, DKI, pending_until=until))
    assert [(line.serials.first, line.serials.last) for line in opened.lines] == [(1, 300)]
    assert stocked.reserve(CENTRE).serial == 301
    stocked.do(pb.VoidPendingRequest, transfer_id=opened.transfer_id, reason="not needed")
    assert stocked.reserve(CENTRE).serial == 1
    stocked.check_books()


def test_what_nobody_decides_in_time_voids_itself_also_after_a_downtime(
    stocked: Office, clock: FixedClock
) -> None:
    late, early = pending(stocked, clock, hours=5), pending(stocked, clock, hours=2)
    kept = pending(stocked, clock, hours=90)
    clock.advance(timedelta(hours=3))
    # Expired is expired, whether or not it has been booked yet.
    error = refusal(stocked, pb.PostPendingRequest, transfer_id=early)
    assert (error.reason, error.field) == ("PENDING_EXPIRED", "transfer_id")
    clock.advance(timedelta(hours=40))  # nobody ran meanwhile
    changed = [text for text in stocked.upkeep.catch_up() if text.startswith("transfers/")]
    assert changed == [f"transfers/{early}", f"transfers/{late}"]
    assert stocked.upkeep.catch_up() == []
    assert stocked.balances(item="ribbon", location="")["ID/ribbon/pending"] == 10
    with stocked.database.read() as connection:
        ended = dict(
            list(row)
            for row in connection.execute(sa.select(tables.pending.c.transfer_id, tables.pending.c.end_time))
        )
    start = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    assert ended == {late: start + timedelta(hours=5), early: start + timedelta(hours=2), kept: None}
    stocked.do(pb.PostPendingRequest, transfer_id=kept)
    stocked.check_books()


def test_a_mistake_is_reversed_and_stays_in_the_books(stocked: Office) -> None:
    wrong, used = post(stocked, order("blank", 10, CENTRE, BEKASI), order("film", 3, CENTRE))
    opposite = stocked.do(pb.ReverseTransferRequest, transfer_id=wrong.transfer_id, reason="typed 10 for 1")
    assert opposite.transfer.reverses == wrong.transfer_id
    assert stocked.level(CENTRE) == {"on_hand": 1000}
    assert stocked.holdings() == [(1, 1000, "ID/on-hand")]
    stocked.do(pb.ReverseTransferRequest, transfer_id=used.transfer_id, reason="never used")
    found = stocked.send(pb.GetTransferRequest(transfer_id=wrong.transfer_id)).transfer
    assert (found.kind, found.reversed_by) == ("stock.moved", opposite.transfer.transfer_id)
    again = refusal(stocked, pb.ReverseTransferRequest, transfer_id=wrong.transfer_id, reason="again")
    assert again.reason == "REVERSED_BEFORE"
    stocked.check_books()


def test_what_has_moved_on_or_belongs_to_something_else_cannot_be_reversed(stocked: Office) -> None:
    (moved,) = post(stocked, order("blank", 10, CENTRE, BEKASI))
    stocked.reserve(BEKASI)
    error = refusal(stocked, pb.ReverseTransferRequest, transfer_id=moved.transfer_id, reason="mistake")
    assert error.reason == "INSUFFICIENT_STOCK"
    assert "moved on" in str(error.remedy)
    post(stocked, order("blank", 5, CENTRE, BEKASI))  # enough blanks, but not those
    error = refusal(stocked, pb.ReverseTransferRequest, transfer_id=moved.transfer_id, reason="mistake")
    assert error.reason == "SERIALS_NOT_THERE"
    signed = stocked.blank(1).custody[0].transfer_id
    error = refusal(stocked, pb.ReverseTransferRequest, transfer_id=signed, reason="mistake")
    assert error.reason == "NOT_REVERSIBLE"
    stocked.check_books()


def test_the_balance_of_any_moment_is_what_the_books_said_then(stocked: Office, clock: FixedClock) -> None:
    seen: list[tuple[datetime, dict[str, int]]] = []
    for day in range(6):
        for hour in range(3):
            post(stocked, order("blank", 1 + day, CENTRE, BEKASI), order("ribbon", 1, CENTRE))
            if hour == 1:
                stocked.move(BEKASI, DKI, 1)
            seen.append((clock.now(), stocked.balances(BEKASI)))
            clock.advance(timedelta(hours=5))
        if day % 2:
            stocked.upkeep.catch_up()
        clock.advance(timedelta(hours=9))
    for moment, balances in seen:
        assert stocked.balances(BEKASI, at=moment) == balances
    before_all = stocked.balances(at=MONDAY)
    assert before_all == {}
    last = seen[-1][0]
    assert stocked.balances(at=last) == whole(stocked)


def whole(office: Office) -> dict[str, int]:
    """All accounts that are not zero, those of contracts too."""
    with office.database.read() as connection:
        rows = connection.execute(sa.select(tables.account).where(tables.account.c.balance != 0))
        return {f"{row.place}/{row.item}/{row.condition}": row.balance for row in rows}


def test_a_late_event_keeps_its_own_time_and_leaves_closed_days_alone(
    stocked: Office, clock: FixedClock
) -> None:
    post(stocked, order("ribbon", 20, CENTRE, BEKASI))
    monday_night = clock.now() + timedelta(hours=10)
    clock.advance(timedelta(days=2))
    assert "days/2026-03-02" in stocked.upkeep.catch_up()
    closed = rows_of_closed_days(stocked)

    used = clock.now() - timedelta(days=2) + timedelta(hours=3)
    (late,) = post(stocked, order("ribbon", 7, BEKASI, event_time=stamp(used)))
    assert late.event_time.ToDatetime(UTC) == used
    assert late.book_time.ToDatetime(UTC) == clock.now()
    assert stocked.balances(BEKASI, at=monday_night) == {"32.16/ribbon/on-hand": 20}
    happened = stocked.balances(BEKASI, at=monday_night, as_happened=True)
    assert happened == {"32.16/ribbon/consumed": 7, "32.16/ribbon/on-hand": 13}
    clock.advance(timedelta(days=2))
    stocked.upkeep.catch_up()
    assert rows_of_closed_days(stocked)[: len(closed)] == closed
    stocked.check_books()


def rows_of_closed_days(office: Office) -> list[tuple[Any, ...]]:
    with office.database.read() as connection:
        days = tables.account_day
        return [tuple(row) for row in connection.execute(sa.select(days).order_by(days.c.day, days.c.code))]


def test_an_event_of_the_future_is_refused(stocked: Office, clock: FixedClock) -> None:
    soon = stamp(clock.now() + timedelta(seconds=1))
    with pytest.raises(TunggalError) as error:
        post(stocked, order("ribbon", 7, CENTRE, event_time=soon))
    assert (error.value.reason, error.value.field) == ("EVENT_IN_FUTURE", "transfers[0].event_time")


def test_a_day_is_closed_after_its_midnight_in_jakarta_and_once(stocked: Office, clock: FixedClock) -> None:
    early = refusal(stocked, pb.CloseDaysRequest, through="2026-03-02")
    assert (early.reason, early.metadata["last"]) == ("DAY_NOT_OVER", "2026-03-01")
    clock.advance(timedelta(hours=15, minutes=36))  # 00:06 on Tuesday in Jakarta
    assert list(stocked.do(pb.CloseDaysRequest, through="2026-03-02").days) == ["2026-03-02"]
    assert list(stocked.do(pb.CloseDaysRequest, through="2026-03-02").days) == []
    with stocked.database.read() as connection:
        rows = connection.execute(
            sa.select(tables.account_day).where(tables.account_day.c.code == "ID/ribbon/on-hand")
        ).all()
    assert [(str(row.day), row.balance, row.added, row.removed) for row in rows] == [
        ("2026-03-02", 100, 100, 0)
    ]


def test_a_replica_whose_clock_is_behind_cannot_book_on_a_closed_day(
    stocked: Office, clock: FixedClock, database_url: str
) -> None:
    behind = Office(database_url, FixedClock(clock.now()))
    clock.advance(timedelta(days=1))
    stocked.upkeep.catch_up()
    with pytest.raises(FailedPrecondition) as error:
        post(behind, order("ribbon", 1, CENTRE))
    assert error.value.reason == "DAY_CLOSED"
    behind.database.dispose()
    stocked.check_books()


def test_the_inspection_finds_what_somebody_changed_by_hand(stocked: Office) -> None:
    assert list(stocked.send(pb.CheckBooksRequest()).findings) == []
    account = tables.account
    with stocked.database.transaction() as connection:
        connection.execute(
            sa.update(account).where(account.c.code == "ID/on-hand").values(balance=account.c.balance - 7)
        )
    assert list(stocked.send(pb.CheckBooksRequest()).findings) == [
        "The balance of ID/on-hand is not the sum of its lines.",
        "The trial balance of blank is -7, not 0.",
        "ID/on-hand has 993 blanks and the serials of 1000.",
    ]


@pytest.mark.parametrize(("code", "balance"), [("ID/on-hand", -1), (f"{CONTRACT}/contracted", 1)])
def test_the_inspection_finds_less_than_nothing_and_a_promise_of_the_wrong_sign(
    stocked: Office, code: str, balance: int
) -> None:
    account = tables.account
    unchecked = {
        "sqlite": "PRAGMA ignore_check_constraints = ON",
        "postgresql": "ALTER TABLE account DROP CONSTRAINT account_never_overdrawn",
    }
    with stocked.database.transaction() as connection:
        connection.execute(sa.text(unchecked[connection.dialect.name]))
        changed = connection.execute(
            sa.update(account).where(account.c.code == code).values(balance=balance)
        ).rowcount
    assert changed == 1
    found = list(stocked.send(pb.CheckBooksRequest()).findings)
    assert [each for each in found if "sign" in each] == [f"The balance of {code} has the wrong sign."]
