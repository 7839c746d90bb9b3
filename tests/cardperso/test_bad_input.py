"""What the service says to everything that it cannot use, and that nothing is spent on it.

Each walk goes through the running service: a card or a fault, then what an operator reads in the list of
jobs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from typer.testing import CliRunner

from cli.main import app
from services.cardperso.settings import Settings
from services.common.errors import FailedPrecondition
from sim.card.globalplatform import FACTORY_KEYS, CardSettings
from sim.card.globalplatform.persistent import SELECTABLE, Instance
from tests.cardperso.card_makers import eventually
from tests.cardperso.card_station import Station
from tests.cardperso.conftest import MakeBlank

Prepare = Callable[[Station, MakeBlank], Any]


@pytest.fixture
def changes() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(settings: Settings, changes: dict[str, Any], tmp_path: Path) -> Settings:
    named = {
        name: tmp_path / value if name == "pkcs11_pin_file" else value for name, value in changes.items()
    }
    return settings.model_copy(update=named)


def wrong_keys(station: Station, make_blank: MakeBlank) -> Any:
    return make_blank(settings=CardSettings(keys=replace(FACTORY_KEYS, mac=bytes(16)), tries=3)).insert()


def other_data(station: Station, make_blank: MakeBlank) -> Any:
    card = make_blank()
    system: Any = card.card
    others = (Instance(b"\xf0OTHERS", SELECTABLE, 0),)
    system.persistent.commit(replace(system.persistent.registry, instances=others))
    return card.insert()


def foreign_chip(station: Station, make_blank: MakeBlank) -> Any:
    card = make_blank().insert()
    station.world.foreign.add(card.uid)
    return card


def used_chip(station: Station, make_blank: MakeBlank) -> Any:
    card = make_blank().insert()
    station.world.consumed[77] = card.uid
    return card


def good_card(station: Station, make_blank: MakeBlank) -> Any:
    return make_blank().insert()


def no_blank(station: Station, make_blank: MakeBlank) -> Any:
    station.world.free.clear()
    return make_blank().insert()


def nobody_ready(station: Station, make_blank: MakeBlank) -> Any:
    station.world.queue.clear()
    return make_blank().insert()


def claimed_elsewhere(station: Station, make_blank: MakeBlank) -> Any:
    """The record was lent to us, then our claim lapsed and another station has it."""

    def lapsed(call: str) -> None:
        if call == "renew":
            raise FailedPrecondition(
                "CLAIM_ENDED",
                "The claim has ended: lapsed.",
                remedy="Stop working on the record, and claim the next one under a new request_id.",
            )

    station.world.before = lapsed
    return make_blank().insert()


def shown(station: Station) -> str:
    """What an operator reads of the jobs."""
    where = ["--cardperso", f"127.0.0.1:{station.server.port}", "--tls-dir", str(station.settings.tls_dir)]
    done = CliRunner().invoke(app, ["card", "jobs", *where])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("prepare", "changes", "reason", "ends"),
    [
        (wrong_keys, {}, "WRONG_KEYS", False),
        (good_card, {"card_load_file": "F000000000"}, "WRONG_CARD_TYPE", False),
        (other_data, {}, "CARD_NOT_BLANK", False),
        (foreign_chip, {}, "CHIP_FOREIGN", False),
        (used_chip, {}, "CHIP_ALREADY_USED", False),
        (nobody_ready, {}, "QUEUE_EMPTY", True),
        (claimed_elsewhere, {}, "CLAIM_ENDED", True),
        (no_blank, {}, "INSUFFICIENT_STOCK", True),
        (
            good_card,
            {"pkcs11_module": "/no/such/library.so", "pkcs11_pin_file": "pin"},
            "KEYSTORE_UNAVAILABLE",
            False,
        ),
        (good_card, {"spool": "/dev/null/spool"}, "PRINTER_OFFLINE", False),
    ],
    ids=[
        "wrong keys",
        "wrong card type",
        "card with other data",
        "chip of another lot",
        "chip used before",
        "no record print-ready",
        "record claimed elsewhere",
        "no blank",
        "token absent",
        "printer offline",
    ],
)
def test_what_cannot_be_used_is_named_with_what_to_do_and_costs_nothing(
    changes: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    make_blank: MakeBlank,
    prepare: Prepare,
    reason: str,
    ends: bool,
) -> None:
    (tmp_path / "pin").write_text("1234")
    station: Station = request.getfixturevalue("station")
    card = prepare(station, make_blank)
    before = card.card.persistent.registry
    spent = (list(station.world.free), dict(station.world.consumed), dict(station.world.printed))
    job = station.create()
    get = pb.GetCardJobRequest(job_id=job.job_id)
    eventually(lambda: station.stub.GetCardJob(get).job.reason.startswith(f"{reason}: "))
    if ends:
        assert station.watch(job)[-1].state == pb.CARD_JOB_STATE_FAILED
    told = station.stub.GetCardJob(get).job
    sentences = told.reason.removeprefix(f"{reason}: ")
    assert sentences.count(". ") >= 1, "what happened, then what to do"
    assert told.reason in shown(station)
    assert told.chip_uid == ""
    after = card.card.persistent.registry
    assert replace(after, sequence=before.sequence) == before, "the card is as it was"
    world = station.world
    still_held = sorted([*world.free, *world.held.values()])
    assert (still_held, world.consumed, world.printed) == (spent[0], spent[1], spent[2])
    assert not world.spoiled
    if ends:
        assert not world.held
