"""The ABIS over gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc
from tunggal.abis.v1 import abis_pb2, abis_pb2_grpc
from tunggal.common.v1 import biometric_pb2

from services.common.errors import DataLoss, remote_error
from services.enroll.deduplication import Decision, FingerImage, Outcome
from services.enroll.vault import ChipFinger


class GrpcAbis:
    """Implements :class:`services.enroll.deduplication.Abis`."""

    def __init__(self, channel: grpc.Channel, deadline_seconds: float) -> None:
        self._stub = abis_pb2_grpc.AbisServiceStub(channel)
        self._deadline = deadline_seconds

    def deduplicate(self, request_id: str, subject_id: str, fingers: Sequence[FingerImage]) -> Outcome:
        """See the protocol."""
        request = abis_pb2.DeduplicateRequest(
            request_id=request_id, subject_id=subject_id, fingers=_samples(fingers)
        )
        with _typed_errors():
            response = self._stub.Deduplicate(request, timeout=self._deadline)
        try:
            decision = Decision(response.decision)
        except ValueError as error:
            message = f"The ABIS answered with decision {response.decision}."
            raise DataLoss("DECISION_UNKNOWN", message) from error
        if decision is Decision.UNIQUE or not response.candidates:
            return Outcome(decision)
        best = response.candidates[0]
        return Outcome(decision, best.subject_id, best.score)

    def extract(self, fingers: Sequence[FingerImage], max_minutiae: int) -> list[ChipFinger]:
        """See the protocol."""
        request = abis_pb2.ExtractTemplatesRequest(fingers=_samples(fingers), max_minutiae=max_minutiae)
        with _typed_errors():
            response = self._stub.ExtractTemplates(request, timeout=self._deadline)
        return [
            ChipFinger(template.position, template.iso19794_2_record, template.quality)
            for template in response.templates
        ]


def _samples(fingers: Sequence[FingerImage]) -> list[abis_pb2.FingerSample]:
    return [
        abis_pb2.FingerSample(
            position=biometric_pb2.FingerPosition.ValueType(finger.position),
            image=abis_pb2.FingerImage(content=finger.content, dpi=finger.dpi),
        )
        for finger in fingers
    ]


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise remote_error(error) from error
