"""Declarative templates: a JSON file says what stands where on a card, in millimetres from its upper left
corner.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.cardperso.face.text import Style

DEFAULT = Path(__file__).parent / "templates" / "ktp.json"
"""The card of this suite."""
WITH_ZONE = DEFAULT.with_name("ktp-td1.json")
"""The same with a machine readable zone on its back."""


class _Common:
    """An element that is the same on every card."""

    is_common = True


class _Personal:
    """An element that differs from card to card."""

    is_common = False


@dataclass(frozen=True)
class Background(_Common):
    """Blend and guilloche over the whole side; see `guilloche.background`."""

    colours: tuple[str, str, str]
    lines: tuple[str, str]
    centre: tuple[float, float]


@dataclass(frozen=True)
class Text:
    """A text in `lines` lines of at most `width`; `y` is the first baseline, `pitch` the distance to the
    next.

    `{names}` in the text stand for fields. `align` is "left", "centre" or "right" within the width. A text
    of one line that has to be shrunk takes two around its baseline where `tight` is given, their distance;
    the first stands `above` the baseline.
    `tail` follows the text and is never cut.
    """

    text: str
    style: str
    x: float
    y: float
    width: float
    lines: int = 1
    pitch: float = 0.0
    align: str = "left"
    tight: float = 0.0
    above: float = 0.0
    tail: str = ""

    @property
    def is_common(self) -> bool:
        """Whether the text is the same on every card."""
        return "{" not in self.text


@dataclass(frozen=True)
class Picture(_Personal):
    """The face or the signature, as large as the box allows. `opacity` below 1 lets the background
    through.
    """

    source: str
    x: float
    y: float
    width: float
    height: float
    opacity: float = 1.0


@dataclass(frozen=True)
class Qr(_Personal):
    """The QR code, `size` wide with its quiet zone."""

    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Band(_Common):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Mark(_Common):
    """A word across the card that says what the card is not; left out where the service sets no word."""

    style: str
    x: float
    y: float
    angle: float
    opacity: float


Element = Background | Text | Picture | Qr | Band | Mark
_KINDS: dict[str, type[Element]] = {
    "background": Background,
    "text": Text,
    "picture": Picture,
    "qr": Qr,
    "band": Band,
    "mark": Mark,
}


@dataclass(frozen=True)
class Template:
    """Both sides of a card, "front" and "back".

    What is the same on every card lies below what differs; within each, elements are drawn in their order.
    """

    width: float
    height: float
    styles: dict[str, Style]
    sides: dict[str, tuple[Element, ...]]

    @property
    def has_zone(self) -> bool:
        """Whether a machine readable zone is on it."""
        elements = (element for side in self.sides.values() for element in side)
        return any(isinstance(element, Text) and "{mrz_" in element.text for element in elements)


class TemplateError(ValueError):
    """The file is not a template; the message says where."""


@lru_cache(maxsize=4)
def load(path: Path) -> Template:
    """Read a template. One that `extends` another file beside it says what is different: styles are added,
    sides replaced.

    Raises:
        TemplateError: an unknown kind, property or style.
    """
    raw = json.loads(path.read_text("utf-8"))
    if "extends" in raw:
        base = json.loads(path.with_name(raw["extends"]).read_text("utf-8"))
        raw = base | raw | {"styles": base["styles"] | raw.get("styles", {})}
    styles = {name: Style(**given) for name, given in raw["styles"].items()}
    sides = {
        side: tuple(
            _element(given, styles, f"{path.name}: {side}[{number}]")
            for number, given in enumerate(raw[side])
        )
        for side in ("front", "back")
    }
    return Template(raw["width"], raw["height"], styles, sides)


def _element(given: dict[str, Any], styles: dict[str, Style], where: str) -> Element:
    properties = dict(given)
    kind = _KINDS.get(properties.pop("kind", ""))
    if kind is None:
        raise TemplateError(f"{where}: unknown kind")
    unknown = set(properties) - {field.name for field in fields(kind)}
    if unknown or properties.get("style", next(iter(styles))) not in styles:
        raise TemplateError(f"{where}: unknown property or style")
    for name, value in properties.items():
        if isinstance(value, list):
            properties[name] = tuple(value)
    try:
        return kind(**properties)
    except TypeError as error:
        raise TemplateError(f"{where}: {error}") from None
