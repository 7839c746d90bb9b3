"""What other sensors, other fingers and other operators do to a print, each effect by itself.

A variant takes the grey values of a print at 500 dpi to those that another sensor would have given, and the
resolution that it declares. What belongs to a sensor (frame, vignette, dead lines) is the same for all prints
of a variant, what belongs to a touch (turn, wetness, place) is drawn for each print from its own seed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import numpy as np
import wsq  # noqa: F401 - registers its encoder with Pillow
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from services.abis.kernels import U8

F64 = NDArray[np.float64]
Rng = np.random.Generator
Variant = Callable[[U8, Rng, Rng], tuple[U8, float]]
"""(pixels, draws of the touch, draws of the sensor) to (pixels, declared dpi)."""


def _grey(values: F64) -> U8:
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _paper(pixels: U8) -> float:
    """Grey value around the finger."""
    border = np.concatenate([pixels[4], pixels[-5], pixels[:, 4], pixels[:, -5]])
    return float(np.median(border))


def _ground(pixels: U8) -> F64:
    """Grey value of the valleys, everywhere."""
    lightest = ndimage.percentile_filter(pixels, 90, 17).astype(np.float64)
    return np.asarray(ndimage.gaussian_filter(lightest, 4))


def _smooth(shape: tuple[int, int], sigma: float, rng: Rng) -> F64:
    """A random field of mean 0 and deviation 1 that changes over `sigma` pixels."""
    coarse = max(int(sigma / 3), 1)
    rows, columns = shape[0] // coarse + 2, shape[1] // coarse + 2
    field = ndimage.gaussian_filter(rng.normal(size=(rows, columns)), sigma / coarse, mode="wrap")
    field = ndimage.zoom((field - field.mean()) / field.std(), coarse, order=1)
    return np.asarray(field[: shape[0], : shape[1]])


def _canvas(pixels: U8, height: int, width: int, value: F64 | float, rng: Rng, slack: int = 12) -> U8:
    """A picture of the given size cut out of the print around its middle, or the print on a ground of value.

    slack: pixels by which the middle lies elsewhere from touch to touch.
    """
    out = np.broadcast_to(np.asarray(value, np.float64), (height, width)).copy()
    top, left = (
        (size - side) // 2 + int(rng.integers(-slack, slack + 1))
        for size, side in zip((height, width), pixels.shape, strict=True)
    )
    rows = slice(max(top, 0), min(top + pixels.shape[0], height))
    columns = slice(max(left, 0), min(left + pixels.shape[1], width))
    y, x = np.mgrid[rows, columns]
    out[rows, columns] = pixels[y - top, x - left]
    return _grey(out)


def _middle(pixels: U8) -> tuple[float, float]:
    """Middle of what differs from the paper around it."""
    contrast = ndimage.uniform_filter(np.abs(pixels - _paper(pixels)), 25)
    i, j = np.nonzero(contrast > 0.5 * contrast.max())
    return float(i.mean()), float(j.mean())


def _cut(height: int, width: int, spread: float) -> Variant:
    """A sensor smaller than the finger, touched now here, now there."""

    def cut(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
        y, x = (at + touch.normal(0, spread) for at in _middle(pixels))
        top = int(np.clip(y - height / 2, 0, max(pixels.shape[0] - height, 0)))
        left = int(np.clip(x - width / 2, 0, max(pixels.shape[1] - width, 0)))
        return np.ascontiguousarray(pixels[top : top + height, left : left + width]), 500.0

    return cut


def _resampled(dpi: float, declared: float | None = None) -> Variant:
    def resample(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
        height, width = (round(side * dpi / 500) for side in pixels.shape)
        picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        return np.array(picture), declared or dpi

    return resample


def _frame(value: float, noise: float) -> Variant:
    """The print seen through a window in an even surround, whose noise a sensor adds."""

    def frame(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
        height, width = pixels.shape
        ground = np.full((height + 61, width + 83), value)
        framed = _canvas(pixels, height + 61, width + 83, ground, touch, 0).astype(float)
        return _grey(framed + touch.normal(0, 1, framed.shape) * noise), 500.0

    return frame


def _large(pixels: U8, touch: Rng, sensor: Rng) -> tuple[U8, float]:
    ground = 225 + 8 * _smooth((760, 680), 90, sensor) + touch.normal(0, 3, (760, 680))
    # Multiplied, not pasted: the edge of the small image is no edge of the large one's.
    print_ = _canvas(pixels, 760, 680, _paper(pixels), touch, 60) / max(_paper(pixels), 1)
    return _grey(ground * print_), 500.0


def _vignette(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    return _grey(pixels * np.clip(1.15 - 0.45 * (x * x + y * y), 0, 1)), 500.0


def _slope(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    """Light from one side: half as much of everything on the other, and a veil."""
    y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    angle = touch.uniform(0, 2 * np.pi)
    ramp = 0.5 + 0.35 * (x * np.cos(angle) + y * np.sin(angle))
    return _grey(60 * ramp + pixels * (0.25 + 0.5 * ramp)), 500.0


def _sweep(pixels: U8, touch: Rng, sensor: Rng) -> tuple[U8, float]:
    """A line sensor: each column with its own gain, bands from each slice, seams that are slightly off."""
    height, width = pixels.shape
    out = pixels.astype(np.float64)
    top = 0
    while top < height:
        size = int(touch.integers(6, 14))
        out[top : top + size] = np.roll(out[top : top + size], int(np.rint(touch.normal(0, 0.7))), axis=1)
        out[top : top + size] += touch.normal(0, 9)
        top += size
    return _grey((out - 128) * sensor.normal(1, 0.06, width) + 128 + sensor.normal(0, 8, width)), 500.0


def _moire(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    waves = 14 * np.sin(2 * np.pi * (y + 0.2 * x) / 3.1) + 10 * np.sin(2 * np.pi * x / 4.7)
    return _grey(pixels + waves), 500.0


def _dead(pixels: U8, _: Rng, sensor: Rng) -> tuple[U8, float]:
    """Rows and columns of elements that always or never answer."""
    out = pixels.copy()
    for axis in (0, 1):
        lines = sensor.integers(0, pixels.shape[axis], 6)
        values = sensor.choice([0, 255], 6)
        for line, value in zip(lines, values, strict=True):
            out[(line,) if axis == 0 else (slice(None), line)] = value
    return out, 500.0


def _coded(kind: str, **options: int) -> Variant:
    def code(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind, **options)
        with Image.open(out) as picture:
            return np.array(picture.convert("L")), 500.0

    return code


def _grains(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    """Dry skin: ridges touch in grains only, in some places in few."""
    grain = ndimage.gaussian_filter(touch.normal(size=pixels.shape), 1.4)
    grain = grain / grain.std() + 0.7 * _smooth(pixels.shape, 25, touch)
    paper = _ground(pixels)
    return _grey(paper - (paper - pixels) / (1 + np.exp(4 * grain))), 500.0


def _merged(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    """Wet skin: water fills the valleys, in some places nearly all of them."""
    dark = ndimage.minimum_filter(pixels, 5).astype(np.float64)
    share = np.clip(0.55 + 0.3 * _smooth(pixels.shape, 30, touch), 0, 0.95)
    return _grey(ndimage.gaussian_filter(share * dark + (1 - share) * pixels, 0.8)), 500.0


def _saturated(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    """Gain too high: black in blotches, white in others."""
    shift = 70 * _smooth(pixels.shape, 45, touch)
    detail = pixels - ndimage.gaussian_filter(pixels.astype(np.float64), 20)
    return _grey(128 + 3.0 * detail + shift), 500.0


def _faint(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    return _grey(205 + 0.09 * (pixels.astype(float) - 255)), 500.0


def _inverted(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    return 255 - pixels, 500.0


def _noisy(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    return _grey(pixels + touch.normal(0, 40, pixels.shape)), 500.0


def _blurred(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    return _grey(ndimage.gaussian_filter(pixels.astype(np.float64), 1.8)), 500.0


def _turned(most: float) -> Variant:
    def turn(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
        angle, paper = touch.uniform(-most, most), int(_paper(pixels))
        picture = Image.fromarray(pixels)
        return np.array(picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)), 500.0

    return turn


def _stretched(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    """Skin dragged over the platen: 5 pixels here and there, over a third of the finger."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float64)
    places = [at + 5 * _smooth(pixels.shape, 60, touch) for at in (y, x)]
    return _grey(ndimage.map_coordinates(pixels.astype(float), places, order=1, mode="nearest")), 500.0


