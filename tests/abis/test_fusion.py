"""Scores of fingers add up to the score of a person."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.abis.finger import UNKNOWN, require_distinct
from services.abis.fusion import CROSSED, OUTLIER, Decision, Thresholds, fuse
from services.common.errors import InvalidArgument

NAN = float("nan")


def test_fingers_of_known_position_add_up() -> None:
    fused = fuse(np.array([[5.0, NAN], [NAN, 7.0]]), [1, 2], [1, 2])
    assert fused.score == pytest.approx(12.0, abs=0.05)
    assert [(f.probe, f.reference) for f in fused.fingers] == [(0, 0), (1, 1)]


def test_one_injured_finger_does_not_hide_a_person() -> None:
    fused = fuse(np.array([[9.0, NAN], [NAN, -50.0]]), [1, 2], [1, 2])
    assert fused.score == pytest.approx(9.0 + math.log(OUTLIER), abs=0.05)


def test_fingers_of_unknown_position_find_their_partners_at_the_price_of_the_choice() -> None:
    scores = np.array([[-9.0, 8.0, -9.0], [7.0, -9.0, -9.0], [-9.0, -9.0, -9.0]])
    fused = fuse(scores, [UNKNOWN] * 3, [1, 2, 3])
    assert [(f.probe, f.reference) for f in fused.fingers] == [(0, 1), (1, 0), (2, 2)]
    assert fused.score == pytest.approx(8 + 7 + math.log(OUTLIER) - math.log(3) - math.log(2), abs=0.1)


def test_a_finger_under_another_label_counts_for_less() -> None:
    scores = np.array([[-9.0, 12.0], [11.0, -9.0]])
    straight = fuse(scores[:, ::-1], [1, 2], [1, 2])
    crossed = fuse(scores, [1, 2], [1, 2])
    assert [(f.probe, f.reference) for f in crossed.fingers] == [(0, 1), (1, 0)]
    assert crossed.score == pytest.approx(straight.score - 2 * CROSSED)


def test_nothing_compared_is_no_evidence() -> None:
    assert fuse(np.array([[NAN]]), [1], [2]).score == 0.0


@given(st.lists(st.floats(-30, 30), min_size=9, max_size=9))
def test_no_finger_counts_twice(values: list[float]) -> None:
    fused = fuse(np.array(values).reshape(3, 3), [UNKNOWN] * 3, [UNKNOWN] * 3)
    assert len({f.probe for f in fused.fingers}) == len({f.reference for f in fused.fingers}) == 3
    assert fused.score <= sum(max(f.score, math.log(OUTLIER)) for f in fused.fingers) + 0.1


def test_thresholds_split_the_scores_into_three() -> None:
    thresholds = Thresholds(adjudicate=3.0, duplicate=6.0)
    assert thresholds.decide(None) is Decision.UNIQUE
    assert thresholds.decide(2.9) is Decision.UNIQUE
    assert thresholds.decide(3.0) is Decision.ADJUDICATE
    assert thresholds.decide(6.0) is Decision.DUPLICATE


def test_a_known_position_may_occur_once_and_unknown_often() -> None:
    require_distinct([UNKNOWN, UNKNOWN, 1, 2], ["a", "b", "c", "d"])
    with pytest.raises(InvalidArgument) as refused:
        require_distinct([1, 2, 1], ["fingers[0]", "fingers[1]", "fingers[2]"])
    assert refused.value.field == "fingers[2].position"
