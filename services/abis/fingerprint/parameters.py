"""Every constant of the fingerprint engine, named once. Lengths are pixels at 500 dpi, angles radians."""

from __future__ import annotations

from math import pi
from typing import Final

# --- images
# -----------------------------------------------------------------------------------------------------
DPI: Final = 500
"""Resolution at which everything below works; other images are resampled to it."""
MIN_SIDE: Final = 64
"""Shorter side below which no usable finger area fits (about 3 mm)."""
MAX_SIDE: Final = 2000
"""Longer side above which an image is not one finger (a slap or a scan of a card), before and after
resampling.
"""
MAX_IMAGE_BYTES: Final = 8 * 1024 * 1024
MIN_DPI: Final = 100
MAX_DPI: Final = 2000
BLOCK: Final = 8
"""Side of the blocks on which mask, orientation and frequency are sampled."""

# --- frame, mask
# --------------------------------------------------------------------------------------------------
FAINT_RANGE: Final = 100
"""Grey values between the darkest and the lightest hundredth of an image, below which it is faint."""
FAINT_SHARE: Final = 0.01
FAINT_LEAST: Final = 8
"""Range below which an image has too few grey values to hold ridges."""
RIDGES_LEAST: Final = 0.2
"""Least share of the variance of a place that is taken for that of ridges, whatever the noise there."""
OUTLIER: Final = 3.0
"""Standard deviations from the mean of a place beyond which a pixel is no skin, but a fault or dirt."""
OUTLIERS: Final = 1e-3
"""Share of such pixels above which they are looked for again, without those found so far."""
OUTLIER_PASSES: Final = 2
FLAT_WINDOW: Final = 13
"""A window of one grey value this wide lies outside of the sensor's frame: wider than any valley."""
FLAT_TOLERANCE: Final = 2
FLAT_CONTRAST: Final = 3.0
"""Standard deviation of the grey values below which a block is flat."""
RIDGE_POWER: Final = 0.065
"""Mean square of the filters' answer (to a levelled image) above which a block carries ridges."""
FRAME_EDGE: Final = 2
"""Pixels next to the image border that sensors fill with artefacts."""
MIN_MASK_BLOCKS: Final = 80
"""Ridge area below which extraction refuses the image (about 13 mm²)."""
BLACK: Final = 5
MOST_BLACK: Final = 0.5
"""Share of pixels darker than that above which an image without ridges is said to be saturated."""

CLEAR: Final = 0.5
MIN_CLARITY: Final = 0.2
"""Clarity that at least one block, or the mean of all, must reach. Pages of text, which do match each other,
reach 0.4 and 0.16; the worst of 320 prints of four sets 0.6 and 0.25.
"""

# --- orientation, frequency, enhancement
# ----------------------------------------------------------------------------
ORIENTATIONS: Final = 64
MIN_PERIOD: Final = 5.0
MAX_PERIOD: Final = 15.0
PERIOD_STEP: Final = 0.5
GABOR_RADIUS: Final = 10

# --- minutiae
# -------------------------------------------------------------------------------------------------------
BORDER: Final = 10.0
"""Minutiae nearer than this to the border of the mask are cut-off ridges, not minutiae."""
RELIABILITY: Final = (-4.08, 0.806, 0.033, 0.423, 0.0619, 0.323, 0.102, 1.96)
"""Log odds that another print of the finger shows a minutia: bias, log ridge power, distance to the border,
log distance to the nearest minutia that points the other way, log length of its ridges to their end and to
their next branch, log slope at the tip, agreement with the ridge orientation. Printed by
`python -m bench.train_reliability`.
"""
MIN_RELIABILITY: Final = 0.16
"""Minutiae less reliable than this are dropped: spurs, bridges, islands, breaks."""
MAX_MINUTIAE: Final = 60
MIN_MINUTIAE: Final = 6
"""Fewer minutiae than this can agree by chance: such a template never produces a hit."""
SAME_PLACE: Final = 4.0
"""Minutiae nearer than this are one: half the distance of two ridges."""
MIN_BREADTH: Final = 6.0
"""Standard deviation of minutiae across their longer axis below which they are no finger's: the narrowest of
320 prints of four sets has 30.
"""

# --- Minutia Cylinder-Code (Cappelli, Ferrara, Maltoni 2010)
# ----------------------------------------------------------
CYLINDER_RADIUS: Final = 70.0
CYLINDER_SIDE: Final = 16
CYLINDER_LAYERS: Final = 5
CYLINDER_SIGMA_S: Final = 28.0 / 3.0
CYLINDER_SIGMA_D: Final = 2.0 * pi / 9.0
CYLINDER_BIT_LEVEL: Final = 0.005
CYLINDER_MIN_VALID: Final = 0.60
"""Share of cells inside the ridge area that a cylinder needs to count at all."""
CYLINDER_MIN_NEIGHBOURS: Final = 2
COMPARE_MIN_COMMON: Final = 0.60
