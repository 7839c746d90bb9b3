"""Readers as those see them who follow the service: over mTLS, and on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tunggal.cardperso.v1 import cardperso_pb2, reader_pb2, reader_pb2_grpc

from cli.readers import changes
from services.cardperso.app import build
from services.cardperso.settings import Settings
from services.common.client import channel
from services.common.clock import FixedClock
from services.common.errors import ResourceExhausted, remote_error
from services.common.server import RunningServer
from sim.card import ReaderBank, VirtualReader
from tests.cardperso.card_neighbours import Neighbours
from tests.cardperso.conftest import MakeCard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(bank: ReaderBank, clock: FixedClock, tmp_path: Path, tls_dir: Path) -> Iterator[RunningServer]:
    settings = Settings(
        listen="127.0.0.1:0",
        health_listen="",
        metrics_listen="",
        data_dir=tmp_path / "cardperso",
        tls_dir=tls_dir,
        station="here",
        drain_seconds=5,
        max_watchers=1,
    )
    world = Neighbours([])
    running = build(settings, clock, world.enroll, world.inventory).build().start()
    yield running
    running.stop(grace=2)


@pytest.fixture
def stub(server: RunningServer, tls_dir: Path) -> Iterator[reader_pb2_grpc.ReaderServiceStub]:
    with channel(f"127.0.0.1:{server.port}", tls_dir, "operator-cli", server="cardperso") as connection:
        yield reader_pb2_grpc.ReaderServiceStub(connection)


def test_whoever_follows_sees_cards_come_and_go(
    stub: reader_pb2_grpc.ReaderServiceStub, bank: ReaderBank, reader: VirtualReader, make_card: MakeCard
) -> None:
    answers = stub.WatchReaders(reader_pb2.WatchReadersRequest(), timeout=120)

    def until(present: bool) -> cardperso_pb2.Reader:
        for answer in answers:
            assert not answer.unavailable
            found = next((each for each in answer.readers if each.name == reader.name), None)
            if found is not None and found.card_present == present:
                return found
        raise AssertionError("the stream ended")

    assert until(False).atr == ""
    card = make_card().insert()
    assert until(True).atr == card.card.atr.hex().upper()
    card.remove()
    until(False)
    with pytest.raises(grpc.RpcError) as caught:
        next(iter(stub.WatchReaders(reader_pb2.WatchReadersRequest(), timeout=60)))
    refusal = remote_error(caught.value)
    assert isinstance(refusal, ResourceExhausted)
    assert refusal.reason == "TOO_MANY_WATCHERS"
    answers.cancel()


def test_the_command_tells_every_change(
    server: RunningServer, tls_dir: Path, reader: VirtualReader, make_card: MakeCard
) -> None:
    command = [sys.executable, "-m", "cli.main", "readers", "--watch"]
    command += ["--cardperso", f"127.0.0.1:{server.port}", "--tls-dir", str(tls_dir)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert follower.stdout is not None
            lines = iter(follower.stdout)
            # The table of what is there comes first; it names every reader.
            next(line for line in lines if reader.name[:10] in line)
            card = make_card().insert()
            told = next(line for line in lines if "card inserted" in line)
            assert f"{reader.name}: card inserted, ATR {card.card.atr.hex().upper()}" in told
            card.remove()
            assert f"{reader.name}: card removed" in next(line for line in lines if "card removed" in line)
        finally:
            # Not SIGINT: where the tests run in the background of a shell, children ignore it.
            follower.terminate()
            follower.wait(60)


def answer(*readers: tuple[str, str, str], lost: tuple[str, ...] = ()) -> reader_pb2.WatchReadersResponse:
    return reader_pb2.WatchReadersResponse(
        readers=[
            cardperso_pb2.Reader(name=name, card_present=bool(atr), atr=atr, job_id=job)
            for name, atr, job in readers
        ],
        unavailable=lost,
    )


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        (answer(("a", "", "")), answer(("a", "", "")), []),
        (answer(("a", "", "")), answer(("a", "3B80", "")), ["a: card inserted, ATR 3B80"]),
        (answer(("a", "3B80", "")), answer(("a", "3B81", "")), ["a: card inserted, ATR 3B81"]),
        (answer(("a", "3B80", "")), answer(("a", "", "")), ["a: card removed"]),
        (answer(("a", "", "")), answer(("b", "", "")), ["a: reader gone", "b: reader connected"]),
        (answer(("a", "", "")), answer(("a", "", "7f")), ["a: job 7f"]),
        (answer(("a", "", "7f")), answer(("a", "", "")), ["a: job 7f ended"]),
        (answer(), answer(lost=("hall",)), ["pcscd hall does not answer"]),
        (answer(lost=("",)), answer(), ["pcscd is back"]),
    ],
)
def test_changes_are_told_in_words(
    before: reader_pb2.WatchReadersResponse, now: reader_pb2.WatchReadersResponse, lines: list[str]
) -> None:
    assert changes(before, now) == lines
