"""Templates of people who do not exist, at thousands a second: minutiae drawn from a model, no images.

A *finger* has a pattern class and singular points as in `sim.fingerprints.traits`; a zero-pole orientation
field with a smooth disturbance; minutiae as a Poisson process with a small hard core, along the field, their
polarity drawn from a smooth field so that neighbours tend to point the same way. A *print* of it shows the
minutiae within an ellipse, turned, displaced smoothly and singly; some are missed, some are spurious.

The constants were fitted to the templates that the own extractor makes of FVC2002 DB1 and DB3 and FVC2004
DB2 and DB4 (set B; 1,120 genuine comparisons, aligned by their paired minutiae), of which nothing else is
contained here. `python -m bench.template_statistics DIR...` prints both; the sets first, then the model:

    5.8 to 6.9 minutiae per 10,000 px (6.0), ridge area 61,000 to 91,000 px (79,000), nearest neighbour 5 % at
    3 to 4 px and 50 % at 15 to 18 px (5 and 18); quality 0.15 to 0.28, sd 0.13 to 0.15 (0.24, 0.14), of the
    same minutia in two prints correlated by 0.43 to 0.61 (0.44); of the minutiae within the common area 66 to
    76 % are found again (75 %), residual 3.5 to 4.1 px median, 8.5 to 10.3 px 90 % (3.8, 8.2), turn between
    prints 12 to 17 degrees (15), common area 79 to 89 % (86 %).

Then, what no single statistic fixes (how much quality persists, how many prints are poor) was set so that the
first-stage scores of mates and of strangers fall where those of the real sets do (`docs/search.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.template import CELL, Template, quantised
from services.abis.kernels import F32, F64, U8, kernel
from sim.fingerprints.traits import FingerTraits, Pattern, Point, finger_traits, person_traits

WIDTH, HEIGHT = 416, 480
DENSITY = 7.6e-4
"""Minutiae per square pixel of a print, away from the border of its ridge area."""
FOUND, FOUND_SD = 0.91, 0.07
"""Share of a finger's minutiae that a print shows, and how it differs between prints."""
CONTACT = (142.0, 178.0)
"""Semi-axes in pixels of the ridge area of a print."""
_RIM = 12.0
"""Extraction drops minutiae this near to the border of the ridge area."""
_REACH = 1.35
"""Semi-axes of what a finger can show, relative to those of one print."""
_CORE = 3.0
"""No two minutiae of a finger are nearer than this."""
_WAVES = 6


@dataclass(frozen=True, eq=False)
class SyntheticFinger:
    """minutiae: (n, 4) x, y (pixels from the middle, y up), angle, quality of all that it could show."""

    minutiae: F64


@kernel("float64(float64, float64, float64[:,::1])")
def _smooth(x: float, y: float, waves: F64) -> float:
    """A random smooth function of sd 1: the mean of plane waves (kx, ky, phase)."""
    total = 0.0
    for k in range(waves.shape[0]):
        total += np.cos(waves[k, 0] * x + waves[k, 1] * y + waves[k, 2])
    return float(total * np.sqrt(2.0 / waves.shape[0]))


@kernel(
    "float64(float64, float64, float64[:,::1], float64[:,::1], float64, float64, float64, float64[:,::1])"
)
def _orientation(
    x: float, y: float, cores: F64, deltas: F64, roundness: float, tip: float, arch: float, waves: F64
) -> float:
    """Ridge orientation at a point, modulo pi: see `sim.fingerprints.orientation`, of which this is the
    coarse part.
    """
    theta = 0.0
    for k in range(cores.shape[0]):
        dx, dy = x - cores[k, 0], y - cores[k, 1]
        alpha = np.arctan2(dy, dx)
        near = np.exp(-(dx * dx + dy * dy) / (170.0 * 170.0))
        theta += 0.5 * alpha - roundness * near * np.sin(alpha - cores[k, 2])
    for k in range(deltas.shape[0]):
        theta -= 0.5 * np.arctan2(y - deltas[k, 1], x - deltas[k, 0])
    if cores.shape[0] == 0:
        u, v = x / 70.0, (y + 35.0) / 95.0
        theta -= arch * u * np.exp(0.5 - u * u / 2) * np.exp(-v * v)
    level = min(max((y - 28.0 + 150.0) / 300.0, 0.0), 1.0)
    theta -= tip * level * np.tanh(1.1 * x / (WIDTH / 2))
    return float(theta + 0.09 * _smooth(x, y, waves))


