"""First step: the orientation of the ridges over the whole finger.

A zero-pole field (Sherlock and Monro, 1993) with the piecewise-linear corrections of Vizcaya and Gerhardt
(1996), a term that opens its pine-tree cores into round loops, and another that bends the flow around the
fingertip:

    θ = ½ Σ_cores [α_c − n e^{−(r/170)²} sin(α_c − axis)] − ½ Σ_deltas α_d
        + corrections at cores and deltas − tip · level · tanh(1.1 x / (W/2)) + smooth noise

α is the direction from the singular point and r the distance to it.
"""

from typing import Final

import numpy as np

from sim.fingerprints.fields import (
    GRID,
    HEIGHT,
    WIDTH,
    Field,
    enlarge,
    half_resolution_axes,
    smooth_noise,
)
from sim.fingerprints.traits import FingerTraits, Pattern, Point

_CORE_REACH: Final = 170.0
_DELTA_REACH: Final = 130.0
_KNOTS: Final = 8


def orientation_field(finger: FingerTraits, rng: np.random.Generator) -> Field:
    """Ridge orientation in radians (mod π, counter-clockwise from the x axis) at half resolution."""
    x, y = half_resolution_axes()
    grid_x, grid_y = np.meshgrid(x, y)
    theta = np.zeros(grid_x.shape, np.float32)
    for k, core in enumerate(finger.cores):
        alpha, near = _polar(grid_x, grid_y, core, _CORE_REACH)
        theta += 0.5 * alpha
        theta -= finger.roundness * near * np.sin(alpha - _axis(finger, k))
        theta += near * _knots(alpha, rng.normal(0.0, 0.18, _KNOTS))
    for delta in finger.deltas:
        alpha, near = _polar(grid_x, grid_y, delta, _DELTA_REACH)
        theta -= 0.5 * alpha
        theta += near * _knots(alpha, rng.normal(0.0, 0.15, _KNOTS))
    if finger.pattern is Pattern.ARCH:
        theta += _arch(grid_x, grid_y, rng)
    middle = float(np.mean([core[1] for core in finger.cores])) if finger.cores else 25.0
    level = np.clip((grid_y - middle + 150) / 300, 0, 1)
    theta -= finger.tip * level * np.tanh(1.1 * grid_x / (WIDTH / 2))
    theta += _unrest(rng)
    return theta


def _polar(grid_x: Field, grid_y: Field, point: Point, reach: float) -> tuple[Field, Field]:
    """Direction from `point` and the weight e^{−(r/reach)²}."""
    dx, dy = grid_x - np.float32(point[0]), grid_y - np.float32(point[1])
    return np.arctan2(dy, dx), np.exp(-(dx * dx + dy * dy) / np.float32(reach * reach))


def _axis(finger: FingerTraits, k: int) -> float:
    """Direction in which core `k` opens: the one along which the plain zero-pole ridges run radially."""
    here = complex(*finger.cores[k])
    others = [complex(*core) for j, core in enumerate(finger.cores) if j != k]
    away_from_cores = sum(float(np.angle(here - other)) for other in others)
    away_from_deltas = sum(float(np.angle(here - complex(*delta))) for delta in finger.deltas)
    return away_from_cores - away_from_deltas


def _knots(alpha: Field, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Field:
    """Periodic piecewise-linear function of direction through `values` at equally spaced knots."""
    turn = (alpha / np.float32(2 * np.pi) + np.float32(0.5)) * np.float32(_KNOTS)
    low = np.clip(turn.astype(np.intp), 0, _KNOTS - 1)
    ring = np.append(values, values[0]).astype(np.float32)
    weight = turn - low
    return ring[low] * (1 - weight) + ring[low + 1] * weight


def _arch(grid_x: Field, grid_y: Field, rng: np.random.Generator) -> Field:
    """The hump of a plain arch: ridges rise to the middle and fall again, flat at the bottom."""
    height, width = rng.uniform(0.5, 0.85), rng.uniform(55, 85)
    centre_x, centre_y, reach = rng.normal(0, 12), rng.normal(-35, 18), rng.uniform(75, 110)
    u = (grid_x - np.float32(centre_x)) / np.float32(width)
    v = (grid_y - np.float32(centre_y)) / np.float32(reach)
    hump = u * np.exp(np.float32(0.5) - u * u / 2) * np.exp(-v * v)
    return (-height * hump).astype(np.float32)


def _unrest(rng: np.random.Generator) -> Field:
    """Slow and middling irregularity of the flow (correlation 70 and 22 pixels)."""
    shape = (HEIGHT // GRID, WIDTH // GRID)
    slow = rng.uniform(0.04, 0.10) * smooth_noise(rng, shape, 70 / GRID)
    quick = rng.uniform(0.03, 0.07) * smooth_noise(rng, shape, 22 / GRID)
    return enlarge((slow + quick).astype(np.float32), GRID // 2)
