"""Drawn portraits and signatures: files that open, of the right size, and recognisably of one person."""

import io
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.enroll.nik import Sex
from sim import portrait, signature
from sim.drawing import Canvas, closed_curve, ellipse
from sim.population import Person, people
from sim.portrait.looks import looks


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return people(40, 21)


def _open(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    picture.load()
    return picture


def _pixels(png: bytes) -> NDArray[np.int16]:
    return np.asarray(_open(png).convert("RGB")).astype(np.int16)


def test_a_portrait_measures_35_by_45_millimetres_at_300_dpi(crowd: list[Person]) -> None:
    picture = _open(portrait.draw(crowd[0]))
    assert picture.size == (413, 531)
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(("year", "channel"), [(1987, 0), (1988, 2)])
def test_the_wall_is_red_for_odd_and_blue_for_even_years(
    year: int, channel: int, crowd: list[Person]
) -> None:
    wall = _pixels(portrait.draw(replace(crowd[1], birth_date=date(year, 5, 4))))[:40, :40].mean(axis=(0, 1))
    assert int(wall.argmax()) == channel
    assert wall[channel] > 1.5 * np.delete(wall, channel).max()


def test_everyone_gets_a_face_of_their_own(crowd: list[Person]) -> None:
    small = [_pixels(portrait.draw(person))[::8, ::8] for person in crowd[:12]]
    for k, one in enumerate(small):
        assert all(np.abs(one - other).mean() > 1 for other in small[:k])


def test_the_same_person_is_drawn_the_same_way(crowd: list[Person]) -> None:
    assert portrait.draw(crowd[3]) == portrait.draw(crowd[3])
    assert signature.draw(crowd[3]) == signature.draw(crowd[3])


def test_a_human_keeps_the_face_under_another_name_but_not_the_signature(crowd: list[Person]) -> None:
    for person in crowd[:10]:
        # As old as before, so that age does not change the hair.
        other = replace(person.other_identity(1), birth_date=person.birth_date)
        mine, theirs = looks(person), looks(other)
        assert replace(theirs, shirt=mine.shirt, scarf=mine.scarf) == mine
        assert signature.draw(other) != signature.draw(person)


def test_scarves_caps_beards_and_glasses_are_worn_by_those_who_wear_them(crowd: list[Person]) -> None:
    everyone = [(person, looks(person)) for person in (*crowd, *people(300, 22), *people(100, 23, "51.03"))]
    for person, face in everyone:
        woman = person.sex is Sex.FEMALE
        assert not (face.hijab and not (woman and person.religion == "ISLAM"))
        assert not (woman and (face.beard or face.moustache or face.peci or face.bald))
    faces = [face for _, face in everyone]
    for worn in ("hijab", "peci", "beard", "moustache", "glasses", "bald"):
        assert any(getattr(face, worn) for face in faces), worn
    tones = [sum(face.skin) for face in faces]
    assert max(tones) - min(tones) > 150


def test_a_signature_is_dark_ink_on_white_that_keeps_to_its_field(crowd: list[Person]) -> None:
    for person in crowd[:12]:
        picture = _open(signature.draw(person))
        assert picture.size == (signature.WIDTH, signature.HEIGHT)
        ink = np.asarray(picture.convert("L")) < 128
        assert 0.005 < ink.mean() < 0.15
        border = np.ones_like(ink)
        border[8:-8, 8:-8] = False
        assert not ink[border].any()


def test_shapes_may_reach_beyond_the_canvas() -> None:
    canvas = Canvas(20, 10, (0, 0, 0))
    canvas.fill(ellipse(20, 0, 8, 8), (200, 100, 50), blur=2)
    canvas.stroke([(-5, 5), (10, 6), (30, 5)], (255, 255, 255), 2)
    picture = _pixels(canvas.png(300))
    assert picture.shape == (10, 20, 3)
    assert picture[1, 18, 0] > 100
    assert picture[5, 3].min() > 100
    assert picture[9, 0].max() == 0


def test_a_closed_curve_passes_through_its_knots() -> None:
    knots = ellipse(5, 7, 3, 2)
    curve = closed_curve(knots)
    for knot in knots:
        assert np.abs(curve - knot).max(axis=1).min() < 1e-9
