"""Every vector kernel computes what the readable definition says, whatever the gallery looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.abis.kernels import I32, U64
from services.abis.search import path, select
from services.abis.search.plain import U16


def naive(rows: U64, width: int, owners: I32, codes: U64, limits: U64, sums: U16, greatest: bool) -> U16:
    """The definition, one finger at a time."""
    out = sums.copy()
    for finger, owner in enumerate(owners.tolist()):
        if not 0 <= owner < sums.size:
            continue
        group, lane = divmod(finger, 8)
        own = [int(code) for code in rows[group * width : (group + 1) * width, lane]]
        score = 0
        for code, limit in zip(codes.tolist(), limits.tolist(), strict=True):
            score += max(limit - min((code ^ other).bit_count() for other in own), 0)
        out[owner] = max(int(out[owner]), score) if greatest else out[owner] + score
    return out


@pytest.mark.parametrize("name", path.available())
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(0, 4),
    st.integers(1, 40),
    st.integers(0, 10),
    st.booleans(),
    st.booleans(),
)
def test_every_kernel_agrees_with_the_definition(
    name: str, seed: int, groups: int, width: int, blocks: int, alike: bool, greatest: bool
) -> None:
    rng = np.random.default_rng(seed)
    # Few different bits make small distances, random codes make distances around 32.
    bits = np.uint64(0b1011) if alike else np.uint64(2**64 - 1)
    rows = rng.integers(0, 2**64, (groups * width, 8), dtype=np.uint64) & bits
    codes = rng.integers(0, 2**64, 4 * blocks, dtype=np.uint64) & bits
    limits = rng.integers(0, 65, codes.size).astype(np.uint64)
    owners = rng.integers(-1, 12, groups * 8).astype(np.int32)
    sums = rng.integers(0, 3000, 10).astype(np.uint16)
    expected = naive(rows, width, owners, codes, limits, sums, greatest)
    path.load(name)(rows, width, owners, codes, limits, sums, greatest)
    assert sums.tolist() == expected.tolist()


def test_the_plain_kernel_runs_everywhere() -> None:
    assert path.available()[-1] == "plain"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.integers(1, 60))
def test_the_cut_keeps_the_best_and_all_who_tie_with_the_last_of_them(scores: list[int], most: int) -> None:
    values = np.array(scores, np.uint16)
    kept = select.at_least(values, select.cut(select.histogram(values), most))
    positive = sorted((score for score in scores if score > 0), reverse=True)
    least = positive[min(most, len(positive)) - 1] if positive else 1
    wanted = [k for k, score in enumerate(scores) if score >= least]
    assert kept.tolist() == wanted
