"""What enrolment tells the inventory of those who wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from tunggal.inventory.v1 import planning_pb2, planning_pb2_grpc

from services.common.client import channel
from services.common.clock import FixedClock
from services.common.errors import Unavailable
from services.enroll.demand import Demand, DemandReporter, count
from services.inventory import app as inventory_app
from services.inventory.settings import Settings as InventorySettings
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import NIK

DEPOK = "32.76"


def nik(number: int) -> str:
    return NIK[:-4] + f"{number:04}"


def told(office: Office, clock: FixedClock) -> dict[str, Demand]:
    with office.db.read() as connection:
        return count(connection, clock.now())


def test_who_waits_is_counted_by_region_and_by_what_for(office: Office, clock: FixedClock) -> None:
    assert told(office, clock) == {}
    for number in range(3):
        office.submit(f"person {number}", nik(number))
    office.submit("somebody in Depok", nik(9), DEPOK)
    assert told(office, clock) == {"32.16": Demand(undeduplicated=3), DEPOK: Demand(undeduplicated=1)}
    office.run()
    assert told(office, clock) == {
        "32.16": Demand(print_ready=3, arrivals=3),
        DEPOK: Demand(print_ready=1, arrivals=1),
    }


def test_a_duplicate_is_no_demand(office: Office, clock: FixedClock) -> None:
    office.submit("siti", nik(1))
    office.submit("siti", nik(2))
    office.run()
    assert told(office, clock) == {"32.16": Demand(print_ready=1, arrivals=1, duplicates=1)}


def test_arrivals_are_those_of_the_last_28_days(office: Office, clock: FixedClock) -> None:
    for number in range(5):
        office.submit(f"person {number}", nik(number))
        office.run()
        clock.advance(timedelta(days=10))
    # On days 0, 10, 20, 30 and 40; it is day 50 now.
    assert told(office, clock)["32.16"] == Demand(print_ready=5, arrivals=2)
    clock.advance(timedelta(days=100))
    assert told(office, clock)["32.16"] == Demand(print_ready=5, arrivals=0)


@pytest.fixture
def inventory(tmp_path: Path, tls_dir: Path, clock: FixedClock) -> Iterator[str]:
    """An inventory on the same clock; its endpoint."""
    settings = InventorySettings.model_validate(
        {
            "listen": "127.0.0.1:0",
            "health_listen": "",
            "metrics_listen": "",
            "data_dir": tmp_path / "inventory",
            "tls_dir": tls_dir,
        }
    )
    server = inventory_app.build(settings, clock).build().start()
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


def test_the_inventory_forecasts_with_what_enrolment_told_it(
    office: Office, clock: FixedClock, inventory: str, tls_dir: Path
) -> None:
    for number in range(3):
        office.submit(f"person {number}", nik(number))
    office.run()
    office.submit("a late one", nik(7))
    with channel(inventory, tls_dir, "enroll", server="inventory") as connection:
        assert DemandReporter(office.db, clock, connection).report() == 1
        stub = planning_pb2_grpc.PlanningServiceStub(connection)
        (forecast,) = stub.GetForecast(planning_pb2.GetForecastRequest()).forecasts
    assert forecast.location == "32.16"
    assert (forecast.waiting, forecast.undeduplicated) == (3, 1)
    assert forecast.from_reports
    assert forecast.spans[0].constraint == planning_pb2.CONSTRAINT_BLANKS


def test_an_inventory_that_is_away_is_told_later(office: Office, clock: FixedClock, tls_dir: Path) -> None:
    office.submit("siti")
    with channel("127.0.0.1:9", tls_dir, "enroll", server="inventory") as connection:
        reporter = DemandReporter(office.db, clock, connection)
        with pytest.raises(Unavailable):
            reporter.report()


def test_a_region_where_nobody_is_left_is_told_of_once_more(
    office: Office, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[planning_pb2.ReportDemandRequest] = []
    office.submit("siti")
    reporter = DemandReporter(office.db, clock, grpc.insecure_channel("127.0.0.1:9"))
    monkeypatch.setattr(reporter._stub, "ReportDemand", sent.append)
    reporter.report()
    monkeypatch.setattr("services.enroll.demand.count", lambda *_: {})
    reporter.report()
    assert [demand.undeduplicated for request in sent for demand in request.demands] == [1, 0]
    assert reporter.report() == 0
