"""Replicas whose clocks differ, and a clock that is set back: the time of an account never goes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import grpc
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2_grpc, ledger_pb2

from services.common import client
from services.common.clock import FixedClock, SystemClock
from services.common.errors import remote_error
from services.inventory import adapter, tables
from services.inventory.app import build
from services.inventory.journal import Journal
from services.inventory.ledger import days
from services.inventory.ledger.clocks import ClockError, Clocks, of_database
from services.inventory.ledger.days import DayClosedError
from services.inventory.metrics import Transfers
from services.inventory.settings import Settings
from services.inventory.transfers.service import LedgerService
from services.inventory.upkeep import Upkeep
from tests.inventory.at_once import all_at_once
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office, new_id

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def behind(database_url: str, office: Office, clock: FixedClock) -> Iterator[Office]:
    """A second replica, whose clock is an hour behind."""
    made = Office(database_url, FixedClock(clock.now() - HOUR))
    yield made
    made.database.dispose()


def transfer(office: Office, source: str, target: str, quantity: int) -> ledger_pb2.Transfer:
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=quantity, from_location=source, to_location=target, reason="need"
    )
    answer: ledger_pb2.Transfer = office.do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers[0]
    return answer


def test_what_follows_is_booked_no_earlier_than_what_it_follows(
    office: Office, behind: Office, clock: FixedClock
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    moved = transfer(behind, CENTRE, DKI, 5)
    assert moved.book_time.ToDatetime() == clock.now().replace(tzinfo=None)
    assert office.balances(at=clock.now() - HOUR / 2) == {}
    assert office.balances(at=clock.now()) == office.balances()
    first, second = office.blank(1).custody
    assert first.book_time.ToDatetime() <= second.book_time.ToDatetime()
    office.check_books()


def test_what_has_nothing_to_do_with_it_keeps_its_own_time(
    office: Office, behind: Office, clock: FixedClock
) -> None:
    office.sign(100)
    behind.supply("ribbon", 9)
    assert behind.balances(item="ribbon", at=clock.now() - HOUR)["ID/ribbon/on-hand"] == 9


def test_at_no_moment_did_anybody_have_less_than_nothing(
    office: Office, behind: Office, clock: FixedClock
) -> None:
    """Eight threads on both replicas hand the same blanks around while one clock is behind."""
    office.sign(100)
    office.deliver(1, 40)
    places = (CENTRE, DKI, BEKASI)

    def hand_around(at: Office, number: int) -> None:
        for step in range(6):
            source, target = places[(number + step) % 3], places[(number + step + 1) % 3]
            clock.advance(timedelta(seconds=1))
            if at.level(source).get("on_hand", 0) > 10:
                transfer(at, source, target, 1)

    all_at_once([office, behind], hand_around)
    with office.database.read() as connection:
        query = sa.select(tables.transfer.c.book_time, tables.line).join_from(tables.line, tables.transfer)
        rows = connection.execute(query.order_by(tables.line.c.entry, tables.line.c.number)).all()
    assert len(rows) > 10
    for account in {row.source for row in rows} | {row.target for row in rows}:
        times = [row.book_time for row in rows if account in (row.source, row.target)]
        assert times == sorted(times), account
    office.check_books()


@pytest.fixture
def ahead(database_url: str, office: Office, clock: FixedClock) -> Iterator[Office]:
    """A second replica, whose clock is three days ahead."""
    made = Office(database_url, FixedClock(clock.now() + 3 * DAY))
    yield made
    made.database.dispose()


def test_what_a_clock_far_ahead_wrote_to_is_refused_and_spreads_no_further(
    office: Office, ahead: Office, clock: FixedClock
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    transfer(office, CENTRE, DKI, 20)
    office.supply("ribbon", 9)
    transfer(ahead, CENTRE, BEKASI, 5)
    before = office.balances(), office.holdings()
    for source, target in ((CENTRE, DKI), (DKI, CENTRE)):
        with pytest.raises(ClockError) as error:
            transfer(office, source, target, 1)
        assert error.value.reason == "ACCOUNT_AHEAD"
        assert error.value.metadata["account"] == "ID/on-hand"
        assert error.value.metadata["ahead_seconds"] == str(3 * 86_400)
        assert error.value.remedy
    assert (office.balances(), office.holdings()) == before
    # What it did not touch goes on, at its own time.
    order = ledger_pb2.NewTransfer(
        item="ribbon", quantity=1, from_location=CENTRE, to_location=DKI, reason="r"
    )
    (moved,) = office.do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers
    assert moved.book_time.ToDatetime() == clock.now().replace(tzinfo=None)
    assert office.reserve(DKI).serial == 1
    # And all of it once its time has come.
    clock.advance(3 * DAY - 2 * HOUR)
    transfer(office, CENTRE, DKI, 1)
    office.check_books()


def test_a_larger_tolerance_goes_on_as_of_the_time_that_the_account_has(
    office: Office, ahead: Office, clock: FixedClock
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    late = transfer(ahead, CENTRE, BEKASI, 5).book_time
    transfers = Transfers(CollectorRegistry())
    journal = Journal(office.database, clock, transfers, Clocks(clock, tolerance=4 * DAY))
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=1, from_location=CENTRE, to_location=DKI, reason="need"
    )
    request = ledger_pb2.PostTransfersRequest(request_id=new_id(), transfers=[order])
    service = LedgerService(office.database, journal)
    (moved,) = service.PostTransfers(request, cast(grpc.ServicerContext, None)).transfers
    assert moved.book_time == late
    office.check_books()


def test_a_larger_tolerance_goes_on_after_days_that_a_clock_ahead_has_closed(
    office: Office, ahead: Office, clock: FixedClock
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=1, from_location=CENTRE, to_location=DKI, reason="need"
    )
    order.pending_until.FromDatetime(clock.now() + HOUR)
    office.do(ledger_pb2.PostTransfersRequest, transfers=[order])
    ahead.do(ledger_pb2.CloseDaysRequest, through="2026-03-04")
    clock.advance(2 * HOUR)
    with pytest.raises(DayClosedError) as error:
        transfer(office, CENTRE, DKI, 1)
    assert error.value.reason == "DAY_CLOSED"
    office.upkeep.begin()  # what is due waits, and the service starts
    assert office.level(CENTRE) == {"on_hand": 39, "pending": 1}

    tolerant = Clocks(clock, tolerance=4 * DAY)
    journal = Journal(office.database, clock, Transfers(CollectorRegistry()), tolerant)
    order.ClearField("pending_until")
    request = ledger_pb2.PostTransfersRequest(request_id=new_id(), transfers=[order])
    service = LedgerService(office.database, journal)
    (moved,) = service.PostTransfers(request, cast(grpc.ServicerContext, None)).transfers
    assert moved.book_time.ToDatetime(UTC) == days.end_of(date(2026, 3, 4))
    Upkeep(office.database, journal, clock).begin()
    assert office.level(CENTRE) == {"on_hand": 39}
    office.check_books()


class Watch:
    """A clock, the database's clock, and how often that was asked."""

    def __init__(self) -> None:
        self.own = self.theirs = datetime(2026, 3, 2, 3, tzinfo=UTC)
        self.passed = 0.0
        self.asked = 0
        self.registry = CollectorRegistry()
        self.clocks = Clocks(self, self.ask, registry=self.registry, stopwatch=lambda: self.passed)

    def now(self) -> datetime:
        return self.own

    def ask(self) -> datetime:
        self.asked += 1
        return self.theirs

    def wait(self, seconds: float) -> None:
        self.own, self.theirs = (at + timedelta(seconds=seconds) for at in (self.own, self.theirs))
        self.passed += seconds

    def refusals(self) -> float | None:
        return self.registry.get_sample_value(
            "tunggal_inventory_clock_refusals_total", {"against": "database"}
        )


