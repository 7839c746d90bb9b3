"""Where things are in a portrait of 413 × 531 pixels, and the colours that all parts of it share."""

from typing import Final

from sim.drawing import Color

WIDTH: Final = 413
HEIGHT: Final = 531
MIDDLE: Final = 206.0
CROWN: Final = 102.0
EYES: Final = 246.0
CHIN: Final = 388.0

BLACK: Final[Color] = (18, 15, 16)
WHITE: Final[Color] = (252, 250, 248)
