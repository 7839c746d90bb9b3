"""A running service, an operator's stubs, and neighbours in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import cardperso_pb2_grpc

from services.cardperso.settings import Settings
from services.common.errors import TunggalError, remote_error
from services.common.server import RunningServer
from sim.card import ReaderBank, VirtualReader
from tests.cardperso.card_neighbours import Neighbours


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Station:
    """A running service and an operator's stub."""

    server: RunningServer
    settings: Settings
    stub: cardperso_pb2_grpc.CardPersoServiceStub
    world: Neighbours
    bank: ReaderBank
    reader: VirtualReader

    def create(self, **changes: str) -> pb.CardJob:
        fields = {"region": "32.16", "location": "32.16", "reader": self.reader.name}
        request = pb.CreateCardJobRequest(request_id=new_id(), **(fields | changes))
        return self.stub.CreateCardJob(request).job

    def watch(self, job: pb.CardJob) -> list[pb.CardJob]:
        return [
            answer.job
            for answer in self.stub.WatchCardJob(pb.WatchCardJobRequest(job_id=job.job_id), timeout=60)
        ]


def refused(call: Callable[[Any], object], request: Message) -> TunggalError:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return remote_error(caught.value)
