"""Last step: one touch of a sensor by a finger.

Geometry (which part of the skin touches, where on the sensor, how the skin stretches) changes slowly over the
image, so it is worked out on a coarse grid and interpolated; ink, grain and pores are decided pixel by pixel.
The skin sticks to the glass in the middle of the contact and slips towards its rim (Cappelli, Maio and
Maltoni, 2001: "Modelling plastic distortion in fingerprint images").
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from sim.fingerprints.fields import GRID, HEIGHT, WIDTH, Field, enlarge, smooth_noise

COLUMNS: Final = 388
ROWS: Final = 374
"""The sensor of FVC2002 DB1, so that scores compare like with like."""

_CONTACT: Final = (128.0, 168.0)
"""Semi-axes of the contact in pixels."""
_EXPONENT: Final = 2.3
_STICKING: Final = 0.45
_INK_SLOPE: Final = 3.2
_SPECKLE: Final = ((0.6, 0.6), (0.7, 1.6))
"""Weight and correlation in pixels of the two parts of the grain: fine dust, and skin that beads the ridges.
Dust alone looks like a noisy camera rather than like a dry finger."""
_DRY: Final = -8.0
"""Below this level of ink a pixel stays white whatever grain and ridge say."""


class Level(StrEnum):
    """How carefully the finger was placed."""

    EASY = "easy"
    NORMAL = "normal"
    HARD = "hard"


@dataclass(frozen=True)
class _Spread:
    """Standard deviations (or means, where said) of what differs between two touches of one finger."""

    rotation: float
    """Degrees."""
    shift: float
    """Pixels, place on the sensor."""
    offset: float
    """Pixels, place of the contact on the finger."""
    size: float
    """Mean factor on the contact's semi-axes."""
    slip: float
    """Pixels."""
    torsion: float
    """Degrees."""
    displacement: float
    """Pixels."""
    wet: float
    grain: float
    """Median strength."""
    grain_spread: float
    """Standard deviation of its logarithm."""
    scratches: float
    """Mean number."""


