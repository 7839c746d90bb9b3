"""One duplicate to look at: the finger that gave it away, beside the same finger under the other identity."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from PIL import Image
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.abis.v1.abis_pb2_grpc import AbisServiceStub
from tunggal.common.v1.biometric_pb2 import FingerPosition

from cli.demo.calls import patiently
from cli.demo.outcome import DUPLICATE, Outcome
from cli.demo.result import MatchedPair, Picture
from sim.demo.day import CapturedFinger, Submission


def matched_pair(
    abis: AbisServiceStub, outcomes: Sequence[Outcome], submissions: Mapping[str, Submission]
) -> MatchedPair | None:
    """The found duplicate with the highest score, shown by its finger with the most corresponding minutiae.

    Args:
        abis: compares the images once more.
        outcomes: of the day.
        submissions: what was submitted, by record id.
    """
    found = [o for o in outcomes if o.status == DUPLICATE and o.matching_record_id in submissions]
    if not found:
        return None
    # Of two that came at the same moment neither is "the later one": shown only where there is no other.
    best = max(found, key=lambda outcome: (not outcome.together, outcome.score))
    probe, reference = submissions[best.record_id], submissions[best.matching_record_id]
    compared = [
        (patiently(lambda a=a, b=b: abis.CompareSamples(_request(a, b))), a, b)  # type: ignore[misc]
        for a in probe.fingers
        for b in reference.fingers
        if a.position == b.position
    ]
    if not compared:
        return None
    answer, finger, other = max(compared, key=lambda each: len(each[0].pairs))
    return MatchedPair(
        probe=_picture(finger, answer.probe_minutiae),
        reference=_picture(other, answer.reference_minutiae),
        pairs=tuple((pair.probe, pair.reference) for pair in answer.pairs),
        score=answer.score,
        probe_caption=probe.biodata.full_name,
        reference_caption=reference.biodata.full_name,
        finger=finger_name(finger.position),
    )


def finger_name(position: int) -> str:
    """The finger's name, such as "right index finger"; "finger" where it is not known."""
    if position <= FingerPosition.FINGER_POSITION_UNKNOWN:
        return "finger"
    name = FingerPosition.Name(FingerPosition.ValueType(position))
    words = name.removeprefix("FINGER_POSITION_").replace("_", " ").lower()
    return words if words.endswith("thumb") else f"{words} finger"


def compare_record(abis: AbisServiceStub, record: bytes, finger: CapturedFinger) -> float:
    """Score of an ISO/IEC 19794-2 record of a finger and an image of it, natural log-likelihood ratio."""
    probe = pb.FingerSample(position=FingerPosition.ValueType(finger.position), iso19794_2_record=record)
    request = pb.CompareSamplesRequest(probe=probe, reference=_sample(finger))
    return patiently(lambda: abis.CompareSamples(request)).score


def _sample(finger: CapturedFinger) -> pb.FingerSample:
    return pb.FingerSample(
        position=FingerPosition.ValueType(finger.position),
        image=pb.FingerImage(content=finger.content, dpi=finger.dpi),
    )


def _request(probe: CapturedFinger, reference: CapturedFinger) -> pb.CompareSamplesRequest:
    return pb.CompareSamplesRequest(probe=_sample(probe), reference=_sample(reference))


def _picture(finger: CapturedFinger, minutiae: Sequence[pb.Minutia]) -> Picture:
    out = io.BytesIO()
    Image.open(io.BytesIO(finger.content)).convert("L").save(out, "PNG", optimize=True)
    return Picture(out.getvalue(), tuple((m.x, m.y, m.angle) for m in minutiae))
