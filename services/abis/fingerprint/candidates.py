"""Which of the candidate motions deserve a full comparison.

Two looks: do the ridges run the same way (at every motion), and do minutiae fall on minutiae (at the KEPT
best of them, each fitted once to those that do).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.align import STRIP
from services.abis.fingerprint.lssr import wrap
from services.abis.kernels import F32, F64, I32, I64, U8, kernel

CELL: Final = 16
"""Pixels of a cell of the coarse fields."""
FIRST_STRIDE: Final = 2
"""Of the sampled cells, the first look sees each second."""
KEPT: Final = 6
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

_COSINE = np.cos(2 * np.pi * np.arange(256) / 256)


@kernel("int32[:,::1](uint8[:,::1], uint8[:,::1])")
def sampled_cells(orientation: U8, frequency: U8) -> I32:
    """Every other cell (as on a chessboard) of the ridge area: (k, 3) row, column, orientation."""
    rows, columns = frequency.shape
    out = np.empty((rows * columns, 3), np.int32)
    count = 0
    for i in range(rows):
        for j in range(i % 2, columns, 2):
            if frequency[i, j] != 0:
                out[count, 0], out[count, 1], out[count, 2] = i, j, orientation[i, j]
                count += 1
    return out[:count].copy()


@kernel("int32[:,::1](uint8[:,::1], uint8[:,::1])")
def framed(orientation: U8, frequency: U8) -> I32:
    """Orientations with a frame of one cell around them; -1 outside of the ridge area."""
    rows, columns = frequency.shape
    out = np.full((rows + 2, columns + 2), np.int32(-1))
    for i in range(rows):
        for j in range(columns):
            if frequency[i, j] != 0:
                out[i + 1, j + 1] = orientation[i, j]
    return out


@kernel("UniTuple(float64, 2)(int32[:,::1], int32[:,::1], float64[::1], int64)")
def same_way(cells: I32, other: I32, motion: F64, stride: int) -> tuple[float, float]:
    """Overlap under a rigid motion in cells, and how well the ridges' directions agree there, shrunk, to 1.

    cells: of a, from `sampled_cells`, of which each stride-th is looked at. other: of b, from `framed`.
    """
    rows, columns = other.shape
    turn = int(np.round(np.arctan2(motion[1], motion[0]) * (256 / np.pi)))
    c, s = motion[0], motion[1]
    middle = 0.5 - 0.5 / CELL
    tx = (motion[2] + 0.5) * (1.0 / CELL) + 1.0 + (c + s) * middle
    ty = (motion[3] + 0.5) * (1.0 / CELL) + 1.0 + (c - s) * middle
    last_x, last_y = columns - 1.0, rows - 1.0
    count, total = 0, 0.0
    for k in range(0, cells.shape[0], stride):
        i, j = cells[k, 0], cells[k, 1]
        x = min(max(c * j + s * i + tx, 0.0), last_x)
        y = min(max(c * i - s * j + ty, 0.0), last_y)
        there = other[np.uint32(y), np.uint32(x)]
        if there >= 0:
            count += 1
            total += _COSINE[(cells[k, 2] - there + turn) & 255]
    overlap = 2.0 * stride * count
    return overlap, 2.0 * stride * total / (overlap + SHRINK_CELLS)


@kernel(
    "void(float32[:,::1], float32[:,::1], int64[::1], int64[::1], float64[::1], float64, int64[::1],"
    " float64[::1])"
)
def support(
    a: F32, b: F32, order: I64, start: I64, motion: F64, reach: float, partner: I64, cost: F64
) -> None:
    """Pairs of minutiae that are each other's nearest under a rigid motion.

    Parameters
    ----------
    order, start: of b, from `align.nearby`. reach: greatest distance in pixels.
    partner, cost: (n) filled with the partner of each minutia of a, -1 where it has none, and the pair's
    squared residual in units of the greatest allowed.
    """
    n, m = a.shape[0], b.shape[0]
    strips = start.size - 1
    scale, scale_turn = 1.0 / (reach * reach), 1.0 / REACH_ANGLE
    angle = np.arctan2(motion[1], motion[0])
    suitor = np.full(m, -1, np.int64)
    least = np.full(m, np.inf)
    full, inverse = 2 * np.pi, 1.0 / (2 * np.pi)
    for i in range(n):
        px = motion[0] * a[i, 0] + motion[1] * a[i, 1] + motion[2]
        py = motion[0] * a[i, 1] - motion[1] * a[i, 0] + motion[3]
        partner[i], cost[i] = -1, np.inf
        low = min(max(int(np.floor((py - reach) * (1.0 / STRIP))), 0), strips - 1)
        high = min(max(int(np.floor((py + reach) * (1.0 / STRIP))), 0), strips - 1)
        turned = a[i, 2] + angle
        for e in range(start[low], start[high + 1]):
            j = order[e]
            dx, dy = b[j, 0] - px, b[j, 1] - py
            d2 = (dx * dx + dy * dy) * scale
            if d2 >= 1.0:
                continue
            turn = b[j, 2] - turned
            turn = (turn - full * np.floor(turn * inverse + 0.5)) * scale_turn
            if abs(turn) >= 1.0:
                continue
            value = d2 + turn * turn
            if value < cost[i]:
                cost[i], partner[i] = value, j
            if value < least[j]:
                least[j], suitor[j] = value, i
    for i in range(n):
        if partner[i] >= 0 and suitor[partner[i]] != i:
            partner[i] = -1


@kernel("void(float32[:,::1], float32[:,::1], int64[::1], float64[::1], float64[::1])")
def fit(a: F32, b: F32, partner: I64, cost: F64, motion: F64) -> None:
    """Least-squares rigid motion of the pairs of `support`, close ones weighing more, written to motion."""
    w, ax, ay, bx, by, dot, cross = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(partner.size):
        j = partner[i]
        if j < 0:
            continue
        v = 1.0 / (1.0 + 2.0 * cost[i])
        w += v
        ax += v * a[i, 0]
        ay += v * a[i, 1]
        bx += v * b[j, 0]
        by += v * b[j, 1]
        turn = np.float64(b[j, 2]) - np.float64(a[i, 2])
        dot += v * (a[i, 0] * b[j, 0] + a[i, 1] * b[j, 1] + LEVER_SQUARED * np.cos(turn))
        cross += v * (b[j, 0] * a[i, 1] - b[j, 1] * a[i, 0] + LEVER_SQUARED * np.sin(turn))
    if w <= 0.0:
        return
    dot -= (ax * bx + ay * by) / w
    cross -= (bx * ay - by * ax) / w
    length = np.hypot(dot, cross)
    if length <= 0.0:
        return
    c, s = dot / length, cross / length
    motion[0], motion[1] = c, s
    motion[2] = (bx - (c * ax + s * ay)) / w
    motion[3] = (by - (c * ay - s * ax)) / w


@kernel("float64(float32[:,::1], float32[:,::1], int64[::1], float64[::1])")
def closeness(a: F32, b: F32, partner: I64, motion: F64) -> float:
    """How many pairs of `support` a motion explains: each counts by its quality and by how close it comes."""
    total = 0.0
    angle = np.arctan2(motion[1], motion[0])
    for i in range(partner.size):
        j = partner[i]
        if j < 0:
            continue
        dx = b[j, 0] - (motion[0] * a[i, 0] + motion[1] * a[i, 1] + motion[2])
        dy = b[j, 1] - (motion[0] * a[i, 1] - motion[1] * a[i, 0] + motion[3])
        d2 = (dx * dx + dy * dy) * (1.0 / (REACH_FITTED * REACH_FITTED))
        turn = wrap(np.float64(b[j, 2]) - np.float64(a[i, 2]) - angle) * (1.0 / REACH_ANGLE)
        if d2 < 1.0 and abs(turn) < 1.0:
            total += np.exp(-2.0 * (d2 + turn * turn)) * np.sqrt(np.float64(a[i, 3]) * np.float64(b[j, 3]))
    return float(total)


@kernel(
    "float64[:,::1](float32[:,::1], float32[:,::1], int64[::1], int64[::1],"
    " int32[:,::1], int32[:,::1], float64[:,::1], float64[::1], int32[:,::1])"
)
def choose(
    a: F32,
    b: F32,
    order: I64,
    start: I64,
    cells: I32,
    other: I32,
    motions: F64,
    votes: F64,
    relaxed: I32,
) -> F64:
    """The motions worth a full comparison, best first, each fitted to its supporting minutiae.

    Parameters
    ----------
    order, start: of b, from `align.nearby`. cells: of a, from `sampled_cells`; other: of b,
    from `framed`. motions, votes: from `motions.vote`. relaxed: pairs from `lssr.relax`.

    Returns
    -------
    (k, 4) motions.
    """
    first = np.empty(votes.size)
    for k in range(votes.size):
        first[k] = votes[k] / votes[0]
        first[k] += DIRECTION * same_way(cells, other, motions[k], FIRST_STRIDE)[1]
    kept = np.argsort(-first)[:KEPT]
    extra = min(FROM_LSSR, relaxed.shape[0])
    found = np.empty((kept.size + extra, 4))
    for k in range(kept.size):
        found[k] = motions[kept[k]]
    for k in range(extra):
        i, j = relaxed[k, 0], relaxed[k, 1]
        turn = np.float64(b[j, 2]) - np.float64(a[i, 2])
        c, s = np.cos(turn), np.sin(turn)
        one = found[kept.size + k]
        one[0], one[1] = c, s
        one[2], one[3] = b[j, 0] - (c * a[i, 0] + s * a[i, 1]), b[j, 1] - (c * a[i, 1] - s * a[i, 0])
    worth = np.empty(found.shape[0])
    partner = np.empty(a.shape[0], np.int64)
    cost = np.empty(a.shape[0])
    for k in range(found.shape[0]):
        support(a, b, order, start, found[k], REACH, partner, cost)
        fit(a, b, partner, cost, found[k])
        weight = closeness(a, b, partner, found[k])
        overlap, agree = same_way(cells, other, found[k], 1)
        worth[k] = weight + SAME_WAY * agree + DENSITY * weight / (6.0 + 0.05 * overlap)
    return found[np.argsort(-worth)]
