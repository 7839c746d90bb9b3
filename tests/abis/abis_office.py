"""One replica of the ABIS over mTLS, and short ways to call it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.abis.v1 import abis_pb2_grpc
from tunggal.common.v1 import biometric_pb2

from services.abis.app import build
from services.abis.settings import Settings
from services.common import client
from services.common.errors import TunggalError, remote_error

UNKNOWN = biometric_pb2.FINGER_POSITION_UNKNOWN
RIGHT_INDEX = biometric_pb2.FINGER_POSITION_RIGHT_INDEX


def new_id() -> str:
    return str(uuid4())


def sample(content: bytes, position: Any = UNKNOWN, dpi: int = 500) -> pb.FingerSample:
    return pb.FingerSample(position=position, image=pb.FingerImage(content=content, dpi=dpi))


def record(content: bytes, position: Any = UNKNOWN) -> pb.FingerSample:
    return pb.FingerSample(position=position, iso19794_2_record=content)


def refused(call: Any, request: Any) -> TunggalError:
    """The typed error with which a call is refused."""
    try:
        call(request)
    except grpc.RpcError as error:
        return remote_error(error)
    raise AssertionError("the call was not refused")


class Office:
    """A running replica."""

    def __init__(self, database_url: str, directory: Path, tls_dir: Path) -> None:
        self.settings = Settings(
            listen="127.0.0.1:0",
            health_listen="127.0.0.1:0",
            metrics_listen="",
            data_dir=directory,
            database_url=database_url,
            tls_dir=tls_dir,
            search_threads=2,
            drain_seconds=5,
            log_level="error",
        )
        self.server = build(self.settings).build().start()
        self.channels: list[grpc.Channel] = []
        self.stub = self.stub_as("operator-cli")

    def stub_as(self, name: str) -> abis_pb2_grpc.AbisServiceStub:
        self.channels.append(client.channel(f"127.0.0.1:{self.server.port}", self.settings.tls_dir, name))
        return abis_pb2_grpc.AbisServiceStub(self.channels[-1])

    def stop(self) -> None:
        for channel in self.channels:
            channel.close()
        self.server.stop(grace=1)

    def deduplicate(
        self, subject_id: str, *samples: pb.FingerSample, request_id: str = ""
    ) -> pb.DeduplicateResponse:
        return self.stub.Deduplicate(
            pb.DeduplicateRequest(
                request_id=request_id or new_id(), subject_id=subject_id, fingers=list(samples)
            )
        )

    def enrol(self, subject_id: str, samples: Sequence[pb.FingerSample]) -> None:
        self.stub.EnrolSubject(
            pb.EnrolSubjectRequest(request_id=new_id(), subject_id=subject_id, fingers=samples)
        )

    def subjects(self) -> int:
        return self.stub.GetGallery(pb.GetGalleryRequest()).subjects
