"""Alignment and pairing: which minutiae are the same once one finger is laid over the other.

A rigid motion from the best relaxed pairs, then a smooth displacement field (skin stretches: Gaussian, 60
px), then each minutia of one finger paired with at most one of the other. Only what stays paired after that
counts.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.lssr import wrap
from services.abis.kernels import F32, F64, I32, kernel

SEED_DISTANCE, SEED_ANGLE = 24.0, 0.6
"""Residual within which a relaxed pair supports a rigid motion."""
PAIR_DISTANCE, PAIR_ANGLE = 14.0, 0.55
"""Residual within which two minutiae may be one, after the displacement field."""
FIELD_WIDTH = 60.0
FIELD_PRIOR = 0.6
"""Weight of "no displacement", in pairs: one lone pair cannot pull its whole surroundings."""
ROUNDS = 3


@kernel("float64[::1](float32[:,::1], float32[:,::1], int32[:,::1], float64[::1], int64)")
def rigid(a: F32, b: F32, pairs: I32, values: F64, seed: int) -> F64:
    """Motion that lays a over b: (cos, sin, shift x, shift y) in image axes, y down, from pair `seed` and its
    support.

    The point (x, y) of a goes to (cos x + sin y + shift x, -sin x + cos y + shift y): a counter-clockwise
    turn as seen on the screen. The pairs' relaxed values weigh the least-squares fit.
    """
    motion = np.empty(4)
    turn = wrap(np.float64(b[pairs[seed, 1], 2]) - np.float64(a[pairs[seed, 0], 2]))
    c, s = np.cos(turn), np.sin(turn)
    i, j = pairs[seed, 0], pairs[seed, 1]
    tx = b[j, 0] - (c * a[i, 0] + s * a[i, 1])
    ty = b[j, 1] - (-s * a[i, 0] + c * a[i, 1])
    for step in range(3):
        # The first motion rests on one angle only: far away it may be off by more.
        reach = SEED_DISTANCE * (1.5 if step == 0 else 1.0)
        w, ax, ay, bx, by = 0.0, 0.0, 0.0, 0.0, 0.0
        cross, dot = 0.0, 0.0
        for turn_pass in range(2):
            for k in range(pairs.shape[0]):
                i, j = pairs[k, 0], pairs[k, 1]
                dx = b[j, 0] - (c * a[i, 0] + s * a[i, 1] + tx)
                dy = b[j, 1] - (-s * a[i, 0] + c * a[i, 1] + ty)
                off = abs(wrap(np.float64(b[j, 2]) - np.float64(a[i, 2]) - np.arctan2(s, c)))
                if dx * dx + dy * dy > reach * reach or off > SEED_ANGLE:
                    continue
                v = values[k] + 1e-3
                if turn_pass == 0:
                    w += v
                    ax += v * a[i, 0]
                    ay += v * a[i, 1]
                    bx += v * b[j, 0]
                    by += v * b[j, 1]
                else:
                    px, py = a[i, 0] - ax, a[i, 1] - ay
                    qx, qy = b[j, 0] - bx, b[j, 1] - by
                    dot += v * (px * qx + py * qy)
                    cross += v * (qx * py - qy * px)
            if turn_pass == 0:
                if w <= 0.0:
                    break
                ax, ay, bx, by = ax / w, ay / w, bx / w, by / w
        # Two or three neighbouring pairs say little about the turn: their angles do, with a lever of 30 px.
        angle_c, angle_s, total = 0.0, 0.0, 0.0
        for k in range(pairs.shape[0]):
            i, j = pairs[k, 0], pairs[k, 1]
            dx = b[j, 0] - (c * a[i, 0] + s * a[i, 1] + tx)
            dy = b[j, 1] - (-s * a[i, 0] + c * a[i, 1] + ty)
            turn = wrap(np.float64(b[j, 2]) - np.float64(a[i, 2]))
            if dx * dx + dy * dy > reach * reach or abs(wrap(turn - np.arctan2(s, c))) > SEED_ANGLE:
                continue
            v = values[k] + 1e-3
            angle_c += v * np.cos(turn)
            angle_s += v * np.sin(turn)
            total += v
        if total <= 0.0:
            break
        dot += 30.0 * 30.0 * angle_c
        cross += 30.0 * 30.0 * angle_s
        length = np.hypot(dot, cross)
        if length <= 0.0:
            break
        c, s = dot / length, cross / length
        tx = bx - (c * ax + s * ay)
        ty = by - (-s * ax + c * ay)
    motion[0], motion[1], motion[2], motion[3] = c, s, tx, ty
    return motion


@kernel("UniTuple(float64, 2)(float64, float64, float64[::1], float64[:,::1])")
def place(x: float, y: float, motion: F64, field: F64) -> tuple[float, float]:
    """Where a point of a comes to lie in b: the motion, plus the displacement field.

    field: (k, 4) points in b's frame with the displacement seen there; empty for the rigid motion alone.
    """
    px = motion[0] * x + motion[1] * y + motion[2]
    py = -motion[1] * x + motion[0] * y + motion[3]
    w, dx, dy = FIELD_PRIOR, 0.0, 0.0
    for k in range(field.shape[0]):
        u, v = field[k, 0] - px, field[k, 1] - py
        g = np.exp(-(u * u + v * v) / (2 * FIELD_WIDTH * FIELD_WIDTH))
        w += g
        dx += g * field[k, 2]
        dy += g * field[k, 3]
    return px + dx / w, py + dy / w


@kernel("float64[:,::1](float32[:,::1], float32[:,::1], int32[:,::1], float64[::1])")
def displacements(a: F32, b: F32, pairs: I32, motion: F64) -> F64:
    """What the rigid motion leaves at each pair, as `place` wants it: (k, 4)."""
    out = np.empty((pairs.shape[0], 4))
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        px = motion[0] * a[i, 0] + motion[1] * a[i, 1] + motion[2]
        py = -motion[1] * a[i, 0] + motion[0] * a[i, 1] + motion[3]
        out[k, 0], out[k, 1] = px, py
        out[k, 2], out[k, 3] = b[j, 0] - px, b[j, 1] - py
    return out


@kernel(
    "Tuple((int32[:,::1], float64[::1]))"
    "(float32[:,::1], float32[:,::1], float64[::1], float64[:,::1], float64)"
)
def pair_up(a: F32, b: F32, motion: F64, field: F64, slack: float) -> tuple[I32, F64]:
    """One-to-one pairs under a motion and field, nearest first, and their closeness in (0, 1].

    slack: factor on the distance within which two minutiae may be paired.
    """
    n, m = a.shape[0], b.shape[0]
    reach = PAIR_DISTANCE * slack
    first = np.empty(n * m, np.int32)
    second = np.empty(n * m, np.int32)
    cost = np.empty(n * m)
    count = 0
    angle = np.arctan2(motion[1], motion[0])
    for i in range(n):
        px, py = place(a[i, 0], a[i, 1], motion, field)
        for j in range(m):
            dx, dy = b[j, 0] - px, b[j, 1] - py
            d2 = (dx * dx + dy * dy) / (reach * reach)
            if d2 >= 1.0:
                continue
            turn = wrap(np.float64(b[j, 2]) - np.float64(a[i, 2]) - angle) / PAIR_ANGLE
            if abs(turn) >= 1.0:
                continue
            first[count], second[count], cost[count] = i, j, d2 + turn * turn
            count += 1
    order = np.argsort(cost[:count])
    taken_a = np.zeros(n, np.uint8)
    taken_b = np.zeros(m, np.uint8)
    pairs = np.empty((min(n, m), 2), np.int32)
    closeness = np.empty(min(n, m))
    size = 0
    for e in order:
        i, j = first[e], second[e]
        if taken_a[i] or taken_b[j]:
            continue
        taken_a[i], taken_b[j] = 1, 1
        pairs[size, 0], pairs[size, 1] = i, j
        closeness[size] = np.exp(-2.0 * cost[e])
        size += 1
    return pairs[:size].copy(), closeness[:size].copy()


@kernel(
    "Tuple((float64[::1], float64[:,::1], int32[:,::1], float64[::1]))"
    "(float32[:,::1], float32[:,::1], int32[:,::1], float64[::1], int64)"
)
def align(a: F32, b: F32, pairs: I32, values: F64, seed: int) -> tuple[F64, F64, I32, F64]:
    """Lay a over b, starting from one relaxed pair.

    Returns
    -------
    The rigid motion, the displacement field, the one-to-one pairs (k, 2) and their closeness (k).
    """
    motion = rigid(a, b, pairs, values, seed)
    field = np.empty((0, 4))
    found, closeness = pair_up(a, b, motion, field, 1.5)
    for step in range(ROUNDS):
        field = displacements(a, b, found, motion)
        found, closeness = pair_up(a, b, motion, field, 1.2 if step == 0 else 1.0)
    return motion, field, found, closeness