@kernel(
    "float64[:,::1](int64, float64[:,::1], float64[:,::1], float64, float64, float64, float64[:,::1],"
    " float64[:,::1])"
)
def _grow(
    seed: int, cores: F64, deltas: F64, roundness: float, tip: float, arch: float, waves: F64, polarity: F64
) -> F64:
    np.random.seed(seed)
    a, b = CONTACT[0] * _REACH, CONTACT[1] * _REACH
    wanted = np.random.poisson(DENSITY * np.pi * a * b * np.exp(0.2 * np.random.randn()))
    out = np.empty((wanted, 4))
    count = 0
    for _ in range(wanted):
        x, y = a * (2 * np.random.random() - 1), b * (2 * np.random.random() - 1)
        while (x / a) ** 2 + (y / b) ** 2 > 1.0:
            x, y = a * (2 * np.random.random() - 1), b * (2 * np.random.random() - 1)
        free = True
        for k in range(count):
            if (out[k, 0] - x) ** 2 + (out[k, 1] - y) ** 2 < _CORE * _CORE:
                free = False
                break
        if not free:
            continue
        theta = _orientation(x, y, cores, deltas, roundness, tip, arch, waves)
        # Orientation is a half turn wide; which way a ridge ends there follows from the ridges around.
        theta = theta - np.pi * np.floor(theta / np.pi)
        if _smooth(x, y, polarity) + 0.8 * np.random.randn() > 0.0:
            theta += np.pi
        out[count, 0], out[count, 1], out[count, 2] = x, y, theta
        out[count, 3] = np.random.randn()
        count += 1
    return out[:count].copy()


@kernel(
    "float32[:,::1](int64, float64[:,::1], float64[::1], float64, float64, float64[:,::1], float64[:,::1],"
    " uint8[:,::1])"
)
def _touch(
    seed: int,
    minutiae: F64,
    place: F64,
    found: float,
    clear: float,
    drift_x: F64,
    drift_y: F64,
    area: U8,
) -> F32:
    """Minutiae (n, 4) of a print, best first; fills `area`. place: offset x, y, turn, size of the contact."""
    np.random.seed(seed)
    a, b = CONTACT[0] * place[3], CONTACT[1] * place[3]
    cos, sin = np.cos(place[2]), np.sin(place[2])
    spurious = np.random.poisson(max((1.0 - found) * DENSITY * np.pi * a * b, 0.1))
    out = np.empty((minutiae.shape[0] + spurious, 4))
    count = 0
    for k in range(minutiae.shape[0] + spurious):
        if k < minutiae.shape[0]:
            x, y, angle = minutiae[k, 0] - place[0], minutiae[k, 1] - place[1], minutiae[k, 2]
            own = 0.75 * minutiae[k, 3] + 0.66 * np.random.randn()
            # What is clear on the finger is missed less often.
            if np.random.random() > found + 0.08 * minutiae[k, 3]:
                continue
        else:
            x, y = a * (2 * np.random.random() - 1), b * (2 * np.random.random() - 1)
            # Noise ends ridges where they are: spurious minutiae lie along the flow as well.
            near, angle = 1e9, 0.0
            for m in range(minutiae.shape[0]):
                d = (minutiae[m, 0] - place[0] - x) ** 2 + (minutiae[m, 1] - place[1] - y) ** 2
                if d < near:
                    near, angle = d, minutiae[m, 2]
            angle += np.pi * (np.random.random() < 0.5) + 0.15 * np.random.randn()
            own = np.random.randn() - 1.0
        if (x / (a - _RIM)) ** 2 + (y / (b - _RIM)) ** 2 > 1.0:
            continue
        single = 1.0 if np.random.random() < 0.9 else 4.5
        u = x + 2.8 * _smooth(x, y, drift_x) + single * np.random.randn()
        v = y + 2.8 * _smooth(x, y, drift_y) + single * np.random.randn()
        out[count, 0] = WIDTH / 2 + cos * u - sin * v
        out[count, 1] = HEIGHT / 2 - (sin * u + cos * v)
        blur = 0.035 if np.random.random() < 0.9 else 0.14
        out[count, 2] = angle + place[2] + blur * np.random.randn()
        out[count, 3] = min(max(clear + 0.15 * own, 0.02), 1.0)
        count += 1
    for r in range(area.shape[0]):
        for c in range(area.shape[1]):
            x, y = (c + 0.5) * CELL - WIDTH / 2, HEIGHT / 2 - (r + 0.5) * CELL
            u, v = cos * x + sin * y, -sin * x + cos * y
            area[r, c] = (u / a) ** 2 + (v / b) ** 2 <= 1.0
    best = np.argsort(-out[:count, 3])[: p.MAX_MINUTIAE]
    sorted_ = np.empty((best.size, 4), np.float32)
    for k in range(best.size):
        for column in range(4):
            sorted_[k, column] = out[best[k], column]
    return sorted_


