"""Story: a station has readers behind two pcscd. Both make cards; one is killed in the middle of a card and
started again, and the service, which nobody restarts, finishes that card.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import cardperso_pb2_grpc

from services.cardperso import pcsc
from services.cardperso.app import build
from services.cardperso.settings import Settings
from services.common.client import channel
from services.common.clock import FixedClock
from sim.card import Pace, ReaderBank
from sim.card.globalplatform import VirtualGlobalPlatformCard
from tests.cardperso.card_makers import eventually, make_holder
from tests.cardperso.card_neighbours import Neighbours
from tests.cardperso.card_station import new_id


@pytest.fixture
def banks(pcsc: None) -> Iterator[dict[str, ReaderBank]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(ReaderBank(2, name=name.title())) for name in ("hall", "annex")}


@pytest.fixture
def world() -> Neighbours:
    return Neighbours([replace(make_holder(), record_id=new_id()) for _ in range(4)])


@pytest.fixture
def stub(
    settings: Settings, clock: FixedClock, banks: dict[str, ReaderBank], world: Neighbours
) -> Iterator[cardperso_pb2_grpc.CardPersoServiceStub]:
    sockets = ",".join(f"{name}={bank.socket}" for name, bank in banks.items())
    patient = settings.model_copy(
        update={"pcsc_sockets": sockets, "card_wait_seconds": 120.0, "resume_wait_seconds": 120.0}
    )
    server = build(patient, clock, world.enroll, world.inventory).build().start()
    with channel(f"127.0.0.1:{server.port}", settings.tls_dir, "operator-cli", server="cardperso") as line:
        yield cardperso_pb2_grpc.CardPersoServiceStub(line)
    server.stop(grace=2)
    pcsc.SYSTEM.use({})


def create(stub: cardperso_pb2_grpc.CardPersoServiceStub, reader: str) -> str:
    request = pb.CreateCardJobRequest(request_id=new_id(), region="32.16", location="32.16", reader=reader)
    return stub.CreateCardJob(request).job.job_id


def ended(stub: cardperso_pb2_grpc.CardPersoServiceStub, job_id: str) -> pb.CardJob:
    return [answer.job for answer in stub.WatchCardJob(pb.WatchCardJobRequest(job_id=job_id), timeout=150)][
        -1
    ]


def test_readers_of_both_make_cards(
    stub: cardperso_pb2_grpc.CardPersoServiceStub, banks: dict[str, ReaderBank], tmp_path: Path
) -> None:
    readers = {f"{name}/{each.name}": each.port for name, bank in banks.items() for each in bank.readers}
    assert [each.name for each in stub.ListReaders(pb.ListReadersRequest()).readers] == list(readers)
    with ExitStack() as stack:
        cards = {
            name: stack.enter_context(VirtualGlobalPlatformCard(tmp_path / f"card-{port}", port))
            for name, port in readers.items()
        }
        jobs = {name: create(stub, name) for name in readers}
        made = {name: ended(stub, job) for name, job in jobs.items()}
    assert {job.state for job in made.values()} == {pb.CARD_JOB_STATE_PRINTED}
    assert {name: job.chip_uid for name, job in made.items()} == {
        name: card.uid for name, card in cards.items()
    }


def test_a_pcscd_that_is_killed_in_the_middle_of_a_card_costs_no_card(
    stub: cardperso_pb2_grpc.CardPersoServiceStub,
    banks: dict[str, ReaderBank],
    world: Neighbours,
    tmp_path: Path,
) -> None:
    annex = banks["annex"]
    reader = annex.readers[0]
    with VirtualGlobalPlatformCard(tmp_path / "card", reader.port, pace=Pace(apdu=0.05)) as card:
        job = create(stub, f"annex/{reader.name}")
        # The fifteenth APDU is one that brings data.
        eventually(lambda: card.apdus > 14)
        annex.kill()
        assert stub.GetCardJob(pb.GetCardJobRequest(job_id=job)).job.state == pb.CARD_JOB_STATE_WRITING
        annex.restart()
        card.insert()
        made = ended(stub, job)
    assert (made.state, made.chip_uid) == (pb.CARD_JOB_STATE_PRINTED, card.uid)
    assert list(world.consumed.values()) == [card.uid]
    assert not world.spoiled
