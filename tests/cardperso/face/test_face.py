"""The faces of the card."""

from __future__ import annotations

import datetime as dt
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from services.cardperso.face import render, text
from services.cardperso.face.fields import texts
from services.cardperso.face.render import Faces
from services.cardperso.face.template import DEFAULT, TemplateError, Text, load
from services.cardperso.face.text import Style
from services.cardperso.holder import BloodType, Holder
from services.cardperso.localtime import local_day
from tests.cardperso.card_makers import make_holder

UID = "04A1B2C3D4E5F6"
STYLE = Style("DejaVuSans", 2.4, "black", 0.9)


def draw(holder: Holder, mark: str = "SPESIMEN") -> Faces:
    return render.draw(holder, UID, "token", mark=mark)


def image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def test_both_faces_have_the_size_of_a_card_at_300_dpi(holder: Holder) -> None:
    faces = draw(holder)
    for png in (faces.front, faces.back):
        opened = Image.open(io.BytesIO(png))
        assert (opened.format, opened.size) == ("PNG", (1011, 638))
        assert round(opened.info["dpi"][0]) == 300


def test_the_same_card_is_drawn_the_same_twice(holder: Holder) -> None:
    assert draw(holder) == draw(holder)


@pytest.mark.parametrize(
    "change",
    [
        {"full_name": "BUDI SANTOSO"},
        {"nik": "3216011208920003"},
        {"blood_type": BloodType.AB},
        {"issue_date": dt.date(2027, 1, 2)},
        {"regency": "KOTA BEKASI"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_shows_on_the_front(holder: Holder, change: dict[str, object]) -> None:
    before, after = draw(holder).front, draw(replace(holder, **change)).front  # type: ignore[arg-type]
    assert ImageChops.difference(image(before), image(after)).getbbox() is not None


def test_the_mark_can_be_left_out(holder: Holder) -> None:
    with_mark, without = image(draw(holder).front), image(draw(holder, mark="").front)
    assert ImageChops.difference(with_mark, without).getbbox() is not None


def test_texts_are_those_of_the_civil_registry(holder: Holder) -> None:
    shown = texts(replace(holder, regency="Kab. Bekasi", province="Jawa Barat"), UID)
    assert shown["province"] == "PROVINSI JAWA BARAT"
    assert shown["regency"] == "KABUPATEN BEKASI"
    assert (shown["birth_place"], shown["birth_date"]) == ("BEKASI", "05-08-1992")
    assert shown["rt_rw"] == "004/008"
    assert shown["valid_until"] == "SEUMUR HIDUP"
    assert texts(replace(holder, regency="KOTA BEKASI"), UID)["issue_place"] == "KOTA BEKASI"
    assert texts(replace(holder, blood_type=BloodType.UNKNOWN), UID)["blood_type"] == "-"


def test_a_short_text_stays_as_it_is() -> None:
    fitted = text.fit("SITI", STYLE, 39)
    assert fitted == text.Fitted(("SITI",), 1.0, 1.0, cut=False)


def test_a_long_text_is_squeezed_then_shrunk_then_cut() -> None:
    squeezed = text.fit("SITI NURHALIZA RAHMAWATI KUSUMA", STYLE, 39)
    assert (squeezed.width < 1.0, squeezed.size, squeezed.cut) == (True, 1.0, False)
    shrunk = text.fit("SITI NURHALIZA RAHMAWATI KUSUMANINGRAT B", STYLE, 39)
    assert (shrunk.size < 1.0, shrunk.cut) == (True, False)
    cut = text.fit("SITI NURHALIZA RAHMAWATI KUSUMANINGRAT BINTI ABDURRAHMAN", STYLE, 39)
    assert cut.cut
    assert cut.lines[0].endswith("…")


def test_a_text_is_broken_at_spaces_before_it_is_squeezed() -> None:
    fitted = text.fit("SITI NURHALIZA RAHMAWATI KUSUMA", STYLE, 30, lines=2)
    assert len(fitted.lines) == 2
    assert (fitted.width, " ".join(fitted.lines)) == (1.0, "SITI NURHALIZA RAHMAWATI KUSUMA")


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), max_size=200),
    st.floats(5, 60),
    st.integers(1, 3),
)
def test_whatever_the_text_it_fits_its_place(content: str, room: float, lines: int) -> None:
    fitted = text.fit(content, STYLE, room, lines)
    assert len(fitted.lines) <= lines
    style = replace(STYLE, size=STYLE.size * fitted.size)
    assert all(text.length(line, style, width=fitted.width) <= room + 0.01 for line in fitted.lines)


