"""Signatures of people who do not exist: one smooth pen line, made of loops as letters make them.

A person's signature follows from the name and the human behind it, so it is the same at every enrolment under
that name.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.drawing import Canvas, Color, open_curve
from sim.population import Person

WIDTH: Final = 600
HEIGHT: Final = 200
DPI: Final = 300

_INK: Final[Color] = (20, 24, 66)
_PAPER: Final[Color] = (255, 255, 255)
_MARGIN: Final = 24.0
_INITIALS: Final = (
    ((0.0, 0.2), (-0.3, 1.4), (0.4, 2.6), (0.9, 1.2), (0.3, -0.5), (0.9, -0.3)),
    (
        (0.1, 1.9),
        (0.5, 2.3),
        (0.35, 0.4),
        (-0.2, -0.4),
        (-0.6, 0.4),
        (0.5, 2.4),
        (1.5, 2.0),
        (1.2, 1.1),
        (0.3, 1.0),
        (1.1, -0.1),
    ),
    (
        (1.2, 2.0),
        (0.6, 2.6),
        (0.1, 1.9),
        (0.8, 1.2),
        (1.1, 0.4),
        (0.2, -0.4),
        (-0.5, 0.2),
        (0.6, 0.5),
        (1.3, 0.1),
    ),
    (
        (0.0, -0.2),
        (0.4, 1.4),
        (0.8, 2.6),
        (0.95, 1.2),
        (1.0, -0.1),
        (1.5, 1.3),
        (2.0, 2.5),
        (2.1, 1.0),
        (2.2, -0.2),
    ),
    ((1.3, 1.9), (0.7, 2.5), (-0.2, 1.5), (0.0, 0.1), (0.9, -0.2), (1.4, 0.6), (0.8, 1.0), (1.5, 0.1)),
    ((0.0, -0.3), (0.5, 1.2), (0.95, 2.5), (1.15, 1.1), (1.3, -0.2), (0.8, 0.9), (0.3, 0.8), (1.6, 0.3)),
)
"""Knots of capitals, roughly L, P, S, M, G and A; a unit is about the height of a small letter."""


def draw(person: Person) -> bytes:
    """Signature of `person`: a PNG of 600 × 200 pixels at 300 dpi, dark ink on white."""
    name = person.full_name.encode()
    rng = np.random.default_rng(np.random.SeedSequence((person.human, 5, *name)))
    canvas = Canvas(WIDTH, HEIGHT, _PAPER)
    strokes = [_letters(rng, len(person.full_name))]
    if rng.random() < 0.75:
        strokes.append(_flourish(rng))
    pen = rng.uniform(2.6, 3.8)
    for stroke in _fitted(strokes):
        path = open_curve([(float(x), float(y)) for x, y in stroke])
        canvas.ribbon(path, pen * _pressure(path), _INK)
    return canvas.png(DPI)


def _letters(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """Knots of the running line: a tall initial, then loops that shrink and stretch out."""
    slant, roundness = rng.uniform(0.1, 0.55), rng.uniform(0.5, 1.1)
    initial = _INITIALS[int(rng.integers(len(_INITIALS)))]
    wide, high = rng.uniform(0.8, 1.3), rng.uniform(0.8, 1.15)
    knots: list[tuple[float, float]] = [(wide * x, high * y) for x, y in initial]
    x = max(x for x, _ in knots) + 0.3
    for k in range(int(np.clip(length // 3, 3, 8))):
        tall = rng.uniform(1.5, 2.6) if rng.random() < 0.25 else rng.uniform(0.4, 1.0)
        deep = -rng.uniform(0.8, 1.8) if rng.random() < 0.15 else rng.uniform(-0.25, 0.05)
        width = rng.uniform(0.45, 0.85) * (1 + 0.08 * k)
        back = roundness * rng.uniform(0.15, 0.5)
        knots += [
            (x + width * 0.6, tall * 0.6),
            (x + width * 0.45, tall),
            (x + width * 0.45 - back, tall * 0.55),
        ]
        knots += [(x + width * 0.6, deep), (x + width, deep + rng.uniform(0.1, 0.3))]
        x += width
    knots += [
        (x + rng.uniform(0.6, 1.6), rng.uniform(-0.2, 0.8)),
        (x + rng.uniform(1.8, 3.0), rng.uniform(-0.4, 1.2)),
    ]
    line = np.array(knots)
    line[:, 0] += slant * line[:, 1]
    line += rng.normal(0, 0.04, line.shape)
    return line


def _flourish(rng: np.random.Generator) -> NDArray[np.float64]:
    """Knots of a second line, thrown below or through the first."""
    length, y = rng.uniform(3.5, 6.5), rng.uniform(-1.3, 0.1)
    curl = rng.uniform(-0.7, 0.7)
    return np.array(
        [(0.4, y), (0.3 * length, y + 0.3 * curl), (0.7 * length, y - 0.2 * curl), (length, y + 0.5 * curl),
         (length - 0.7, y + 0.7 + curl), (length - 1.6, y - 0.5)]
    )  # fmt: skip


def _fitted(strokes: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The strokes scaled into the picture, y turned downwards, sitting in its middle."""
    every = np.concatenate(strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    room = np.array([WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN])
    scale = float((room / (high - low)).min())
    middle = (low + high) / 2
    return [(stroke - middle) * (scale, -scale) + (WIDTH / 2, HEIGHT / 2) for stroke in strokes]


def _pressure(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Width of the line at each point, around 1: slow and downward strokes press harder, ends run out."""
    step = np.gradient(path, axis=0)
    speed = np.hypot(step[:, 0], step[:, 1])
    downward = step[:, 1] / np.maximum(speed, 1e-9)
    width = 1.0 + 0.25 * downward - 0.3 * np.clip(speed / np.median(speed) - 1, -0.5, 1)
    ends = np.clip(np.minimum(np.arange(len(path)), np.arange(len(path))[::-1]) / 14, 0.25, 1)
    smooth = np.convolve(np.pad(width, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    pressed: NDArray[np.float64] = smooth * ends
    return pressed
