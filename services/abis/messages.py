"""Domain values to messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.common.v1 import biometric_pb2

from services.abis.finger import Finger
from services.abis.fingerprint.interchange import quality_of, to_record
from services.abis.fingerprint.minutiae import BIFURCATION, ENDING
from services.abis.formats import iso19794_2
from services.abis.fusion import Decision
from services.abis.samples import Sample
from services.abis.search.verification import Found
from services.abis.store import Subject
from services.abis.views import position_value
from services.common import paging
from services.common.errors import InvalidArgument
from services.common.moments import timestamp

DECISIONS = {
    Decision.UNIQUE: pb.DECISION_UNIQUE,
    Decision.DUPLICATE: pb.DECISION_DUPLICATE,
    Decision.ADJUDICATE: pb.DECISION_ADJUDICATE,
}
_SEQUENCES = 1 << 63
"""Sequence numbers that the database can hold."""
_TYPES = {ENDING: pb.MINUTIA_TYPE_ENDING, BIFURCATION: pb.MINUTIA_TYPE_BIFURCATION}


def position(code: int) -> biometric_pb2.FingerPosition.ValueType:
    """FingerPosition of an ISO code."""
    return biometric_pb2.FingerPosition.ValueType(position_value(code))


def subject(known: Subject) -> pb.Subject:
    """An enrolled subject."""
    return pb.Subject(
        subject_id=known.subject_id,
        positions=[position(p) for p in known.positions],
        create_time=timestamp(known.create_time),
    )


def candidate(found: Found, probe: Sequence[Finger]) -> pb.Candidate:
    """A candidate with the comparisons behind it."""
    scores = [
        pb.FingerScore(
            probe_position=position(probe[score.probe].position),
            reference_position=position(there),
            score=score.score,
        )
        for score, there in zip(found.fused.fingers, found.positions, strict=True)
    ]
    return pb.Candidate(subject_id=found.subject_id, score=found.fused.score, fingers=scores)


def minutiae(sample: Sample) -> list[pb.Minutia]:
    """Minutiae in the coordinates of the sample as it was submitted."""
    template = sample.finger.template
    return [
        pb.Minutia(
            x=float(x) * sample.scale_x,
            y=float(y) * sample.scale_y,
            angle=float(np.degrees(angle)),
            type=_TYPES.get(int(kind), pb.MINUTIA_TYPE_OTHER),
            quality=round(100 * float(quality)),
        )
        for (x, y, angle, quality), kind in zip(template.points, template.kind, strict=True)
    ]


def finger_template(finger: Finger, most: int) -> pb.FingerTemplate:
    """A finger in interchange format, its best minutiae (0: all of them)."""
    record = to_record(finger.template, finger.position, most=most or 255)
    return pb.FingerTemplate(
        position=position(finger.position),
        iso19794_2_record=iso19794_2.write(record),
        quality=quality_of(finger.template),
    )


def token(last: Subject) -> str:
    """Page token for what comes after a subject."""
    return paging.encode_token({"after": last.sequence})


def after(page_token: str) -> int:
    """Sequence number after which a page begins; InvalidArgument where the token is not one of ours."""
    sequence = paging.decode_token(page_token).get("after", 0)
    if not isinstance(sequence, int) or not 0 <= sequence < _SEQUENCES:
        raise InvalidArgument(
            "PAGE_TOKEN_BROKEN",
            "The page token was not made by this method.",
            field="page_token",
            remedy="Send next_page_token of the previous answer unchanged, or nothing to start again.",
        )
    return sequence
