"""Slow, readable twins of the kernels that find how one finger lies on another."""

from __future__ import annotations

from math import atan2, cos, exp, floor, hypot, log, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from services.abis.fingerprint import candidates, field, motions
from services.abis.fingerprint.template import Template
from services.abis.kernels import F32, F64, I32, I64, U8

Grid = F64


def moved(x: float, y: float, motion: F64) -> tuple[float, float]:
    """A point under a rigid motion."""
    c, s, dx, dy = motion.tolist()
    return c * x + s * y + dx, -s * x + c * y + dy


def turned(angle: float) -> float:
    """The angle in [-pi, pi)."""
    return (angle + pi) % (2 * pi) - pi


def displacement(a: F32, b: F32, pairs: I32, motion: F64, x: float, y: float) -> tuple[float, float]:
    """The displacement field at a point of b's frame, from its definition."""
    weight, dx, dy = field.PRIOR, 0.0, 0.0
    for i, j in pairs.tolist():
        px, py = moved(float(a[i, 0]), float(a[i, 1]), motion)
        g = exp(-((px - x) ** 2 + (py - y) ** 2) / (2 * field.WIDTH**2))
        weight, dx, dy = weight + g, dx + g * (float(b[j, 0]) - px), dy + g * (float(b[j, 1]) - py)
    return dx / weight, dy / weight


def votes(a: F32, b: F32, similarity: F32) -> F64:
    """Votes by turn, row and column of bins, not yet smoothed, without those outside."""
    left, top = (float(b[:, k].min()) - motions.MARGIN for k in (0, 1))
    columns, rows = (
        int((float(b[:, k].max()) + motions.MARGIN - least) / motions.BIN) + 1
        for k, least in enumerate((left, top))
    )
    out = np.zeros((motions.TURNS, rows, columns))
    cx, cy = a[:, 0].mean(), a[:, 1].mean()
    for i, (ax, ay, at, _) in enumerate(a.astype(np.float64)):
        for j, (bx, by, bt, _) in enumerate(b.astype(np.float64)):
            c, s = cos(bt - at), sin(bt - at)
            x = (bx - (c * (ax - cx) + s * (ay - cy)) - left) / motions.BIN
            y = (by - (c * (ay - cy) - s * (ax - cx)) - top) / motions.BIN
            if 0 <= x < columns and 0 <= y < rows:
                weight = motions.VOTE + int(motions.SIMILAR_VOTE * float(similarity[i, j]) ** 2)
                turn = int((bt - at) % (2 * pi) * motions.TURNS / (2 * pi)) % motions.TURNS
                out[turn, floor(y), floor(x)] += weight
    return out


def smoothed(raw: F64) -> F64:
    """1 2 1 in each direction, the turn being a circle."""
    out = np.roll(raw, 1, 0) + 2 * raw + np.roll(raw, -1, 0)
    for axis in (1, 2):
        wide = np.pad(out, [(1, 1) if k == axis else (0, 0) for k in range(3)])
        parts = [np.take(wide, range(k, k + raw.shape[axis]), axis) for k in range(3)]
        out = parts[0] + 2 * parts[1] + parts[2]
    return np.asarray(out)


def peaks(votes: I64, most: int) -> list[tuple[int, int, int]]:
    """Places (turn, row, column) of the highest entries, the neighbours of each being cleared before the next
    is looked for; the first plane follows on the last but one.
    """
    left = votes.copy()
    found: list[tuple[int, int, int]] = []
    turns = votes.shape[0] - 2
    while len(found) < most and left.any():
        # Of equal ones the first by turn, then by column.
        t, x, y = (
            int(v) for v in np.unravel_index(left.transpose(0, 2, 1).argmax(), left.transpose(0, 2, 1).shape)
        )
        found.append((t, y, x))
        for plane in ((t - 2) % turns + 1, t, t % turns + 1):
            left[plane, y - 1 : y + 2, x - 1 : x + 2] = 0
    return found


def overlap(a: Template, b: Template, motion: F64) -> tuple[float, float, float]:
    """Cells of a's chessboard that fall into b's ridge area; sums of agreement and of stretch over those."""
    turn = 2 * atan2(motion[1], motion[0])
    count, agree, stretch = 0, 0.0, 0.0
    for (i, j), here in np.ndenumerate(a.frequency):
        x, y = moved(16 * j + 7.5, 16 * i + 7.5, motion)
        place = floor((y + 0.5) / 16), floor((x + 0.5) / 16)
        inside = 0 <= place[0] < b.frequency.shape[0] and 0 <= place[1] < b.frequency.shape[1]
        if (i + j) % 2 or not here or not inside or not b.frequency[place]:
            continue
        count += 1
        agree += cos((int(a.orientation[i, j]) - int(b.orientation[place])) * pi / 128 + turn)
        stretch += abs(log(here) - log(b.frequency[place]))
    return count, agree, stretch


def inside(points: F32, frequency: U8, motion: F64) -> NDArray[np.bool_]:
    """Which minutiae a motion lays into the ridge area."""
    out = np.zeros(len(points), np.bool_)
    for k, (x, y) in enumerate(points[:, :2].astype(np.float64)):
        u, v = moved(x, y, motion)
        row, column = floor((v + 0.5) / 16), floor((u + 0.5) / 16)
        if 0 <= row < frequency.shape[0] and 0 <= column < frequency.shape[1]:
            out[k] = bool(frequency[row, column])
    return out


def greedy(cost: F64) -> list[list[int]]:
    """One-to-one pairs (row, column) of finite cost, the least first."""
    left = cost.copy()
    found: list[list[int]] = []
    while np.isfinite(left).any():
        i, j = (int(v) for v in np.unravel_index(left.argmin(), left.shape))
        found.append([i, j])
        left[i], left[:, j] = np.inf, np.inf
    return found


def residual(a: F32, b: F32, i: int, j: int, motion: F64, reach: float) -> float:
    """Squared residual of a pair in units of the greatest allowed; infinite beyond that."""
    x, y = moved(float(a[i, 0]), float(a[i, 1]), motion)
    distance = hypot(float(b[j, 0]) - x, float(b[j, 1]) - y) / reach
    turn = turned(float(b[j, 2]) - float(a[i, 2]) - atan2(motion[1], motion[0])) / candidates.REACH_ANGLE
    return distance**2 + turn**2 if distance < 1 and abs(turn) < 1 else float("inf")


def partners(a: F32, b: F32, motion: F64, reach: float) -> I64:
    """Each minutia's partner in b, where the two are each other's nearest; else -1."""
    cost = np.array([[residual(a, b, i, j, motion, reach) for j in range(len(b))] for i in range(len(a))])
    out = np.full(len(a), -1)
    for i in range(len(a)):
        j = int(cost[i].argmin())
        if np.isfinite(cost[i, j]) and int(cost[:, j].argmin()) == i:
            out[i] = j
    return out


def closeness(a: F32, b: F32, partner: I64, motion: F64) -> float:
    """How many pairs a motion explains, by quality and residual."""
    total = 0.0
    for i, j in enumerate(partner.tolist()):
        if j >= 0:
            cost = residual(a, b, i, j, motion, candidates.REACH_FITTED)
            total += exp(-2 * cost) * sqrt(float(a[i, 3]) * float(b[j, 3]))
    return total