_SPREADS: Final = {
    Level.EASY: _Spread(4, 6, 10, 1.08, 3, 1, 0.8, 0.12, 0.22, 0.30, 1),
    Level.NORMAL: _Spread(8, 12, 24, 1.00, 8, 3, 1.5, 0.32, 0.48, 0.45, 3),
    Level.HARD: _Spread(12, 16, 32, 0.90, 11, 4, 2.0, 0.42, 0.66, 0.45, 5),
}
_LEVELS: Final = (Level.EASY, Level.NORMAL, Level.HARD)
_MIX: Final = (0.35, 0.35, 0.30)
_NODES: Final = (-(-ROWS // GRID) + 1, -(-COLUMNS // GRID) + 1)


@dataclass(frozen=True)
class _Touch:
    """Slow fields of one touch at the nodes of the coarse grid (node k is at pixel GRID · k)."""

    row: Field
    """Row of the master that each place of the sensor shows."""
    column: Field
    ink: Field
    """Level of ink: 0 prints ridges and valleys equally wide, more prints fatter ridges."""
    grain: Field
    darkness: Field
    """How black full ink is, 0 to 1."""


def touch_sensor(
    ridges: Field, pores: Field, level: Level | None, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One impression of a finger: `ROWS` × `COLUMNS` pixels at 500 dpi, ridges dark on white.

    Args:
        ridges: as `growth.grow` returns them.
        pores: as `pores.pore_depth` returns them.
        level: how carefully the finger was placed; None mixes the three as FVC's volunteers did.
    """
    chosen = rng.choice(3, p=_MIX)
    spread = _SPREADS[_LEVELS[chosen] if level is None else level]
    touch = _touch(spread, rng)
    fine, coarse = (weight * smooth_noise(rng, (ROWS, COLUMNS), width) for weight, width in _SPECKLE)
    ink = np.empty((ROWS, COLUMNS), np.float32)
    print_ink(
        ridges,
        pores,
        touch.row,
        touch.column,
        touch.ink,
        touch.grain,
        fine + coarse,
        np.float32(rng.uniform(0.2, 1.6)),
        ink,
    )
    for _ in range(rng.poisson(spread.scratches)):
        _scratch(ink, rng)
    ink = ndimage.gaussian_filter(ink, rng.uniform(0.55, 0.85), truncate=2.5)
    ink *= enlarge(touch.darkness, GRID)[:ROWS, :COLUMNS]
    white = rng.uniform(251, 257)
    noise = 1.2 * rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    image: NDArray[np.uint8] = np.clip(white - 255 * ink + noise, 0, 255).astype(np.uint8)
    return image


def _touch(spread: _Spread, rng: np.random.Generator) -> _Touch:
    angle = np.deg2rad(_bounded(rng, spread.rotation))
    shift = _bounded(rng, spread.shift), _bounded(rng, 1.6 * spread.shift)
    offset = _bounded(rng, spread.offset), _bounded(rng, spread.offset)
    size = spread.size * float(np.exp(rng.normal(0, 0.04)))
    # A finger laid down flat touches with more of what lies below the core.
    flat = rng.uniform(0.95, 1.3)
    slip = _bounded(rng, spread.slip), _bounded(rng, spread.slip)
    torsion = np.deg2rad(_bounded(rng, spread.torsion))

    node_row, node_column = np.mgrid[: _NODES[0], : _NODES[1]].astype(np.float32) * GRID
    across = node_column - (COLUMNS - 1) / 2 - shift[0]
    up = (ROWS - 1) / 2 - node_row - shift[1]
    # x, y: place within the contact, in the finger's own axes.
    x = np.cos(angle) * across + np.sin(angle) * up
    y = -np.sin(angle) * across + np.cos(angle) * up
    rim = (
        np.abs(x / (_CONTACT[0] * size)) ** _EXPONENT
        + np.abs(y / (_CONTACT[1] * size * np.where(y < 0, flat, 1))) ** _EXPONENT
    ) ** (1 / _EXPONENT)
    rim = rim + 0.025 * smooth_noise(rng, _NODES, 20 / GRID)
    loose = np.clip((rim - _STICKING) / (1 - _STICKING), 0, 1)
    brake = 0.5 * (1 - np.cos(np.pi * loose))
    strain = smooth_noise(rng, _NODES, 45 / GRID), smooth_noise(rng, _NODES, 45 / GRID)
    skin_x = x + offset[0] + brake * (slip[0] - torsion * y) + spread.displacement * strain[0]
    skin_y = y + offset[1] + brake * (slip[1] + torsion * x) + spread.displacement * strain[1]

    wet = rng.normal(0, spread.wet) + 0.8 * spread.wet * smooth_noise(rng, _NODES, 36 / GRID)
    fading = np.clip((rim - 0.84) / 0.2, 0, None)
    ink = np.where(rim < 1.06, wet - 2.6 * fading * fading, 2 * _DRY)
    # Where the skin is dry or presses less, its ridges come out paler as well as thinner.
    darkness = rng.uniform(0.72, 1.0) + 0.25 * wet
    strength = spread.grain * np.exp(min(rng.normal(0, spread.grain_spread), 0.7))
    patches = np.exp(0.35 * smooth_noise(rng, _NODES, 28 / GRID))
    return _Touch(
        row=((HEIGHT - 1) / 2 - skin_y).astype(np.float32),
        column=(skin_x + (WIDTH - 1) / 2).astype(np.float32),
        ink=ink.astype(np.float32),
        grain=(strength * patches).astype(np.float32),
        darkness=np.clip(darkness, 0.35, 1.0).astype(np.float32),
    )


def _bounded(rng: np.random.Generator, deviation: float) -> float:
    """A normal deviate, held within 2.2 standard deviations so that no touch misses the finger."""
    return deviation * float(np.clip(rng.normal(), -2.2, 2.2))


@njit(
    "void(f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4, f4[:,::1])",
    nogil=True,
    cache=True,
)
def print_ink(
    ridges: Any,
    pores: Any,
    row_of: Any,
    column_of: Any,
    ink_level: Any,
    grain: Any,
    speckle: Any,
    pore_depth: Any,
    out: Any,
) -> None:
    """Ink between 0 and 1 on every pixel of the sensor: sigmoid(3.2 (ridge + wetness + grain − pore)).

    Args:
        ridges, pores: the master, shape (HEIGHT, WIDTH).
        row_of, column_of, ink_level, grain: slow fields on the coarse grid, as in `_Touch`.
        speckle: noise of standard deviation about 1, one number a pixel.
        out: (ROWS, COLUMNS), written.
    """
    height, width = ridges.shape
    for r in range(out.shape[0]):
        i = r // GRID
        below = np.float32((r - i * GRID) / GRID)
        above = np.float32(1) - below
        for c in range(out.shape[1]):
            j = c // GRID
            right = np.float32((c - j * GRID) / GRID)
            left = np.float32(1) - right
            w00, w01, w10, w11 = above * left, above * right, below * left, below * right
            wet = (
                w00 * ink_level[i, j]
                + w01 * ink_level[i, j + 1]
                + w10 * ink_level[i + 1, j]
                + w11 * ink_level[i + 1, j + 1]
            )
            if wet < _DRY:
                out[r, c] = 0
                continue
            y = (
                w00 * row_of[i, j]
                + w01 * row_of[i, j + 1]
                + w10 * row_of[i + 1, j]
                + w11 * row_of[i + 1, j + 1]
            )
            x = (
                w00 * column_of[i, j]
                + w01 * column_of[i, j + 1]
                + w10 * column_of[i + 1, j]
                + w11 * column_of[i + 1, j + 1]
            )
            y = min(max(y, np.float32(0)), np.float32(height - 1.001))
            x = min(max(x, np.float32(0)), np.float32(width - 1.001))
            k, m = int(y), int(x)
            fy, fx = y - np.float32(k), x - np.float32(m)
            v00, v01 = (1 - fy) * (1 - fx), (1 - fy) * fx
            v10, v11 = fy * (1 - fx), fy * fx
            ridge = (
                v00 * ridges[k, m]
                + v01 * ridges[k, m + 1]
                + v10 * ridges[k + 1, m]
                + v11 * ridges[k + 1, m + 1]
            )
            pore = (
                v00 * pores[k, m] + v01 * pores[k, m + 1] + v10 * pores[k + 1, m] + v11 * pores[k + 1, m + 1]
            )
            rough = (
                w00 * grain[i, j] + w01 * grain[i, j + 1] + w10 * grain[i + 1, j] + w11 * grain[i + 1, j + 1]
            )
            level = ridge + wet + rough * speckle[r, c] - pore_depth * pore
            out[r, c] = np.float32(1) / (np.float32(1) + np.exp(np.float32(-_INK_SLOPE) * level))


def _scratch(ink: Field, rng: np.random.Generator) -> None:
    """Take the ink off along a bent line of random place, length, width and depth."""
    row, column = rng.uniform(0.1, 0.9) * ROWS, rng.uniform(0.2, 0.8) * COLUMNS
    direction, half = rng.uniform(0, np.pi), rng.uniform(10, 55)
    width, depth, bend = rng.uniform(0.8, 2.2), rng.uniform(0.4, 0.95), rng.normal(0, 0.0025)
    reach_row, reach_column = half * abs(np.sin(direction)) + 16, half * abs(np.cos(direction)) + 16
    r0, r1 = max(int(row - reach_row), 0), min(int(row + reach_row), ROWS)
    c0, c1 = max(int(column - reach_column), 0), min(int(column + reach_column), COLUMNS)
    dy, dx = np.mgrid[r0:r1, c0:c1].astype(np.float32)
    dy -= np.float32(row)
    dx -= np.float32(column)
    along = np.abs(dx * np.float32(np.cos(direction)) + dy * np.float32(np.sin(direction)))
    across = -dx * np.float32(np.sin(direction)) + dy * np.float32(np.cos(direction))
    across += np.float32(bend) * along * along
    beyond = np.maximum(along - np.float32(half), 0)
    ink[r0:r1, c0:c1] *= 1 - np.float32(depth) * np.exp(
        -(across**2 + beyond**2) / np.float32(2 * width * width)
    )