def _residue(pixels: U8, touch: Rng, _: Rng) -> tuple[U8, float]:
    """The print before, mirrored top to bottom, left on the platen at a quarter of its contrast."""
    before = (pixels / np.maximum(_ground(pixels), 1))[::-1]
    left = np.roll(before, tuple(touch.integers(-60, 60, 2)), (0, 1))
    return _grey(pixels * (0.75 + 0.25 * np.clip(left, 0, 1))), 500.0


def _dirty(pixels: U8, _: Rng, sensor: Rng) -> tuple[U8, float]:
    """Specks and scratches on the platen, the same under every finger."""
    height, width = pixels.shape
    y, x = np.mgrid[:height, :width]
    out = pixels.astype(np.float64)
    for _speck in range(40):
        cy, cx, radius = sensor.uniform(0, height), sensor.uniform(0, width), sensor.uniform(1.5, 6)
        out -= 160 * np.exp(-((((y - cy) ** 2 + (x - cx) ** 2) / radius**2) ** 2))
    for _scratch in range(6):
        angle, offset = sensor.uniform(0, np.pi), sensor.uniform(-150, 150)
        far = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle) - offset
        out += 120 * np.exp(-((far / 1.2) ** 2))
    return _grey(out), 500.0


def _odd(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    return np.ascontiguousarray(pixels[3:-2, 5:-8]), 500.0


def _plain(pixels: U8, _: Rng, __: Rng) -> tuple[U8, float]:
    return pixels, 500.0


VARIANTS: Final[dict[str, Variant]] = {
    "as it is": _plain,
    "569 dpi": _resampled(569),
    "512 dpi": _resampled(512),
    "1000 dpi": _resampled(1000),
    "250 dpi": _resampled(250),
    "569 dpi declared as 500": _resampled(569, 500),
    "440 dpi declared as 500": _resampled(440, 500),
    "odd size": _odd,
    "part 300 x 300": _cut(300, 300, 15),
    "part 256 x 364": _cut(364, 256, 15),
    "part 192 x 192": _cut(192, 192, 12),
    "part 160 x 160": _cut(160, 160, 10),
    "large picture": _large,
    "white frame": _frame(255, 0),
    "black frame": _frame(0, 0),
    "grey noisy frame": _frame(128, 4),
    "black noisy frame": _frame(12, 4),
    "vignette": _vignette,
    "slope of light": _slope,
    "sweep": _sweep,
    "moire": _moire,
    "dead lines": _dead,
    "JPEG 25": _coded("JPEG", quality=25),
    "WSQ": _coded("WSQ"),
    "inverted": _inverted,
    "faint": _faint,
    "saturated": _saturated,
    "dry": _grains,
    "wet": _merged,
    "noisy": _noisy,
    "blurred": _blurred,
    "turned to 45": _turned(45),
    "turned to 180": _turned(180),
    "stretched": _stretched,
    "residue": _residue,
    "dirty platen": _dirty,
}
