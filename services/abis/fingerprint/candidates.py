"""Which of the candidate motions deserve a full comparison.

Two looks: do the ridges run the same way (at every motion), and do minutiae fall on minutiae (at the KEPT
best of them, each fitted once to those that do).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.overlap import overlap
from services.abis.fingerprint.pairing import cost_of, mutual
from services.abis.fingerprint.prepared import COS, ROOT, SIN, TURN, X, Y
from services.abis.kernels import F32, F64, I32, kernel

KEPT: Final = 5
"""Voted motions that survive the first look."""
FROM_LSSR: Final = 3
"""Best relaxed pairs whose own motions are looked at beside those."""
DIRECTION: Final = 2.5
"""Weight of the agreement of directions against the share of votes, in the first look."""
REACH: Final = 30.0
REACH_FITTED: Final = 20.0
REACH_ANGLE: Final = 0.58
"""Residual within which minutiae support a motion, before and after the fit to them."""
LEVER_SQUARED: Final = 2500.0
"""Two or three neighbouring pairs say little about the turn: their angles do, with a lever of 50 px."""
SHRINK_CELLS: Final = 60.0
SAME_WAY: Final = 12.0
DENSITY: Final = 12.0
"""Weights in the second look, beside that of supporting pairs (1): of directions, and of pairs an area."""


@kernel("float64(float32[:,::1], int64, int32[:,::1], float64[::1])")
def same_way(cells: F32, size: int, grid: I32, motion: F64) -> float:
    """How well the ridges' directions agree under a rigid motion, shrunk, to 1. See `overlap.overlap`."""
    count, agree, _ = overlap(cells, size, grid, motion)
    # Cells of a chessboard, or each second of those.
    share = 2.0 * cells.shape[1] / size
    return float(share * agree / (share * count + SHRINK_CELLS))


@kernel("void(float32[:,::1], float32[:,::1], int32[:,::1], float64[::1])")
def fit(a: F32, b: F32, pairs: I32, motion: F64) -> None:
    """Least-squares rigid motion of the pairs of `pairing.mutual`, close ones weighing more, written to
    motion.
    """
    w, ax, ay, bx, by, dot, cross = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        v = 1.0 / (1.0 + 2.0 * cost_of(pairs[k, 2]))
        px, py, qx, qy = float(a[X, i]), float(a[Y, i]), float(b[X, j]), float(b[Y, j])
        w += v
        ax += v * px
        ay += v * py
        bx += v * qx
        by += v * qy
        dot += v * (px * qx + py * qy + LEVER_SQUARED * (a[COS, i] * b[COS, j] + a[SIN, i] * b[SIN, j]))
        cross += v * (qx * py - qy * px + LEVER_SQUARED * (a[COS, i] * b[SIN, j] - a[SIN, i] * b[COS, j]))
    if w <= 0.0:
        return
    dot -= (ax * bx + ay * by) / w
    cross -= (bx * ay - by * ax) / w
    length = np.sqrt(dot * dot + cross * cross)
    if length <= 0.0:
        return
    c, s = dot / length, cross / length
    motion[0], motion[1] = c, s
    motion[2] = (bx - (c * ax + s * ay)) / w
    motion[3] = (by - (c * ay - s * ax)) / w


@kernel("float64(float32[:,::1], float32[:,::1], int32[:,::1], float64[::1])")
def closeness(a: F32, b: F32, pairs: I32, motion: F64) -> float:
    """How many pairs of `pairing.mutual` a motion explains: each counts by its quality and by how close it
    comes.
    """
    total = 0.0
    turn = np.arctan2(motion[1], motion[0]) * (1.0 / (2 * np.pi))
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        dx = b[X, j] - (motion[0] * a[X, i] + motion[1] * a[Y, i] + motion[2])
        dy = b[Y, j] - (motion[0] * a[Y, i] - motion[1] * a[X, i] + motion[3])
        d2 = (dx * dx + dy * dy) * (1.0 / (REACH_FITTED * REACH_FITTED))
        off = b[TURN, j] - a[TURN, i] - turn
        off = (off - np.floor(off + 0.5)) * (2 * np.pi / REACH_ANGLE)
        if d2 < 1.0 and abs(off) < 1.0:
            total += np.exp(-2.0 * (d2 + off * off)) * a[ROOT, i] * b[ROOT, j]
    return float(total)


@kernel(
    "float64[:,::1](float32[:,::1], int64, float32[:,::1], float32[:,::1], int32[:,::1], float64[:,::1],"
    " float64[::1], int32[:,::1])"
)
def choose(a: F32, count: int, b: F32, cells: F32, grid: I32, motions: F64, votes: F64, relaxed: I32) -> F64:
    """The motions worth a full comparison, best first, each fitted to its supporting minutiae.

    Parameters
    ----------
    a, b: minutiae in lanes; count: of a. cells: of a; grid: of b (`prepared.Prepared`). motions, votes: from
    `motions.vote`. relaxed: pairs from `lssr.relax`.

    Returns
    -------
    (k, 4) motions.
    """
    first = np.empty(votes.size)
    for k in range(votes.size):
        first[k] = votes[k] / votes[0]
        first[k] += DIRECTION * same_way(cells, cells.shape[1] // 2, grid, motions[k])
    kept = np.argsort(-first)[:KEPT]
    extra = min(FROM_LSSR, relaxed.shape[0])
    found = np.empty((kept.size + extra, 4))
    for k in range(kept.size):
        found[k] = motions[kept[k]]
    for k in range(extra):
        i, j = relaxed[k, 0], relaxed[k, 1]
        c, s = a[COS, i] * b[COS, j] + a[SIN, i] * b[SIN, j], a[COS, i] * b[SIN, j] - a[SIN, i] * b[COS, j]
        one = found[kept.size + k]
        one[0], one[1] = c, s
        one[2], one[3] = b[X, j] - (c * a[X, i] + s * a[Y, i]), b[Y, j] - (c * a[Y, i] - s * a[X, i])
    worth = np.empty(found.shape[0])
    pairs = np.empty((count, 3), np.int32)
    scratch = np.empty((2, b.shape[1]), np.int32)
    for k in range(found.shape[0]):
        size = mutual(a, count, b, found[k], REACH, REACH_ANGLE, scratch, pairs)
        fit(a, b, pairs[:size], found[k])
        weight = closeness(a, b, pairs[:size], found[k])
        cells_in, agree, _ = overlap(cells, cells.shape[1], grid, found[k])
        common = 2.0 * cells_in
        worth[k] = weight + SAME_WAY * 2.0 * agree / (common + SHRINK_CELLS)
        worth[k] += DENSITY * weight / (6.0 + 0.05 * common)
    return found[np.argsort(-worth)]
