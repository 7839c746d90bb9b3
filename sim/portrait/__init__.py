"""Portraits of people who do not exist, drawn like those on a KTP: 35 × 45 mm, from the front.

The wall behind is red for odd and blue for even years of birth, as the civil registry asks. The same human
has the same face under every name.
"""

from typing import Final

from services.enroll.nik import Sex
from sim.drawing import Canvas, Color, ellipse, mirrored, mix
from sim.population import Person
from sim.portrait.dress import body, glasses, hijab, peci, veil
from sim.portrait.face import brows_and_eyes, head, mouth, nose, wrinkles
from sim.portrait.geometry import BLACK, HEIGHT, MIDDLE, WHITE, WIDTH
from sim.portrait.hair import beard, hair_behind, mans_hair, womans_hair
from sim.portrait.looks import TIED_BACK, looks

__all__ = ["DPI", "HEIGHT", "WIDTH", "draw"]

DPI: Final = 300

_RED: Final[Color] = (196, 30, 38)
_BLUE: Final[Color] = (34, 88, 168)


def draw(person: Person) -> bytes:
    """Portrait of `person`: a PNG of 413 × 531 pixels at 300 dpi."""
    face = looks(person)
    canvas = Canvas(WIDTH, HEIGHT, _RED if person.birth_date.year % 2 else _BLUE)
    canvas.fill(ellipse(MIDDLE, 200, 230, 190), WHITE, blur=70, opacity=0.13)
    woman = person.sex is Sex.FEMALE
    if face.hijab:
        canvas.fill(mirrored(MIDDLE, veil(face)), mix(face.scarf, BLACK, 0.45))
    elif woman and face.hairstyle != TIED_BACK:
        hair_behind(canvas, face)
    body(canvas, face)
    outline = head(canvas, face)
    brows_and_eyes(canvas, face, lashes=woman)
    nose(canvas, face)
    mouth(canvas, face, painted=woman)
    wrinkles(canvas, face)
    if face.moustache or face.beard:
        beard(canvas, face, outline)
    if face.hijab:
        hijab(canvas, face)
    elif woman:
        womans_hair(canvas, face)
    else:
        mans_hair(canvas, face)
    if face.peci:
        peci(canvas, face)
    if face.glasses:
        glasses(canvas, face)
    return canvas.png(DPI)
