"""The RPC that looks at cards: inspection → message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import grpc
from cryptography import x509
from tunggal.cardperso.v1 import verification_pb2 as pb
from tunggal.cardperso.v1 import verification_pb2_grpc

from services.cardperso.job import Card, Job
from services.cardperso.verify.inspection import Inspector
from services.common import audit, requests
from services.common.clock import Clock
from services.common.db import Database
from services.common.identity import caller
from services.common.moments import timestamp

#: Who may call what: SPIFFE paths by method.
ALLOW = {"VerifyCard": frozenset({"operator/*"})}


class VerificationService(verification_pb2_grpc.VerificationServiceServicer):
    """Adapter between the contract and the inspector; `job_of_chip` finds the job that made a card."""

    def __init__(
        self, inspector: Inspector, database: Database, clock: Clock, job_of_chip: Callable[[str], Job | None]
    ) -> None:
        self._inspector = inspector
        self._database = database
        self._clock = clock
        self._job_of_chip = job_of_chip

    def VerifyCard(
        self, request: pb.VerifyCardRequest, context: grpc.ServicerContext
    ) -> pb.VerifyCardResponse:
        """See the contract; whoever looks at a person's card is written down."""
        seen = self._inspector.look(request.reader, request.mrz, request.code)
        self._database.run(
            lambda conn: audit.append(
                conn,
                actor=caller(context),
                action="VerifyCard",
                resource=f"chips/{seen.chip_uid or 'unknown'}",
                reason=seen.verification.summary[:500],
                digest=requests.digest_of(request),
                at=self._clock.now(),
            )
        )
        job = self._job_of_chip(seen.chip_uid) if seen.chip_uid else None
        verification, contents = seen.verification, seen.contents
        findings = [
            pb.CardFinding(problem=found.problem, file=found.subject, detail=found.detail)
            for found in verification.findings
        ]
        if verification.genuine and job is not None and job.card is Card.VOID:
            detail = f"All on it is right, but it was taken out of use: {job.reason}"
            findings.append(pb.CardFinding(problem="CARD_VOID", detail=detail))
        return pb.VerifyCardResponse(
            chip_uid=seen.chip_uid,
            profile=verification.profile,
            genuine=not findings,
            findings=findings,
            files=[
                pb.FileOnCard(key=key, size=len(content), sha256=hashlib.sha256(content).digest())
                for key, content in verification.files.items()
            ],
            fields=[pb.FieldOnCard(name=name, text=text) for name, text in contents.fields.items()],
            portrait=contents.portrait,
            signature=contents.signature,
            fingers=[
                pb.FingerOnCard(position=finger.position, minutiae=len(finger.minutiae))
                for finger in contents.fingers
            ],
            signer=None if verification.signer is None else _signer(verification.signer),
            job_id="" if job is None else job.job_id,
        )


def _signer(certificate: x509.Certificate) -> pb.SignerOfCard:
    return pb.SignerOfCard(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:X}",
        not_after=timestamp(certificate.not_valid_after_utc),
    )
