"""One finger submitted as two: by mistake, or to pass a check that counts fingers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.compare import compare
from services.abis.search import codes, crossed
from services.common.errors import FieldViolation, InvalidArgument

SAME = 12.0
"""Score (natural log-likelihood ratio) from which two fingers of one submission are the same one.

Far above where a duplicate begins: a wrong refusal sends a person home. In the four public sets the greatest
score of two different fingers is 1.2; 9 of 10 pairs of prints of one finger reach 12.
"""


def require_different(fingers: Sequence[Finger], fields: Sequence[str]) -> None:
    """Refuse a submission that holds one finger twice: InvalidArgument, FINGER_REPEATED, naming both by the
    paths of their samples in the request.
    """
    book = codes.default()
    own = [codes.encode(finger.template, book) for finger in fingers]
    likely = crossed.code_scores(fingers, own, book) >= crossed.LIKELY
    for i, j in np.argwhere(np.triu(likely | likely.T, 1)).tolist():
        if compare(fingers[i].template, fingers[j].template).score < SAME:
            continue
        first, second = fields[i], fields[j]
        message = f"{_name(fingers[i], first)} and {_name(fingers[j], second)} are prints of the same finger."
        raise InvalidArgument(
            "FINGER_REPEATED",
            message,
            remedy="Capture each finger once, and check which sample is which finger.",
            violations=[
                FieldViolation(one, message, "FINGER_REPEATED") for one in dict.fromkeys((second, first))
            ],
            metadata={"first": first, "second": second},
        )


def _name(finger: Finger, field: str) -> str:
    return f"{field} (finger {finger.position})" if finger.position != UNKNOWN else field
