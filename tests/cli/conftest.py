"""A shell before an empty inventory, and a finished demo day made by hand for all that shows one."""

from __future__ import annotations

import io
import logging
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from PIL import Image, ImageDraw
from typer.main import get_command
from typer.testing import CliRunner, Result

from cli.demo.outcome import Card, Outcome
from cli.demo.result import Custody, DayResult, Faces, Journal, Level, MatchedPair, Picture, Stock
from cli.main import app
from services.common.clock import Clock, FixedClock, SystemClock
from services.inventory.app import build
from services.inventory.settings import Settings

Run = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def services_do_not_log() -> Iterator[None]:
    """A command's output is the command's alone."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def commands_are_built_once() -> Iterator[None]:
    """Typer builds all commands anew for each one that is run, which takes longer than most of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


Serve = Callable[[Clock], str]


@pytest.fixture
def serve(tmp_path: Path, tls_dir: Path, migrated_file: Callable[[str], Path]) -> Iterator[Serve]:
    """Starts an empty inventory on a clock and returns its endpoint; stops it afterwards."""
    with ExitStack() as stack:

        def start(clock: Clock) -> str:
            settings = Settings(
                listen="127.0.0.1:0", health_listen="", metrics_listen="", data_dir=tmp_path, tls_dir=tls_dir
            )
            shutil.copyfile(migrated_file("services.inventory"), tmp_path / "tunggal.db")
            server = build(settings, clock).build().start()
            stack.callback(server.stop, grace=0)
            return f"127.0.0.1:{server.port}"

        yield start


@pytest.fixture
def endpoint(serve: Serve) -> str:
    """Where an empty inventory listens whose clock is the machine's."""
    return serve(SystemClock())


@pytest.fixture
def run(serve: Serve, clock: FixedClock, tls_dir: Path) -> Run:
    """Commands against an empty inventory whose clock stands, as siti unless somebody else is named."""
    options = ["--inventory", serve(clock), "--tls-dir", str(tls_dir)]

    def run(*arguments: str, columns: str = "120") -> Result:
        environment = {"COLUMNS": columns, "TUNGGAL_OPERATOR": "siti"}
        return CliRunner().invoke(app, [*arguments, *options], env=environment)

    return run


def _outcome(number: int, person: str, status: str, match: int = 0, **more: Any) -> Outcome:
    values: dict[str, Any] = {
        "key": f"visit-{number}",
        "person": person,
        "together": False,
        "nik": f"321601{number:010}",
        "name": f"Orang Ke-{number}",
        "record_id": f"record-{number}",
        "arrival": number,
        "status": status,
        "matching_record_id": f"record-{match}" if match else "",
        "score": 31.5 if match else 0.0,
        "seconds": 0.4,
    }
    return Outcome(**{**values, **more})


def _png(width: int, height: int, colour: str) -> bytes:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for ring in range(12, min(width, height), 18):
        draw.ellipse(
            (width / 2 - ring / 2, height / 2 - ring / 2, width / 2 + ring / 2, height / 2 + ring / 2),
            outline=colour,
        )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _picture(turn: float) -> Picture:
    marks = tuple(
        (190 + 120 * math.cos(turn + k), 190 + 130 * math.sin(turn + k), math.degrees(k) % 360)
        for k in range(12)
    )
    return Picture(_png(388, 374, "black"), marks)


@pytest.fixture
def outcome() -> Callable[..., Outcome]:
    """Makes an outcome: number, person, status, number of the matching record."""
    return _outcome


@pytest.fixture
def day() -> DayResult:
    """Three people, two of them twice (one at the same moment), three cards, a spoiled blank: all is well."""
    outcomes = (
        _outcome(1, "A", "PRINT_READY_RECORD"),
        _outcome(2, "B", "PRINT_READY_RECORD"),
        _outcome(3, "A", "DUPLICATE_RECORD", match=1),
        _outcome(4, "C", "PRINT_READY_RECORD", together=True),
        _outcome(5, "C", "DUPLICATE_RECORD", match=4, together=True),
    )
    made = tuple(
        Card(
            job_id=f"job-{serial}",
            state="HANDED_OVER",
            record_id=f"record-{record}",
            serial=serial,
            uid=f"04AA00{serial:08}",
            inserted_uid=f"04AA00{serial:08}",
            apdus=40,
            chip_seconds=0.05,
        )
        for serial, record in ((1, 1), (3, 2), (4, 4))
    )
    dead = Card(
        "job-2", "SPOILED", serial=2, inserted_uid="04AA0000000002", doomed=True, reason="CARD_GONE: it died"
    )
    level = Level("32.16", on_hand=6, allocated=0, in_transit=0, reserved=0, consumed=3, spoiled=1)
    centre = Level("ID", 0, 0, 0, 0, 0, 0)
    return DayResult(
        region="32.16",
        region_name="Kabupaten Bekasi",
        seed=1,
        fingerprints="",
        started="21 November 2026",
        machine="2 cores",
        people=3,
        outcomes=outcomes,
        cards=(made[0], dead, *made[1:]),
        bindings={card.serial: card.uid for card in made},
        journal=Journal(sessions=5, apdus=150, broken=0, unverified=()),
        final_status={
            o.record_id: "CARD_ISSUED" if o.status == "PRINT_READY_RECORD" else o.status for o in outcomes
        },
        stock=Stock(
            contracted=100,
            received=10,
            outstanding=90,
            allocated_to_region=10,
            levels=(centre, level),
            total=replace(level, location=""),
        ),
        spoiled_custody=(
            Custody("08:00:01", "lot.received", "supplier", "ID/on-hand", "operator/cli", "SJ-0001"),
            Custody(
                "08:03:07", "blank.spoiled", "32.16/reserved", "32.16/spoiled", "service/cardperso", "it died"
            ),
        ),
        matched=MatchedPair(
            probe=_picture(0.1),
            reference=_picture(0.0),
            pairs=tuple((k, k) for k in range(8)),
            score=31.5,
            probe_caption="Orang Ke-3",
            reference_caption="Orang Ke-1",
            finger="right index finger",
        ),
        faces=(Faces("Orang Ke-1", "04AA0000000001", 1, _png(1011, 638, "blue"), _png(1011, 638, "green")),),
        seconds={"start": 1.2, "stock": 0.1, "people": 5.0, "enrol": 0.9, "deduplicate": 3.2, "cards": 2.2},
        rpc={"SubmitRecord": {"count": 5, "p50_ms": 12.0, "p99_ms": 31.0}},
        restarts={"inventory": 0, "abis": 0, "enroll": 0, "cardperso": 0},
    )
