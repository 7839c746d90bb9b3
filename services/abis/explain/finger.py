"""One finger, step by step: the pictures of its extraction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from services.abis.explain import drawing, pictures
from services.abis.explain.steps import Steps
from services.abis.fingerprint.parameters import BLOCK
from services.abis.fingerprint.template import CELL


@dataclass(frozen=True)
class Panel:
    """One picture with what it shows."""

    title: str
    text: str
    svg: Markup


def panels(steps: Steps) -> list[Panel]:
    """All steps of one finger in order."""
    template = steps.template
    height, width = steps.pixels.shape
    area = steps.area.astype(np.uint8)
    if not template.from_image:
        return [_recorded(steps)]
    share = float(area.mean())
    inside = (template.frequency != 0).astype(np.uint8)
    theta = (template.orientation * (np.pi / 256)).astype(np.float32)
    captured = pictures.grey(steps.pixels)
    periods = _periods(steps)
    return [
        panel(
            "Captured",
            f"{width} × {height} pixels at 500 dpi; the line bounds the {share:.0%} of it that show ridges.",
            drawing.picture(captured, width, height, drawing.outline(area, BLOCK)),
        ),
        panel(
            "Quality",
            f"How clear the ridges are: yellow is clear, dark is not. The finger has a quality of "
            f"{template.quality} of 100.",
            drawing.picture(
                pictures.heat(steps.clarity, 0.0, 1.0),
                steps.clarity.shape[1] * BLOCK,
                steps.clarity.shape[0] * BLOCK,
                blocky=True,
            ),
        ),
        panel(
            "Orientation",
            f"Where the ridges run. They are {periods} pixels apart.",
            drawing.picture(captured, width, height, drawing.orientations(theta, inside, CELL)),
        ),
        panel(
            "Enhanced",
            "Every pixel filtered along its own orientation and ridge distance.",
            drawing.picture(pictures.enhanced(steps.enhanced), width, height),
        ),
        *_skeleton(steps, width, height),
        panel(
            "Minutiae",
            f"{len(template)} minutiae kept: circles are ridge endings, squares bifurcations, the stem shows "
            "the direction. Point at one to see its quality.",
            drawing.picture(
                pictures.enhanced(steps.enhanced * np.float32(0.45)),
                width,
                height,
                drawing.minutiae(template.points, template.kind, "found"),
            ),
        ),
    ]


def _recorded(steps: Steps) -> Panel:
    """The one picture of a finger of which only minutiae are known."""
    template = steps.template
    return panel(
        "Minutiae",
        f"{len(template)} minutiae of a record without an image: circles are ridge endings, squares "
        "bifurcations, the stem shows the direction. The line bounds the area that they span.",
        drawing.picture(
            pictures.grey(steps.pixels),
            template.width,
            template.height,
            [
                *drawing.outline(steps.area.astype(np.uint8), BLOCK),
                *drawing.minutiae(template.points, template.kind, "found"),
            ],
        ),
    )


def _skeleton(steps: Steps, width: int, height: int) -> list[Panel]:
    if steps.skeleton is None:
        return []
    picture = drawing.picture(pictures.black_on_white(steps.skeleton), width, height)
    return [panel("Skeleton", "Each ridge thinned to a line; minutiae are its ends and forks.", picture)]


def _periods(steps: Steps) -> str:
    known = steps.wave[steps.area & (steps.wave > 0)]
    if not known.size:
        return "an unknown number of"
    low, high = (1.0 / float(np.quantile(known, q)) for q in (0.9, 0.1))
    return f"{low:.1f} to {high:.1f}"


def panel(title: str, text: str, svg: str) -> Panel:
    """A panel with a drawing of `drawing`."""
    # The drawing is made of numbers and of pictures encoded here; nothing in it comes from outside.
    return Panel(title, text, Markup(svg))  # noqa: S704
