"""Faces as pictures: sizes, codes, zones, documents, and whether they look as they did."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageChops, ImageFilter, ImageStat

from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.face import pdf
from services.cardperso.face.render import Faces, draw
from services.cardperso.face.template import DEFAULT, WITH_ZONE
from services.cardperso.face.token import issue, verify
from services.cardperso.holder import Holder
from tests.cardperso.signing_office import Office

UID = "04A1B2C3D4E5F6"
TOKEN = "eyJhbGciOiJFUzI1NiJ9." + "specimen" * 30
QR_CODES = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
LONG = "R. AJ. SITI NURHALIZA RAHMAWATI KUSUMANINGRAT BINTI ABDURRAHMAN"
GOLDEN = Path(__file__).parent / "golden"
_SIZE = (506, 319)
_CELL = 11
"""Pixels of a cell at half of 300 dpi: about half a line of text."""
_CELL_LIMIT, _MEAN_LIMIT = 14.0, 1.2
"""Grey levels by which a cell, and the whole, may differ: edges move with the version of the font library."""


def faces(holder: Holder, template: Path = DEFAULT, dpi: int = 300, token: str = TOKEN) -> Faces:
    return draw(holder, UID, token, mark="SPESIMEN", template=template, dpi=dpi)


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def codes(picture: Image.Image) -> list[zxingcpp.Barcode]:
    """The QR codes in a picture; asked for any code, a reader sees one in lines of text now and then."""
    return list(zxingcpp.read_barcodes(picture, formats=QR_CODES))


def difference(one: Image.Image, two: Image.Image) -> tuple[float, float]:
    """Grey levels between two pictures: in the worst cell, and in the mean."""
    apart = ImageChops.difference(
        *(each.convert("L").resize(_SIZE, Image.Resampling.BOX) for each in (one, two))
    )
    cells = apart.resize((_SIZE[0] // _CELL, _SIZE[1] // _CELL), Image.Resampling.BOX)
    return float(cells.getextrema()[1]), float(ImageStat.Stat(apart).mean[0])  # type: ignore[arg-type]


def alike(one: Image.Image, two: Image.Image) -> bool:
    cell, mean = difference(one, two)
    return cell <= _CELL_LIMIT and mean <= _MEAN_LIMIT


@pytest.mark.parametrize(("dpi", "size"), [(300, (1011, 638)), (600, (2022, 1275))])
def test_a_face_has_the_size_of_a_card_at_either_resolution(
    holder: Holder, dpi: int, size: tuple[int, int]
) -> None:
    drawn = faces(holder, dpi=dpi)
    for png in (drawn.front, drawn.back):
        with Image.open(io.BytesIO(png)) as image:
            assert (image.format, image.size, round(image.info["dpi"][0])) == ("PNG", size, dpi)


@pytest.mark.parametrize("dpi", [300, 600])
@pytest.mark.parametrize("template", [DEFAULT, WITH_ZONE], ids=["plain", "zone"])
def test_the_signed_code_is_read_back_from_the_print(
    holder: Holder, office: Office, template: Path, dpi: int
) -> None:
    token = issue(holder, UID, b"security object", office)
    (code,) = codes(opened(faces(holder, template, dpi, token).back))
    assert code.text == token
    assert verify(code.text, [office.certificate], office.trust).nik == holder.nik


def test_the_code_of_the_longest_name_is_read_from_a_worn_print(holder: Holder, office: Office) -> None:
    token = issue(replace(holder, full_name="W" * 60), UID, b"security object", office)
    back = opened(faces(holder, token=token).back)
    # Ink runs by a dot of the printer, colours fade, the scanner has another grid.
    printed = back.filter(ImageFilter.GaussianBlur(1.2))
    faded = Image.blend(printed, Image.new("RGB", back.size, "#c8b8a0"), 0.35)
    scanned = faded.resize((1400, 884), Image.Resampling.BICUBIC).rotate(3, expand=True, fillcolor="white")
    (code,) = codes(scanned)
    assert code.text == token


@pytest.mark.parametrize(
    ("name", "template", "side"),
    [
        ("front", DEFAULT, "front"),
        ("back", DEFAULT, "back"),
        ("back-zone", WITH_ZONE, "back"),
        ("front-long", DEFAULT, "front"),
    ],
)
def test_a_face_looks_as_it_did(holder: Holder, name: str, template: Path, side: str) -> None:
    shown = replace(holder, full_name=LONG) if name == "front-long" else holder
    drawn = opened(getattr(faces(shown, template), side))
    golden = Image.open(GOLDEN / f"{name}.png")
    cell, mean = difference(drawn, golden)
    assert alike(drawn, golden), f"{name}: worst cell {cell:.1f}, mean {mean:.2f}"


@pytest.mark.parametrize(
    "change",
    [{"full_name": "SITI NURHALIZA RAHMAWATA"}, {"nik": "3216014508920004"}, {"occupation": "PETANI"}],
    ids=lambda change: next(iter(change)),
)
def test_one_letter_is_enough_to_look_different(holder: Holder, change: dict[str, str]) -> None:
    drawn = opened(faces(replace(holder, **change)).front)  # type: ignore[arg-type]
    assert not alike(drawn, Image.open(GOLDEN / "front.png"))


def test_both_resolutions_show_the_same(holder: Holder) -> None:
    coarse, fine = (
        opened(faces(holder, dpi=dpi).front).convert("L").resize((126, 80), Image.Resampling.BOX)
        for dpi in (300, 600)
    )
    # At 300 dpi a letter stands up to half a pixel from its place.
    assert ImageStat.Stat(ImageChops.difference(coarse, fine)).mean[0] < 4.0


def test_a_zone_stands_on_the_card_that_opens_with_it(holder: Holder) -> None:
    with pytest.raises(ChipRefusal, match="no letter"):
        faces(replace(holder, full_name="王小明"), WITH_ZONE)
    faces(replace(holder, full_name="王小明"), DEFAULT)


def test_a_document_has_pages_of_the_size_of_a_card_and_loses_nothing(holder: Holder, tmp_path: Path) -> None:
    drawn = faces(holder, dpi=600)
    document = pdf.document([drawn.front, drawn.back])
    assert document.count(b"/MediaBox [0 0 242.6457 153.0142]") == 2
    if shutil.which("pdfimages") is None:
        pytest.skip("poppler-utils is not installed")
    (tmp_path / "card.pdf").write_bytes(document)
    command = ["pdfimages", "-png", "card.pdf", "page"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for name, png in (("page-000.png", drawn.front), ("page-001.png", drawn.back)):
        assert Image.open(tmp_path / name).convert("RGB").tobytes() == opened(png).tobytes()
    information = subprocess.run(
        ["pdfinfo", "card.pdf"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "242.646 x 153.014 pts" in information.stdout


def test_a_picture_that_cannot_be_taken_over_is_refused() -> None:
    file = io.BytesIO()
    Image.new("L", (10, 10)).save(file, "PNG")
    with pytest.raises(ValueError, match="RGB PNG"):
        pdf.document([file.getvalue()])