@pytest.mark.parametrize(("step", "reason"), [(3 * DAY, "CLOCK_AHEAD"), (-HOUR, "CLOCK_BEHIND")])
def test_a_clock_that_the_database_contradicts_books_nothing_until_it_is_right(
    step: timedelta, reason: str
) -> None:
    watch = Watch()
    watch.clocks.require_right()
    watch.own += step  # set while the service runs, and seen at once
    with pytest.raises(ClockError) as error:
        watch.clocks.require_right()
    assert error.value.reason == reason
    assert error.value.metadata["ahead_seconds"] == f"{step.total_seconds():.0f}"
    assert f"{watch.own:%Y-%m-%d %H:%M:%S}" in error.value.message
    assert watch.refusals() == 1
    watch.own -= step
    watch.clocks.require_right()
    assert watch.refusals() == 1


def test_the_database_is_asked_the_time_once_a_minute() -> None:
    watch = Watch()
    watch.own += timedelta(minutes=4)  # clocks may differ by as much as a day stays open after its end
    for _ in range(100):
        watch.clocks.require_right()
        watch.wait(1)
    assert watch.asked == 2
    assert watch.clocks.ahead() == timedelta(minutes=4)


def test_a_machine_that_slept_is_compared_anew_before_it_is_refused() -> None:
    watch = Watch()
    watch.clocks.require_right()
    watch.wait(3600)
    watch.passed -= 3590  # stopwatches stand still while a machine sleeps
    watch.clocks.require_right()
    assert watch.asked == 2


def test_sqlite_has_no_clock_to_compare_with_and_postgresql_has(office: Office) -> None:
    ask = of_database(office.database)
    if office.database.dialect == "sqlite":
        assert ask is None
    else:
        assert ask is not None
        assert abs(ask() - datetime.now(UTC)) < HOUR


def test_a_replica_far_ahead_starts_and_reads_but_books_nothing_and_closes_no_day(
    new_database: Callable[[str], str],
    clock: FixedClock,
    as_operator: None,
    tmp_path: Path,
    tls_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = new_database("postgresql")
    right = Office(url, SystemClock())
    right.sign(100)
    right.deliver(1, 40)
    real = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda own: real(own) + 400 * DAY)
    settings = Settings(
        database_url=url,
        listen="127.0.0.1:0",
        health_listen="",
        metrics_listen="",
        data_dir=tmp_path,
        tls_dir=tls_dir,
    )
    builder = build(settings)
    server = builder.build().start()
    try:
        with client.channel(f"localhost:{server.port}", tls_dir, "operator-cli") as channel:
            stub = inventory_pb2_grpc.InventoryServiceStub(channel)
            assert stub.GetStock(pb.GetStockRequest()).total.on_hand == 40
            request = pb.ReserveBlankRequest(request_id=new_id(), location=CENTRE, purpose="job")
            with pytest.raises(grpc.RpcError) as error:
                stub.ReserveBlank(request, timeout=60)
            assert remote_error(error.value).reason == "CLOCK_AHEAD"
        gauge = builder.registry.get_sample_value("tunggal_inventory_clock_ahead_seconds")
        assert gauge == pytest.approx(400 * 86_400, abs=3600)
    finally:
        server.stop(grace=0)
    monkeypatch.undo()
    monkeypatch.setattr(adapter, "caller", lambda _: "operator/cli")
    assert right.rows(tables.ledger_day) == 0
    assert right.send(request).blank.serial == 1  # the same request at a replica whose clock is right
    right.check_books()
    right.database.dispose()