def fingers(seed: int, person: int, positions: Sequence[int]) -> list[SyntheticFinger]:
    """Fingers of one person, the same whenever they are asked for."""
    rng = np.random.default_rng((seed, person))
    traits = person_traits(rng)
    return [_finger(finger_traits(traits, position, rng), rng) for position in positions]


def _finger(traits: FingerTraits, rng: np.random.Generator) -> SyntheticFinger:
    cores = np.array([(x, y, _opening(traits, k)) for k, (x, y) in enumerate(traits.cores)]).reshape(-1, 3)
    deltas = np.array(traits.deltas, np.float64).reshape(-1, 2)
    arch = rng.uniform(0.5, 0.85) if traits.pattern is Pattern.ARCH else 0.0
    minutiae = _grow(
        int(rng.integers(2**31)),
        cores,
        deltas,
        traits.roundness,
        traits.tip,
        arch,
        _waves(rng, 60.0),
        _waves(rng, 45.0),
    )
    return SyntheticFinger(minutiae)


def _opening(traits: FingerTraits, k: int) -> float:
    """Direction in which core k opens."""

    def towards(other: Point) -> float:
        return float(np.angle(complex(*traits.cores[k]) - complex(*other)))

    others = [towards(core) for j, core in enumerate(traits.cores) if j != k]
    return sum(others) - sum(towards(delta) for delta in traits.deltas)


def _waves(rng: np.random.Generator, correlation: float) -> F64:
    waves = np.empty((_WAVES, 3))
    waves[:, :2] = rng.normal(0.0, 1.0 / correlation, (_WAVES, 2))
    waves[:, 2] = rng.uniform(0.0, 2 * np.pi, _WAVES)
    return waves


def visit(own: Sequence[SyntheticFinger], rng: np.random.Generator) -> list[Template]:
    """One print of each of a person's fingers, as templates that know minutiae and area only.

    Fingers share their bad days: one visit in sixteen has dry or worn skin, and half of its prints are poor;
    of the others one in twenty is.
    """
    share = 0.5 if rng.random() < 1 / 16 else 0.05
    return [_touched(finger, rng, poor=bool(rng.random() < share)) for finger in own]


def _touched(finger: SyntheticFinger, rng: np.random.Generator, *, poor: bool) -> Template:
    size = float(np.clip(rng.normal(0.85 if poor else 1.0, 0.1), 0.6, 1.25))
    place = np.array([rng.normal(0, 24), rng.normal(0, 34), np.radians(rng.normal(0, 11)), size])
    found = float(np.clip(rng.normal(FOUND - (0.25 if poor else 0.0), FOUND_SD), 0.3, 0.97))
    clear = float(np.clip(rng.normal(0.12 if poor else 0.23, 0.05), 0.05, 0.6))
    area = np.zeros((-(-HEIGHT // CELL), -(-WIDTH // CELL)), np.uint8)
    points = _touch(
        int(rng.integers(2**31)),
        finger.minutiae,
        place,
        found,
        clear,
        _waves(rng, 90.0),
        _waves(rng, 90.0),
        area,
    )
    points[:, 2] = np.mod(points[:, 2], 2 * np.pi)
    kind = np.zeros(len(points), np.uint8)
    nothing = np.zeros((0, 0), np.uint8)
    template = Template(WIDTH, HEIGHT, points, kind, np.zeros_like(area), area, nothing, from_image=False)
    return quantised(template)
