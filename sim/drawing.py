"""Soft shapes and tapered strokes: what portraits and signatures are drawn with.

Coordinates are pixels of the finished picture, y downwards; inside, everything is drawn larger and scaled
down.
"""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Point = tuple[float, float]
Color = tuple[int, int, int]

_SCALE: Final = 2
_STEPS: Final = 12
"""Points of a curve between two of its knots."""


class Canvas:
    """A picture in the making."""

    def __init__(self, width: int, height: int, background: Color) -> None:
        self.width = width
        self.height = height
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), background)

    def mask(self, outline: Sequence[Point], blur: float = 0.0) -> Image.Image:
        """Coverage, 0 to 255, of the smooth closed curve through `outline`, softened over `blur` pixels."""
        patch, corner = _polygon(closed_curve(outline), blur)
        mask = Image.new("L", self._image.size)
        mask.paste(patch, corner)
        return mask

    def fill(
        self,
        outline: Sequence[Point],
        color: Color,
        *,
        blur: float = 0.0,
        opacity: float = 1.0,
        within: Image.Image | None = None,
    ) -> None:
        """Paint the smooth closed curve through `outline`; `within` keeps the paint inside another mask."""
        patch, corner = _polygon(closed_curve(outline), blur)
        if within is not None:
            (left, top), (width, height) = corner, patch.size
            patch = ImageChops.multiply(patch, within.crop((left, top, left + width, top + height)))
        self._paint(patch, corner, color, opacity)

    def cover(self, mask: Image.Image, color: Color, opacity: float = 1.0) -> None:
        """Paint `color` where `mask` is."""
        self._paint(mask, (0, 0), color, opacity)

    def stroke(
        self,
        points: Sequence[Point],
        color: Color,
        width: float,
        *,
        taper: float = 1.0,
        blur: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Draw a smooth line through `points`; `taper` 1 lets both ends run out, 0 keeps the full width."""
        path = open_curve(points)
        along = np.linspace(0, 1, len(path))
        widths = width * (1 - taper + taper * np.sin(np.pi * np.clip(along, 0.02, 0.98)) ** 0.6)
        self.ribbon(path, widths, color, blur=blur, opacity=opacity)

    def ribbon(
        self,
        path: NDArray[np.float64],
        widths: NDArray[np.float64],
        color: Color,
        *,
        blur: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Draw a line with a width of its own at each point of `path`, shape (n, 2)."""
        reach = float(widths.max()) / 2 + 2 + 3 * blur
        patch, corner = _patch(path, reach)
        draw = ImageDraw.Draw(patch)
        # Brush dabs close enough to each other to make a line.
        gaps = np.hypot(*np.diff(path, axis=0).T)
        steps = np.concatenate([[0], np.cumsum(gaps)])
        dabs = np.linspace(0, steps[-1], max(int(steps[-1] * _SCALE / 0.7), 2))
        columns = (np.interp(dabs, steps, values) for values in (path[:, 0], path[:, 1], widths / 2))
        for x, y, radius in zip(*columns, strict=True):
            a, b, r = x * _SCALE - corner[0], y * _SCALE - corner[1], radius * _SCALE
            draw.ellipse((a - r, b - r, a + r, b + r), fill=255)
        self._paint(_soften(patch, blur), corner, color, opacity)

    def _paint(self, patch: Image.Image, corner: tuple[int, int], color: Color, opacity: float) -> None:
        if opacity < 1:
            patch = patch.point([round(level * opacity) for level in range(256)])
        self._image.paste(color, (*corner, corner[0] + patch.width, corner[1] + patch.height), patch)

    def png(self, dpi: int) -> bytes:
        """The finished picture as a PNG file that states its resolution."""
        picture = self._image.resize((self.width, self.height), Image.Resampling.BOX)
        file = io.BytesIO()
        picture.save(file, "PNG", dpi=(dpi, dpi))
        return file.getvalue()


def subtract(mask: Image.Image, hole: Image.Image) -> Image.Image:
    """`mask` without `hole`."""
    return ImageChops.subtract(mask, hole)


def intersect(mask: Image.Image, other: Image.Image) -> Image.Image:
    """What is covered by both."""
    return ImageChops.multiply(mask, other)


def ellipse(x: float, y: float, half_width: float, half_height: float) -> list[Point]:
    """Knots of an ellipse."""
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return [(float(x + half_width * np.cos(t)), float(y + half_height * np.sin(t))) for t in turns]


def mirrored(x: float, right: Sequence[Point]) -> list[Point]:
    """A closed outline symmetric about the vertical through `x`.

    `right` runs from the top to the bottom along the right side, as offsets from `x`.
    """
    return [(x + dx, y) for dx, y in right] + [(x - dx, y) for dx, y in reversed(right) if dx > 0]


def mix(first: Color, second: Color, share: float) -> Color:
    """`share` of the second colour in the first."""
    red, green, blue = (
        round(a + (b - a) * min(max(share, 0.0), 1.0)) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def closed_curve(knots: Sequence[Point]) -> NDArray[np.float64]:
    """Points of the closed Catmull–Rom curve through `knots`, shape (n, 2)."""
    points = np.asarray(knots, float)
    return _catmull_rom(np.concatenate([points[-1:], points, points[:2]]))


def open_curve(knots: Sequence[Point]) -> NDArray[np.float64]:
    """Points of the Catmull–Rom curve from the first to the last of `knots`, shape (n, 2)."""
    points = np.asarray(knots, float)
    first, last = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    return _catmull_rom(np.concatenate([first, points, last]))


def _catmull_rom(points: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.linspace(0, 1, _STEPS, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (points[k : len(points) - 3 + k, None, :] for k in range(4))
    curve = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return np.concatenate([curve.reshape(-1, 2), points[-2:-1]])


def _polygon(path: NDArray[np.float64], blur: float) -> tuple[Image.Image, tuple[int, int]]:
    """Mask of a closed outline, no larger than needed, and where its upper left corner lies on the canvas."""
    patch, corner = _patch(path, 1 + 3 * blur)
    ImageDraw.Draw(patch).polygon([(float(x), float(y)) for x, y in path * _SCALE - corner], fill=255)
    return _soften(patch, blur), corner


def _patch(path: NDArray[np.float64], margin: float) -> tuple[Image.Image, tuple[int, int]]:
    low = np.floor((path.min(axis=0) - margin) * _SCALE).astype(int)
    size = np.ceil((path.max(axis=0) + margin) * _SCALE).astype(int) - low
    return Image.new("L", (int(size[0]), int(size[1]))), (int(low[0]), int(low[1]))


def _soften(patch: Image.Image, blur: float) -> Image.Image:
    """`patch` with its edges softened; a wide blur is made on a smaller copy, where nobody sees it."""
    if not blur:
        return patch
    reduction = 4 if blur > 3 else 1
    small = patch.reduce(reduction) if reduction > 1 else patch
    small = small.filter(ImageFilter.GaussianBlur(blur * _SCALE / reduction))
    return small.resize(patch.size, Image.Resampling.BILINEAR) if reduction > 1 else small
