"""Second step: a ridge frequency that fits the orientation.

Ridges are level lines of a phase φ with ∇φ = 2π f n, so f and θ are not free of each other: curl(f n) = 0
means t·∇g + n·∇θ = 0 for g = log f, with t along and n across the ridge. Where that is broken, minutiae of
one polarity *must* appear; an independent frequency map would therefore put them in the same places on every
finger. So g is the minimum of

    w (t·∇g + n·∇θ)² + (g − g₀)² / 60² + 0.15² |∇g|²,      w = 1 / (1 + (n·∇θ / 0.02)²)

around a preferred g₀, on a grid of one node every 8 pixels; near singular points, where no g could fit, w
lets go.
"""

from functools import cache
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from sim.fingerprints.fields import GRID, HEIGHT, WIDTH, Field, enlarge, half_resolution_axes, smooth_noise
from sim.fingerprints.traits import FingerTraits

_ROWS: Final = HEIGHT // GRID
_COLUMNS: Final = WIDTH // GRID
_LIMIT: Final = 0.35
_PULL: Final = 1 / 60.0**2
_STIFFNESS: Final = 0.15**2


def ridge_period(finger: FingerTraits, theta: Field, rng: np.random.Generator) -> Field:
    """Distance between ridges in full-resolution pixels, at half resolution, for the orientation `theta`."""
    wanted = np.log(1 / _wanted_period(finger, rng)).astype(np.float64)
    along_x, along_y, twist = _flow(theta)
    weight = 1 / (1 + (twist / 0.02) ** 2)
    d_dx, d_dy, smoothness = _operators()
    along = sparse.diags_array(along_x) @ d_dx + sparse.diags_array(along_y) @ d_dy
    weighted = along.T @ sparse.diags_array(weight)
    system = weighted @ along + smoothness
    right = -(weighted @ twist) + _PULL * wanted.ravel()
    solver = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    g = solver.solve(right).reshape(_ROWS, _COLUMNS)
    g = wanted + np.clip(g - wanted, -_LIMIT, _LIMIT)
    return enlarge(np.exp(-g).astype(np.float32), GRID // 2)


def _wanted_period(finger: FingerTraits, rng: np.random.Generator) -> Field:
    """The period the finger would have if its ridges were free: its mean, uneven, wider below the core."""
    local = rng.uniform(0.03, 0.06) * smooth_noise(rng, (_ROWS, _COLUMNS), 70 / GRID)
    y = (HEIGHT - 1) / 2 - (np.arange(_ROWS) * GRID + (GRID - 1) / 2)
    below = np.clip((20 - y) / 200, 0, 1)[:, None]
    period: Field = (finger.period * (1 + local) * (1 + rng.uniform(0.04, 0.20) * below)).astype(np.float32)
    return period


def _flow(theta: Field) -> tuple[Field, Field, Field]:
    """At the centre of each grid cell: components of t, and n·∇θ per pixel, flattened.

    θ is known mod π only, so it is differentiated through its doubled angle; y points up.
    """
    cos2, sin2 = np.cos(2 * theta), np.sin(2 * theta)
    x, y = half_resolution_axes()
    sin2_y, sin2_x = np.gradient(sin2, y, x)
    cos2_y, cos2_x = np.gradient(cos2, y, x)
    theta_x = 0.5 * (cos2 * sin2_x - sin2 * cos2_x)
    theta_y = 0.5 * (cos2 * sin2_y - sin2 * cos2_y)
    twist = -np.sin(theta) * theta_x + np.cos(theta) * theta_y
    # n·∇θ changes sign with t, as t·∇g does: average it in the frame of the cell's own mean direction.
    mean = 0.5 * np.arctan2(_cells(sin2), _cells(cos2))
    frame = np.kron(mean, np.ones((GRID // 2, GRID // 2), np.float32))
    inside = (slice(GRID // 4, GRID // 4 + frame.shape[0]), slice(GRID // 4, GRID // 4 + frame.shape[1]))
    same_side = np.sign(np.cos(theta[inside] - frame))
    signed = np.zeros_like(theta)
    signed[inside] = twist[inside] * same_side
    return np.cos(mean).ravel(), np.sin(mean).ravel(), _cells(signed).ravel()


def _cells(field: Field) -> Field:
    """Mean of a half-resolution `field` over each cell between four grid nodes."""
    step, offset = GRID // 2, GRID // 4
    rows, columns = _ROWS - 1, _COLUMNS - 1
    part = field[offset : offset + rows * step, offset : offset + columns * step]
    mean: Field = part.reshape(rows, step, columns, step).mean(axis=(1, 3), dtype=np.float32)
    return mean


@cache
def _operators() -> tuple[sparse.csr_array, sparse.csr_array, sparse.csr_array]:
    """d/dx and d/dy from nodes to cell centres, and the part of the normal matrix all fingers share."""
    row_step, row_mean = _difference(_ROWS) / -GRID, abs(_difference(_ROWS)) / 2
    column_step, column_mean = _difference(_COLUMNS) / GRID, abs(_difference(_COLUMNS)) / 2
    d_dx = sparse.kron(row_mean, column_step, format="csr")
    d_dy = sparse.kron(row_step, column_mean, format="csr")
    rows_only = sparse.kron(row_step, sparse.eye_array(_COLUMNS), format="csr")
    columns_only = sparse.kron(sparse.eye_array(_ROWS), column_step, format="csr")
    gradient = rows_only.T @ rows_only + columns_only.T @ columns_only
    smoothness = _PULL * sparse.eye_array(_ROWS * _COLUMNS) + _STIFFNESS * gradient
    return sparse.csr_array(d_dx), sparse.csr_array(d_dy), sparse.csr_array(smoothness)


def _difference(nodes: int) -> sparse.csr_array:
    """(nodes − 1) × nodes forward difference."""
    return sparse.csr_array(
        sparse.diags_array(
            (-np.ones(nodes - 1), np.ones(nodes - 1)), offsets=(0, 1), shape=(nodes - 1, nodes)
        )
    )
