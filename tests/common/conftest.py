"""The echo service of these tests, served for real over mTLS, and the ledger's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.common import client, logs
from services.common.clock import FixedClock
from services.common.db import Database
from services.common.server import RunningServer, ServerBuilder
from tests.common.echo_service import ALLOW, SERVICE, EchoService, EchoStub, Settings, register
from tests.common.ledger_process import LEDGER


@dataclass
class Echo:
    """A running echo service, and ways to call it."""

    server: RunningServer
    servicer: EchoService
    settings: Settings
    channels: list[grpc.Channel]

    def stub(self, name: str = "operator-cli", **options: Any) -> Any:
        """A stub that calls as ``name``."""
        channel = client.channel(f"localhost:{self.server.port}", self.settings.tls_dir, name, **options)
        self.channels.append(channel)
        return EchoStub(channel)


Start = Callable[..., Echo]


@pytest.fixture
def settings(tmp_path: Path, tls_dir: Path) -> Settings:
    """Settings with free ports and a directory of the test's own."""
    return Settings(
        listen="127.0.0.1:0",
        health_listen="127.0.0.1:0",
        metrics_listen="127.0.0.1:0",
        data_dir=tmp_path,
        tls_dir=tls_dir,
        drain_seconds=5,
        max_message_bytes=64 * 1024,
    )


@pytest.fixture
def start(settings: Settings, clock: FixedClock) -> Iterator[Start]:
    """Starts echo services, and stops them after the test. Takes a function that adds to the builder."""
    running: list[Echo] = []
    logs.configure(settings)

    def go(prepare: Callable[[ServerBuilder], object] = lambda _: None, **changes: Any) -> Echo:
        servicer = EchoService()
        own = settings.model_copy(update=changes)
        builder = ServerBuilder(own, clock).add(SERVICE, register, servicer, ALLOW)
        prepare(builder)
        echo = Echo(builder.build().start(), servicer, own, [])
        running.append(echo)
        return echo

    yield go
    for echo in running:
        for channel in echo.channels:
            channel.close()
        echo.server.stop(grace=0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database of the ledger, with nothing in it."""
    made = Database(database_url)
    made.migrate(LEDGER)
    yield made
    made.dispose()