def test_the_longest_names_and_addresses_are_drawn() -> None:
    holder = replace(
        make_holder(), full_name="W" * 120, street="M" * 120, occupation="Q" * 80, village="Å" * 80
    )
    assert draw(holder).front != draw(make_holder()).front


def test_every_text_of_the_template_names_a_field_that_exists(holder: Holder) -> None:
    known = texts(holder, UID)
    for elements in load(DEFAULT).sides.values():
        for element in elements:
            if hasattr(element, "text"):
                element.text.format_map(known)


@pytest.mark.parametrize(
    "element",
    [{"kind": "cloud"}, {"kind": "band", "z": 1}, {"kind": "band", "x": 1}, {"kind": "text", "style": "no"}],
    ids=range(4),
)
def test_a_template_that_cannot_be_drawn_is_refused(tmp_path: Path, element: dict[str, object]) -> None:
    path = tmp_path / "card.json"
    styles = {"plain": {"font": "DejaVuSans", "size": 2, "colour": "black"}}
    path.write_text(
        json.dumps({"width": 85.6, "height": 53.98, "styles": styles, "front": [element], "back": []})
    )
    with pytest.raises(TemplateError, match=r"card.json: front\[0\]"):
        load(path)


@pytest.mark.parametrize(
    ("region", "day"), [("31.71", 31), ("51.71", 1), ("91.71", 1)], ids=["WIB", "WITA", "WIT"]
)
def test_the_date_of_issue_is_the_local_day(region: str, day: int) -> None:
    assert local_day(dt.datetime(2026, 12, 31, 16, 30, tzinfo=dt.UTC), region).day == day


def row(field: str) -> Text:
    """The element of the front that shows a field."""
    (found,) = (
        element
        for element in load(DEFAULT).sides["front"]
        if isinstance(element, Text) and element.text == f"{{{field}}}"
    )
    return found


@pytest.mark.parametrize(
    "name",
    [
        "RADEN AJENG SITI NURHALIZA RAHMAWATI KUSUMANINGRUM PRAWIRA D",
        "MUHAMMAD WILDAN MAHMUD WIJAYAKUSUMA WIRAWAN MANGKUWIDJOJO WM",
    ],
)
def test_a_name_of_sixty_letters_is_printed_whole(name: str) -> None:
    # No name in the civil registry is longer (Permendagri 73/2022, 4).
    assert len(name) == 60
    place = row("full_name")
    fitted = text.fit(name, load(DEFAULT).styles[place.style], place.width, shrunk_lines=2)
    assert (" ".join(fitted.lines), fitted.cut) == (name, False)


def test_a_date_of_birth_is_never_cut() -> None:
    place = row("birth_place")
    long = "KABUPATEN KEPULAUAN SIAU TAGULANDANG BIARO DAN SEKITARNYA"
    (line,) = text.fit(long, load(DEFAULT).styles[place.style], place.width, tail=", 05-08-1992").lines
    assert line.startswith("KABUPATEN KEPULAUAN")
    assert line.endswith("…, 05-08-1992")
    assert place.tail == ", {birth_date}"


def test_what_is_not_known_is_a_dash(holder: Holder) -> None:
    shown = texts(replace(holder, rt="", rw="", occupation=" ", street="", blood_type=BloodType.UNKNOWN), UID)
    assert {shown[name] for name in ("rt_rw", "occupation", "street", "blood_type")} == {"-"}


def test_two_lines_of_a_row_leave_the_rows_above_and_below_alone(holder: Holder) -> None:
    plain = image(draw(holder, mark="").front)
    street = "JALAN JENDERAL AHMAD YANI GANG HAJI MUHAMMAD SYAFI'I NO. 1234 BLOK XIV LANTAI 17 UNIT 1702"
    long = image(draw(replace(holder, street=street), mark="").front)
    _, top, _, bottom = ImageChops.difference(plain, long).getbbox() or (0, 0, 0, 0)
    scale = 300 / 25.4
    above, below = row("sex").y, row("rt_rw").y - 0.73 * 2.42
    assert above * scale < top < bottom < below * scale
