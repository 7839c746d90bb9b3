"""Slow, readable twins of the kernels that find how one finger lies on another."""

from __future__ import annotations

from math import atan2, cos, exp, floor, hypot, pi, sin, sqrt

import numpy as np

from services.abis.fingerprint import candidates, field, motions
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


def votes(a: F32, b: F32, similarity: F32, width: float, height: float) -> F64:
    """Votes by turn, row and column of bins, not yet smoothed, without those outside."""
    rows = int((height + 2 * motions.MARGIN) / motions.BIN) + 1
    columns = int((width + 2 * motions.MARGIN) / motions.BIN) + 1
    out = np.zeros((motions.TURNS, rows, columns))
    cx, cy = a[:, 0].mean(), a[:, 1].mean()
    for i, (ax, ay, at, _) in enumerate(a.astype(np.float64)):
        for j, (bx, by, bt, _) in enumerate(b.astype(np.float64)):
            c, s = cos(bt - at), sin(bt - at)
            x = (bx - (c * (ax - cx) + s * (ay - cy)) + motions.MARGIN) / motions.BIN
            y = (by - (c * (ay - cy) - s * (ax - cx)) + motions.MARGIN) / motions.BIN
            steps = floor(bt * 256 / (2 * pi) + 0.5) - floor(at * 256 / (2 * pi) + 0.5)
            if 0 <= x < columns and 0 <= y < rows:
                weight = motions.VOTE + int(motions.SIMILAR_VOTE * float(similarity[i, j]) ** 2)
                out[(steps % 256) // (256 // motions.TURNS), floor(y), floor(x)] += weight
    return out


def smoothed(raw: F64) -> F64:
    """1 2 1 in each direction, the turn being a circle."""
    out = np.roll(raw, 1, 0) + 2 * raw + np.roll(raw, -1, 0)
    for axis in (1, 2):
        wide = np.pad(out, [(1, 1) if k == axis else (0, 0) for k in range(3)])
        parts = [np.take(wide, range(k, k + raw.shape[axis]), axis) for k in range(3)]
        out = parts[0] + 2 * parts[1] + parts[2]
    return np.asarray(out)


def same_way(orientation_a: U8, frequency_a: U8, orientation_b: U8, frequency_b: U8, motion: F64) -> float:
    """Agreement of directions on every other cell, shrunk."""
    turn = round(atan2(motion[1], motion[0]) * 256 / pi)
    count, total = 0, 0.0
    for (i, j), known in np.ndenumerate(frequency_a):
        x, y = moved(16 * j + 7.5, 16 * i + 7.5, motion)
        row, column = floor((y + 0.5) / 16), floor((x + 0.5) / 16)
        inside = 0 <= row < frequency_b.shape[0] and 0 <= column < frequency_b.shape[1]
        if (i + j) % 2 or not known or not inside or not frequency_b[row, column]:
            continue
        count += 1
        total += cos(2 * (int(orientation_a[i, j]) - int(orientation_b[row, column]) + turn) * pi / 256)
    return 2 * total / (2 * count + candidates.SHRINK_CELLS)


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
