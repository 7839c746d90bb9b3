"""The RPCs of the ABIS: message → domain call → message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.abis.v1 import abis_pb2_grpc

from services.abis import messages
from services.abis.deduplicate import Deduplication
from services.abis.drift import Drift
from services.abis.finger import Finger, require_evidence
from services.abis.fingerprint.compare import compare
from services.abis.fusion import Decision
from services.abis.identify import Identification
from services.abis.repeated import require_different
from services.abis.samples import Reader
from services.abis.store import Store
from services.common import audit, paging, requests
from services.common.clock import Clock
from services.common.db import Database
from services.common.identity import caller

R = TypeVar("R", bound=Message)

_ENROL = frozenset({"service/enroll", "operator/*"})
_OPERATORS = frozenset({"operator/*"})

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "Deduplicate": _ENROL,
    "EnrolSubject": _OPERATORS,
    "Identify": _ENROL,
    "Verify": _ENROL,
    "CompareSamples": _ENROL,
    "ExtractTemplates": _ENROL,
    "GetSubject": _ENROL,
    "ListSubjects": _OPERATORS,
    "DeleteSubject": _OPERATORS,
    "GetGallery": frozenset({"service/*", "operator/*"}),
}
_MOST_CANDIDATES = 10


class AbisService(abis_pb2_grpc.AbisServiceServicer):
    """Adapter between the contract and the domain."""

    def __init__(
        self,
        database: Database,
        store: Store,
        identification: Identification,
        deduplication: Deduplication,
        reader: Reader,
        drift: Drift,
        verify_threshold: float,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._identification = identification
        self._deduplication = deduplication
        self._reader = reader
        self._drift = drift
        self._verify_threshold = verify_threshold
        self._clock = clock

    def Deduplicate(
        self, request: pb.DeduplicateRequest, context: grpc.ServicerContext
    ) -> pb.DeduplicateResponse:
        """Searches the gallery for the subject and inserts it, as one decision."""
        if (first := self._answered(request, pb.DeduplicateResponse)) is not None:
            return first
        fingers = self._fingers(request)
        before = self._deduplication.search(fingers)

        def work(conn: sa.Connection) -> pb.DeduplicateResponse:
            verdict = self._deduplication.decide(conn, request.subject_id, fingers, before, self._clock.now())
            if verdict.decision is Decision.DUPLICATE:
                self._drift.confirmed(one.score for one in verdict.candidates[0].fused.fingers)
            return pb.DeduplicateResponse(
                decision=messages.DECISIONS[verdict.decision],
                candidates=[messages.candidate(c, fingers) for c in verdict.candidates],
                gallery_size=verdict.compared,
            )

        return self._change(request, context, pb.DeduplicateResponse, "deduplicated", work)

    def EnrolSubject(
        self, request: pb.EnrolSubjectRequest, context: grpc.ServicerContext
    ) -> pb.EnrolSubjectResponse:
        """Inserts a subject without a search."""
        if (first := self._answered(request, pb.EnrolSubjectResponse)) is not None:
            return first
        self._deduplication.before_enrolling()
        fingers = self._fingers(request)

        def work(conn: sa.Connection) -> pb.EnrolSubjectResponse:
            stored = self._deduplication.enrol(conn, request.subject_id, fingers, self._clock.now())
            return pb.EnrolSubjectResponse(subject=messages.subject(stored))

        return self._change(request, context, pb.EnrolSubjectResponse, "enrolled without a search", work)

    def Identify(self, request: pb.IdentifyRequest, context: grpc.ServicerContext) -> pb.IdentifyResponse:
        """Searches the gallery and changes nothing; it is written down who searched."""
        fingers = self._fingers(request)
        found = self._deduplication.identify(fingers, request.max_candidates or _MOST_CANDIDATES)
        actor = caller(context)

        def note(conn: sa.Connection) -> None:
            self._store.lock(conn)
            self._deduplication.identified(conn)
            audit.append(
                conn,
                actor=actor,
                action="Identify",
                resource="subjects",
                reason="identified",
                digest=requests.digest_of(request),
                at=self._clock.now(),
            )

        self._database.run(note)
        return pb.IdentifyResponse(
            candidates=[messages.candidate(c, fingers) for c in found.candidates], gallery_size=found.compared
        )

    def Verify(self, request: pb.VerifyRequest, context: grpc.ServicerContext) -> pb.VerifyResponse:
        """Compares samples with one enrolled subject."""
        fingers = [sample.finger for sample in self._reader.person(request.fingers)]
        require_evidence(fingers)
        found = self._identification.verify(fingers, request.subject_id)
        if found is None:
            return pb.VerifyResponse(match=False, candidate=pb.Candidate(subject_id=request.subject_id))
        match = found.fused.score >= self._verify_threshold
        if match:
            self._drift.confirmed(one.score for one in found.fused.fingers)
        return pb.VerifyResponse(match=match, candidate=messages.candidate(found, fingers))

    def CompareSamples(
        self, request: pb.CompareSamplesRequest, context: grpc.ServicerContext
    ) -> pb.CompareSamplesResponse:
        """Compares two samples with each other and returns their minutiae and pairs."""
        probe = self._reader.sample(request.probe, field="probe")
        reference = self._reader.sample(request.reference, field="reference")
        found = compare(probe.finger.template, reference.finger.template)
        return pb.CompareSamplesResponse(
            score=found.score,
            probe_minutiae=messages.minutiae(probe),
            reference_minutiae=messages.minutiae(reference),
            pairs=[pb.MinutiaPair(probe=int(a), reference=int(b)) for a, b in found.pairs],
        )

    def ExtractTemplates(
        self, request: pb.ExtractTemplatesRequest, context: grpc.ServicerContext
    ) -> pb.ExtractTemplatesResponse:
        """Turns samples into interchange records and stores nothing."""
        samples = self._reader.samples(request.fingers)
        templates = [messages.finger_template(one.finger, request.max_minutiae) for one in samples]
        if request.with_nfiq2:
            for template, score in zip(templates, self._reader.nfiq2(samples), strict=True):
                if score is not None:
                    template.nfiq2 = score
        return pb.ExtractTemplatesResponse(templates=templates)

    def GetSubject(
        self, request: pb.GetSubjectRequest, context: grpc.ServicerContext
    ) -> pb.GetSubjectResponse:
        """Reads what is known of a subject."""
        with self._database.read() as conn:
            return pb.GetSubjectResponse(subject=messages.subject(self._store.get(conn, request.subject_id)))

    def ListSubjects(
        self, request: pb.ListSubjectsRequest, context: grpc.ServicerContext
    ) -> pb.ListSubjectsResponse:
        """Lists subjects in order of insertion."""
        size = paging.page_size(request.page_size)
        after = messages.after(request.page_token)
        with self._database.read() as conn:
            found = self._store.page(conn, after, size + 1)
        more = messages.token(found[size - 1]) if len(found) > size else ""
        return pb.ListSubjectsResponse(
            subjects=[messages.subject(s) for s in found[:size]], next_page_token=more
        )

    def DeleteSubject(
        self, request: pb.DeleteSubjectRequest, context: grpc.ServicerContext
    ) -> pb.DeleteSubjectResponse:
        """Removes a subject and its references."""

        def work(conn: sa.Connection) -> pb.DeleteSubjectResponse:
            self._store.delete(conn, request.subject_id)
            return pb.DeleteSubjectResponse()

        return self._change(request, context, pb.DeleteSubjectResponse, request.reason, work)

    def GetGallery(
        self, request: pb.GetGalleryRequest, context: grpc.ServicerContext
    ) -> pb.GetGalleryResponse:
        """Counts what the gallery holds."""
        self._identification.follow()
        subjects, fingers = self._identification.gallery.counts()
        thresholds = self._deduplication.policy.at(subjects, 1)
        return pb.GetGalleryResponse(
            subjects=subjects,
            fingers=fingers,
            duplicate_threshold=thresholds.duplicate,
            adjudicate_threshold=thresholds.adjudicate,
        )

    def _fingers(
        self, request: pb.DeduplicateRequest | pb.EnrolSubjectRequest | pb.IdentifyRequest
    ) -> list[Finger]:
        """The fingers of one person, different ones that say something."""
        samples = self._reader.person(request.fingers)
        fingers = [sample.finger for sample in samples]
        require_evidence(fingers)
        require_different(fingers, [sample.field for sample in samples])
        self._drift.submitted(fingers)
        return fingers

    def _answered(self, request: Message, response_type: type[R]) -> R | None:
        """The first answer to a repeated request, before its images are extracted again."""
        with self._database.read() as conn:
            return requests.stored(conn, request.DESCRIPTOR.name, request, response_type)

    def _change(
        self,
        request: pb.DeduplicateRequest | pb.EnrolSubjectRequest | pb.DeleteSubjectRequest,
        context: grpc.ServicerContext,
        response_type: type[R],
        reason: str,
        work: Callable[[sa.Connection], R],
    ) -> R:
        """Change the gallery once for the request's id, alone, with an audit entry; then follow it."""
        actor, method = caller(context), request.DESCRIPTOR.name

        def transact(conn: sa.Connection) -> R:
            self._store.lock(conn)

            def decide() -> R:
                response = work(conn)
                audit.append(
                    conn,
                    actor=actor,
                    action=method.removesuffix("Request"),
                    resource=f"subjects/{request.subject_id}",
                    reason=reason,
                    digest=requests.digest_of(request),
                    at=self._clock.now(),
                )
                return response

            return requests.once(conn, method, request, response_type, decide, clock=self._clock)

        response = self._database.run(transact)
        self._identification.follow()
        return response
