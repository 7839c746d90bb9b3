"""The service on a real port, and what is asked of it again and again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from tunggal.enroll.v1 import enroll_pb2, enroll_pb2_grpc, record_pb2

from services.common import client
from services.common.clock import SystemClock
from services.common.db import Database
from services.common.errors import (
    TunggalError,
    remote_error,
)
from services.common.server import RunningServer
from services.enroll import tables
from services.enroll.settings import Settings
from tests.enroll.enroll_office import MemoryAbis
from tests.enroll.enroll_people import NIK

CLOCK = SystemClock()
# For what is refused before any database is asked.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PRR = record_pb2.RECORD_STATUS_PRINT_READY_RECORD


@dataclass
class Served:
    """A running service, its ABIS in memory, and ways to call it."""

    server: RunningServer
    settings: Settings
    abis: MemoryAbis
    channels: list[grpc.Channel]

    def stub(
        self, name: str = "operator-cli", tls_dir: Path | None = None
    ) -> enroll_pb2_grpc.EnrollServiceStub:
        directory = tls_dir or self.settings.tls_dir
        channel = client.channel(f"localhost:{self.server.port}", directory, name)
        self.channels.append(channel)
        return enroll_pb2_grpc.EnrollServiceStub(channel)

    def rows(self) -> dict[str, int]:
        """How many rows each table has that a submission writes to."""
        db = Database(self.settings.database_url)
        with db.read() as conn:
            counts = {
                table.name: conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in (tables.RECORDS, tables.EVENTS, tables.IMAGES)
            }
        db.dispose()
        return counts


Serve = Callable[..., Served]


def refused(
    call: Callable[[], object], kind: type[TunggalError], reason: str, field: str | None
) -> TunggalError:
    """The refusal of a call, which must say all of this and what to do."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = remote_error(caught.value)
    assert (type(error), error.reason, error.field) == (kind, reason, field)
    assert error.remedy
    assert NIK not in str(error)
    return error


def until_status(
    stub: enroll_pb2_grpc.EnrollServiceStub, record_id: str, status: record_pb2.RecordStatus.ValueType
) -> record_pb2.Record:
    def read() -> record_pb2.Record:
        return stub.GetRecord(enroll_pb2.GetRecordRequest(record_id=record_id)).record

    wait_for(lambda: read().status == status)
    return read()


def claim_request(**changes: str) -> enroll_pb2.ClaimNextRecordRequest:
    values = {"request_id": str(uuid.uuid4()), "region": "32.16", "claimant": "job-1"} | changes
    return enroll_pb2.ClaimNextRecordRequest(**values)


def retry_request(record_id: str) -> enroll_pb2.RetryRecordRequest:
    return enroll_pb2.RetryRecordRequest(
        request_id=str(uuid.uuid4()), record_id=record_id, reason="The ABIS is mended."
    )


def funnel() -> enroll_pb2.GetFunnelRequest:
    return enroll_pb2.GetFunnelRequest()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
