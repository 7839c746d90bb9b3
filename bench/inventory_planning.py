"""How long forecasts and plans of a whole country take: 514 regencies, three years of days, over gRPC.

The history is written as the closing of days writes it (``account_day``), so the forecast reads what it reads
in production. Times are those of a client: read from the database, computed, and sent over mTLS on loopback.
A service reads the closed days once until another day is closed, so each time is taken of one that was just
started: nobody waits longer.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import sqlalchemy as sa
from tunggal.inventory.v1 import planning_pb2 as pb
from tunggal.inventory.v1.planning_pb2_grpc import PlanningServiceStub

from bench.inventory_history import History, synthetic
from services.common import logs
from services.common.client import channel
from services.common.db import Database
from services.inventory import app, tables
from services.inventory.ledger import days as ledger_days
from services.inventory.settings import Settings

_ROWS_AT_ONCE = 50_000
_SPOILED = 0.03
#: Blanks of the centre that the plan shares out.
_AT_CENTRE = 2_700_000


class Planning(NamedTuple):
    """What one database did."""

    forecast_seconds: float
    #: The forecast of who asks after that.
    forecast_again_seconds: float
    plan_seconds: float
    #: Rows of closed days that the forecast reads.
    rows: int
    #: Working days until the first regency runs dry, without and with the plan.
    days_before: float
    days_after: float


def measure(
    url: str, directory: Path, *, regencies: int = 514, days: int = 1096, repeats: int = 3
) -> Planning:
    """One forecast and one plan of the country, the median of ``repeats``, on an empty database."""
    yesterday = ledger_days.day_of(datetime.now(UTC)) - timedelta(days=1)
    history = synthetic(1, last=yesterday, days=days, limit=regencies)
    rows = write(url, history)
    first, again, plan = [], [], []
    made = pb.Plan()
    for _ in range(repeats):
        with _served(url, directory) as planning:
            first.append(_seconds(lambda: planning.GetForecast(pb.GetForecastRequest(), timeout=300)))
            again.append(_seconds(lambda: planning.GetForecast(pb.GetForecastRequest(), timeout=300)))
        with _served(url, directory) as planning:
            plan.append(_seconds(lambda: planning.CreatePlan(_plan_request(), timeout=300)))
            made = planning.CreatePlan(_plan_request(), timeout=300).plan
    return Planning(
        statistics.median(first),
        statistics.median(again),
        statistics.median(plan),
        rows,
        made.days_before,
        made.days_after,
    )


def write(url: str, history: History) -> int:
    """Write the history as closed days, with stock for 5 to 60 days at each place; rows of
    ``account_day``.
    """
    database = Database(url)
    database.migrate("services.inventory")
    rng = np.random.default_rng(7)
    each = [history.start + timedelta(days=k) for k in range(history.days)]
    accounts: list[dict[str, Any]] = [_account("ID", "on-hand", _AT_CENTRE)]
    snapshots: list[dict[str, Any]] = []
    for row, place in enumerate(history.locations):
        used = np.nan_to_num(history.used[row]).astype(int)
        spoiled = rng.binomial(used, _SPOILED)
        # A shelf that was empty in the evening of the first hidden day, and filled on the day after the last
        # one.
        empty = np.isnan(history.used[row])
        a_day = max(float(np.nanmean(history.used[row][-60:])), 1.0)
        stock = int(a_day * rng.uniform(5, 60))
        for condition, amounts in (("consumed", used - spoiled), ("spoiled", spoiled)):
            totals = np.cumsum(amounts)
            snapshots += [
                _snapshot(f"{place}/{condition}", each[k], int(totals[k]), int(amounts[k]), 0)
                for k in np.flatnonzero(amounts)
            ]
            accounts.append(_account(place, condition, int(totals[-1])))
        moved = used.copy()
        moved[1:][empty[1:] != empty[:-1]] = 1
        snapshots += [
            _snapshot(f"{place}/on-hand", each[k], 0 if empty[k] else stock, 0, int(used[k]))
            for k in np.flatnonzero(moved)
        ]
        accounts.append(_account(place, "on-hand", stock))
    with database.transaction() as connection:
        connection.execute(sa.insert(tables.ledger_day), [_day(day) for day in each])
        connection.execute(sa.insert(tables.account), accounts)
        for begin in range(0, len(snapshots), _ROWS_AT_ONCE):
            connection.execute(sa.insert(tables.account_day), snapshots[begin : begin + _ROWS_AT_ONCE])
        if database.dialect == "postgresql":
            connection.execute(sa.text("ANALYZE"))
    database.dispose()
    return len(snapshots)


@contextmanager
def _served(url: str, directory: Path) -> Iterator[PlanningServiceStub]:
    settings = Settings.model_validate(
        {
            "listen": "127.0.0.1:0",
            "health_listen": "",
            "metrics_listen": "",
            "data_dir": directory,
            "database_url": url,
            "tls_dir": directory / "tls",
            "log_level": "error",
        }
    )
    logs.configure(settings)
    # Statements of three years of days are not what is measured here.
    server = app.build(settings, statements=False).build().start()
    try:
        link: grpc.Channel = channel(
            f"127.0.0.1:{server.port}", directory / "tls", "operator-cli", server="inventory"
        )
        with link:
            planning = PlanningServiceStub(link)
            planning.ListPlans(pb.ListPlansRequest(), timeout=300)  # shakes hands
            yield planning
    finally:
        server.stop(grace=0)


def _plan_request() -> pb.CreatePlanRequest:
    return pb.CreatePlanRequest(
        request_id=str(uuid.uuid4()), scope="ID", lot=100, minimum=500, reason="measured", operator="bench"
    )


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _account(place: str, condition: str, balance: int) -> dict[str, Any]:
    return {
        "code": f"{place}/{condition}",
        "place": place,
        "item": "blank",
        "condition": condition,
        "balance": balance,
    }


def _snapshot(code: str, day: date, balance: int, added: int, removed: int) -> dict[str, Any]:
    return {"code": code, "day": day, "balance": balance, "added": added, "removed": removed}


def _day(day: date) -> dict[str, Any]:
    return {
        "day": day,
        "floor_entry": 0,
        "last_entry": 0,
        "transfers": 0,
        "close_time": ledger_days.end_of(day),
    }
