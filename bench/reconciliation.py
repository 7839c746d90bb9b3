"""How long a reconciliation takes, and in how much memory, on books of many cards.

    python -m bench.reconciliation --cards 1000000 --days 20 --json FILE

Cards are made up: each day has as many, spread over the regencies by number. Every service is a process of
its own on its own database; the command is another one, whose time and memory are told. A day is compared
for the country and for one regency, then all days.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from bench.inventory_history import regencies
from bench.postgres import databases_on
from services.cardperso.tables import JOBS
from services.common.db import Database
from services.enroll.record import Status
from services.enroll.tables import EVENTS, RECORDS
from services.inventory import tables

SERVICES = ("inventory", "cardperso", "enroll")
_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120.0
_FIRST_DAY = date(2026, 3, 2)
_AT_ONCE = 5_000
_SEED = 2026
#: The command, telling its own memory at most when it is done: what the system counts for a child begins with
#: the memory of its parent.
_COMMAND = """
import atexit, sys
def tell():
    with open("/proc/self/status") as status:
        sys.stderr.write(next(line for line in status if line.startswith("VmHWM")))
atexit.register(tell)
from cli.main import app
app()
"""


def run(cards: int, days: int, postgres: str = "") -> dict[str, Any]:
    """Seconds and megabytes of each comparison, by database."""
    report: dict[str, Any] = {"cards": cards, "days": days}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tunggal-bench-")))
        databases = {"sqlite": lambda: f"sqlite:///{directory}/{uuid4().hex}.db"}
        server = stack.enter_context(databases_on(postgres))
        if server is not None:
            databases["postgresql"] = server
        for name, new in databases.items():
            report[name] = _measure(new, directory / name, cards, days)
    return report


def _measure(new: Callable[[], str], directory: Path, cards: int, days: int) -> dict[str, Any]:
    urls = {service: new() for service in SERVICES}
    fill(urls, cards, days)
    day = (_FIRST_DAY + timedelta(days // 2)).isoformat()
    region = next(iter(regencies()))
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        ports = {
            service: stack.enter_context(_served(service, urls[service], directory)) for service in SERVICES
        }
        options = [f"--{service}=127.0.0.1:{port}" for service, port in ports.items()]
        options.append(f"--tls-dir={directory / 'tls'}")
        for name, scope in (
            ("regency_day", [region, f"--day={day}"]),
            ("country_day", [f"--day={day}"]),
            ("everything", ["--all"]),
        ):
            found[name] = _compared([*scope, *options])
            print(f"{directory.name} {name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def _compared(arguments: list[str]) -> dict[str, float]:
    """One run of the command: cards, seconds, seconds of its own processor time, and memory at most."""
    command = [sys.executable, "-c", _COMMAND, "reconcile", *arguments, "--json"]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=_environment(), stdout=output, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (output, errors):
            file.seek(0)
        told = errors.read()
        if process.returncode:
            raise RuntimeError(f"the command ended with {process.returncode}: {told}")
        cards = json.load(output)["totals"]["consumed"]
    return {
        "cards": cards,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "megabytes": round(int(told.split()[-2]) / 1024),
    }


def fill(urls: dict[str, str], cards: int, days: int) -> None:
    """Books of three services that agree about ``cards`` cards."""
    databases = {service: Database(url) for service, url in urls.items()}
    for service, database in databases.items():
        database.migrate(f"services.{service}")
    numbers = random.Random(_SEED)
    places = list(regencies())
    rows: dict[sa.Table, list[dict[str, Any]]] = {}
    service_of = {
        tables.reservation: "inventory",
        tables.chip: "inventory",
        JOBS: "cardperso",
        RECORDS: "enroll",
        EVENTS: "enroll",
    }

    def flush() -> None:
        for table, waiting in rows.items():
            with databases[service_of[table]].transaction() as connection:
                connection.execute(sa.insert(table), waiting)
        rows.clear()

    for number in range(cards):
        moment = datetime(_FIRST_DAY.year, _FIRST_DAY.month, _FIRST_DAY.day, 1, tzinfo=UTC)
        moment += timedelta(days=number * days // cards, seconds=number % 28_800)
        uid = f"04{numbers.getrandbits(48):012X}"
        ids = UUID(int=numbers.getrandbits(128)), UUID(int=numbers.getrandbits(128))
        for table, row in _card(number + 1, places[number % len(places)], uid, ids, moment):
            rows.setdefault(table, []).append(row)
        if number % _AT_ONCE == _AT_ONCE - 1:
            flush()
    flush()
    for database in databases.values():
        if database.dialect == "postgresql":
            with database.transaction() as connection:
                connection.exec_driver_sql("ANALYZE")
        database.dispose()


def _card(
    serial: int, place: str, uid: str, ids: tuple[UUID, UUID], moment: datetime
) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    record_id, job_id = map(str, ids)
    yield (
        tables.reservation,
        {
            "reservation_id": job_id,
            "serial": serial,
            "location": place,
            "purpose": job_id,
            "state": "consumed",
            "reserve_time": moment,
            "end_time": moment,
            "end_reason": "",
        },
    )
    yield tables.chip, {"chip_uid": uid, "serial": serial, "bind_time": moment}
    empty = dict.fromkeys(("station", "reader", "claim_id", "reservation_id", "reason"), "")
    yield (
        JOBS,
        {
            **empty,
            "job_id": job_id,
            "version": 8,
            "state": "HANDED_OVER",
            "region": place,
            "location": place,
            "issue_date": moment.date(),
            "create_time": moment,
            "update_time": moment + timedelta(days=3),
            "record_id": record_id,
            "blank_serial": serial,
            "chip_uid": uid,
            "consumed": True,
            "apdu_count": 40,
            "chip_seconds": 4.0,
            "readback_mismatches": 0,
            "card_time": moment,
        },
    )
    yield (
        RECORDS,
        {
            "record_id": record_id,
            "arrival_number": serial,
            "nik": f"{serial:016}",
            "region": place,
            "biodata_key": "key",
            "biodata": bytes(200),
            "status": int(Status.CARD_ISSUED),
            "status_time": moment + timedelta(days=3),
            "create_time": moment - timedelta(days=1),
            "reason": "",
            "attempts": 0,
            "faults": 0,
            "matching_record_id": "",
            "match_score": 0.0,
            "chip_uid": uid,
        },
    )
    steps = (Status.SENT_FOR_CARD_PRINTING, Status.CARD_PRINTED, Status.CARD_ISSUED)
    for step, status in enumerate(steps):
        yield (
            EVENTS,
            {
                "sequence": serial * len(steps) + step,
                "record_id": record_id,
                "region": place,
                "status": int(status),
                "reason": "",
                "actor": "service/cardperso",
                "event_time": moment + timedelta(days=3 * (status is Status.CARD_ISSUED)),
            },
        )


def _environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNGGAL_")}
    return kept | {"PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'protos'}"} | changes


@contextmanager
def _served(service: str, url: str, directory: Path) -> Iterator[int]:
    """The port of the service, running on that database."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"{service}.log"
    environment = _environment(
        TUNGGAL_DATABASE_URL=url,
        TUNGGAL_DATA_DIR=str(directory / service),
        TUNGGAL_TLS_DIR=str(directory / "tls"),
        TUNGGAL_LISTEN="127.0.0.1:0",
        TUNGGAL_HEALTH_LISTEN="",
        TUNGGAL_METRICS_LISTEN="",
    )
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"], env=environment, stdout=output, stderr=output
        )
    try:
        until = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < until:
            ready = [line for line in log.read_text().splitlines() if '"ready"' in line]
            if ready:
                yield int(json.loads(ready[0])["port"])
                return
            time.sleep(0.1)
        raise RuntimeError(f"{service} did not start: {log.read_text()[-500:]}")
    finally:
        process.kill()
        process.wait(timeout=_START_SECONDS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--postgres", default="", help="URL of a server; else one of its own, if there")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report = run(arguments.cards, arguments.days, arguments.postgres)
    text = json.dumps(report, indent=2)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
