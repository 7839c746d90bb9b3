"""Two fingers compared, step by step: the pictures of the match and what the score is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from services.abis.explain import drawing, pictures
from services.abis.explain.finger import Panel, panel
from services.abis.explain.matching import Evidence, Match, brought_back, laid_over
from services.abis.explain.steps import Steps
from services.abis.fingerprint.cylinders import VALID_WORDS
from services.abis.fingerprint.lssr import pair_count
from services.abis.fingerprint.parameters import BLOCK, CYLINDER_LAYERS, CYLINDER_SIDE
from services.abis.kernels import F32, F64, U8, U64

CYLINDERS_SHOWN = 3
STRONG = 0.1
"""Relaxed value of a pair at the end of the colour scale: twice what different fingers of four sets reach."""
MEANING = {
    "local": "minutiae whose neighbourhoods look alike and vote for one another",
    "weight": "minutiae that coincide, weighed by their quality",
    "density": "minutiae that coincide, against those that could",
    "ratio": "share of the quality in the common area that coincides",
    "orientation": "ridges run the same way",
    "frequency": "difference in ridge distance",
    "overlap": "size of the common area (logarithm), by which agreement is weighed",
    "evidence": "minutiae that coincide (logarithm), beyond what their share says",
    "texture": "ridges lie on ridges, pixel by pixel",
}
"""What each feature of `agreement.FEATURES` says, in words for adjudicators."""


@dataclass(frozen=True)
class Cylinders:
    """A pair of minutiae whose surroundings look alike, as layers of the two cylinders, under a letter."""

    letter: str
    similarity: float
    relaxed: float
    layers: tuple[Markup, ...]


def correspondences(found: Match, probe: Steps, reference: Steps) -> Panel:
    """Which minutiae look alike, side by side, as far as the local score counts them."""
    a, b = found.probe, found.reference
    used = _used(found)
    pairs, strength = found.relaxed[:used], found.strength[:used]
    left = (pictures.grey(probe.pixels), a.width, a.height)
    right = (pictures.grey(reference.pixels), b.width, b.height)
    shift = float(left[1] + drawing.GAP)
    marks = [
        *_known_area(probe, 0.0),
        *_known_area(reference, shift),
        *drawing.connections(a.points, b.points, pairs, np.clip(strength / STRONG, 0.0, 1.0), shift),
        *drawing.minutiae(a.points, a.kind, "probe", chosen=pairs[:, 0].tolist()),
        *drawing.minutiae(b.points, b.kind, "reference", shift=shift, chosen=pairs[:, 1].tolist()),
    ]
    for name, k in strongest(found):
        i, j = found.relaxed[k].tolist()
        marks.append(drawing.letter(a.points, i, name, "probe"))
        marks.append(drawing.letter(b.points, j, name, "reference", shift=shift))
    return panel(
        "Minutiae whose surroundings look alike",
        f"The {used} pairs that hold up best when each is asked how well it agrees with the others; their "
        f"mean is the local score, {found.local:.3f}. Yellow lines hold up as only those of one finger do, "
        "dark ones no better than by chance. Circles are ridge endings, squares bifurcations.",
        drawing.side_by_side(left, right, marks),
    )


def best_cylinders(found: Match) -> list[Cylinders]:
    """The strongest pairs, each as its two cylinders laid over each other."""
    out = []
    bits_a, valid_a, _ = found.probe.cylinders
    bits_b, valid_b, _ = found.reference.cylinders
    for name, k in strongest(found):
        i, j = (int(v) for v in found.relaxed[k])
        valid = _cells(valid_a[i]) & _cells(valid_b[j])
        layers = tuple(
            _layer(_part(bits_a[i], layer), _part(bits_b[j], layer), valid)
            for layer in range(CYLINDER_LAYERS)
        )
        out.append(Cylinders(name, float(found.similarity[i, j]), float(found.strength[k]), layers))
    return out


def _used(found: Match) -> int:
    """How many of the relaxed pairs, the first ones, the local score counts."""
    return min(len(found.relaxed), pair_count(min(len(found.probe), len(found.reference))))


def strongest(found: Match) -> list[tuple[str, int]]:
    """Indices of the pairs to look at closely, under their letters."""
    order = np.argsort(-found.strength[: _used(found)], kind="stable")[:CYLINDERS_SHOWN].tolist()
    return list(zip("ABC", order, strict=False))


def overlay(found: Match, probe: Steps, reference: Steps) -> Panel:
    """Both fingers laid over one another, with the minutiae that coincide.

    Drawn in the frame of the one that the matcher laid over the other.
    """
    base, other = (reference, probe) if found.swapped else (probe, reference)
    pairs = found.pairs[:, ::-1] if found.swapped else found.pairs
    a, b = base.template, other.template
    where = laid_over(a.height, a.width, found.motion, found.field)
    ridges = _ridges(base), _sampled(_ridges(other), where)
    back = brought_back(b.points, found.motion, found.field)
    there = np.column_stack([back, b.points[:, 3]]).astype(np.float32)
    chosen_a, chosen_b = pairs[:, 0].tolist(), pairs[:, 1].tolist()
    names = ("reference", "probe") if found.swapped else ("probe", "reference")
    common = _common(base, other, back[:, :2], where)
    marks = [
        *_known_area(base, 0.0),
        *drawing.minutiae(a.points, a.kind, f"{names[0]} alone", chosen=_without(common[0], chosen_a)),
        *drawing.minutiae(there, b.kind, f"{names[1]} alone", chosen=_without(common[1], chosen_b)),
        *drawing.residuals(a.points[chosen_a].astype(np.float64), there[chosen_b]),
        *drawing.minutiae(a.points, a.kind, names[0], chosen=chosen_a),
        *drawing.minutiae(there, b.kind, names[1], chosen=chosen_b),
    ]
    turn = abs(math.degrees(math.atan2(float(found.motion[1]), float(found.motion[0]))))
    return panel(
        "Laid over one another",
        f"Turned by {turn:.0f}° and stretched as skin does. {_ridges_in_words(probe, reference)} Of "
        f"{len(common[0])} and {len(common[1])} minutiae in the common area {len(pairs)} coincide; the "
        "others are pale. A few always do, of any two fingers.",
        drawing.picture(
            pictures.two_colours(*(ridges[::-1] if found.swapped else ridges)), a.width, a.height, marks
        ),
    )


def rows(found: Match) -> list[tuple[Evidence, str, float]]:
    """Each feature with its meaning and its share of the greatest contribution, in [-1, 1]."""
    most = max((abs(e.contribution) for e in (*found.evidence, Evidence("", 0.0, found.bias))), default=1.0)
    return [(e, MEANING[e.name], e.contribution / most) for e in found.evidence]


def _known_area(steps: Steps, shift: float) -> list[str]:
    """Bounds of the area that minutiae span, of a finger without a picture."""
    if steps.template.from_image:
        return []
    return drawing.moved(drawing.outline(steps.area.astype(np.uint8), BLOCK), shift)


def _ridges_in_words(probe: Steps, reference: Steps) -> str:
    """What the colours of the ridges say."""
    if probe.template.from_image and reference.template.from_image:
        return "Ridges of the probe are orange, of the reference blue, where both lie they are dark."
    if probe.template.from_image or reference.template.from_image:
        names = ("probe", "reference") if probe.template.from_image else ("reference", "probe")
        return f"The ridges are those of the {names[0]}; of the {names[1]} only minutiae are known."
    return "Only minutiae are known of either."


def _common(base: Steps, other: Steps, back: F64, where: F32) -> tuple[list[int], list[int]]:
    """Minutiae of either finger that lie in the ridge area of both."""
    both = _pixels_of(base) & _sampled(_pixels_of(other), where)
    lists = []
    for points in (base.template.points[:, :2], back):
        x, y = np.round(points).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < both.shape[1]) & (y < both.shape[0])
        inside[inside] = both[y[inside], x[inside]] != 0
        lists.append(np.flatnonzero(inside).tolist())
    return lists[0], lists[1]


def _pixels_of(steps: Steps) -> U8:
    """The ridge area, pixel by pixel."""
    height, width = steps.pixels.shape
    return np.repeat(np.repeat(steps.area.astype(np.uint8), BLOCK, 0), BLOCK, 1)[:height, :width]


def _without(indices: list[int], taken: list[int]) -> list[int]:
    return [k for k in indices if k not in taken]


def _ridges(steps: Steps) -> U8:
    """Pixels on ridges inside the ridge area."""
    return (steps.enhanced < -0.2).astype(np.uint8)


def _sampled(image: U8, where: F32) -> U8:
    """The image read at the nearest pixel of each place; 0 outside."""
    x, y = np.round(where[..., 0]).astype(int), np.round(where[..., 1]).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    out = np.zeros(where.shape[:2], np.uint8)
    out[inside] = image[y[inside], x[inside]]
    return out


def _cells(words: U64) -> U8:
    """Bits of the cells of one layer, shape (side, side)."""
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), bitorder="little")
    return bits.reshape(CYLINDER_SIDE, CYLINDER_SIDE)


def _part(words: U64, layer: int) -> U8:
    return _cells(words[layer * VALID_WORDS : (layer + 1) * VALID_WORDS])


def _layer(first: U8, second: U8, valid: U8) -> Markup:
    """One layer of two cylinders: cells set in the first, in the second, in both; unknown ones left grey."""
    address = pictures.two_colours(first & valid, second & valid, known=valid)
    size = CYLINDER_SIDE * 4
    # Made of numbers and an encoded picture only.
    return Markup(drawing.picture(address, size, size, blocky=True))  # noqa: S704
