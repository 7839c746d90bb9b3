"""People, pictures and finger records to make cards of."""

from __future__ import annotations

import datetime as dt
import io
import struct
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from services.cardperso import pcsc
from services.cardperso.globalplatform import CardType
from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from services.cardperso.issuer import Issuer, Schemes
from services.cardperso.keys import Scheme
from services.cardperso.keys.authority import Authorities
from services.cardperso.keystores import file_keystore
from services.common.clock import Clock
from sim.card.globalplatform import MODULE_AID, PACKAGE_AID


def make_holder() -> Holder:
    """A person with everything that a card needs."""
    return Holder(
        record_id="4f6c1f0e-8f4a-4f6e-9d5c-0f6f3f1f9a10",
        nik="3216014508920003",
        full_name="SITI NURHALIZA RAHMAWATI",
        birth_place="BEKASI",
        birth_date=dt.date(1992, 8, 5),
        sex=Sex.FEMALE,
        blood_type=BloodType.O,
        street="JL. MELATI NO. 12 KP. CIKARANG",
        rt="004",
        rw="008",
        village="SUKADANAU",
        district_code="32.16.01",
        district="TARUMAJAYA",
        regency="KABUPATEN BEKASI",
        province="JAWA BARAT",
        religion=Religion.ISLAM,
        marital_status=MaritalStatus.MARRIED,
        occupation="KARYAWAN SWASTA",
        nationality="WNI",
        issue_region="32.16",
        issue_date=dt.date(2026, 11, 21),
        face=face_image(),
        signature=signature_image(),
        fingers=(Finger(2, finger_record(), 80), Finger(7, finger_record(40), 75)),
    )


def make_issuer(directory: Path, clock: Clock, *, development: bool = True) -> Issuer:
    """An issuer with a keystore of its own, for cards with the public test keys."""
    issuer = Issuer(
        file_keystore(directory / "cards.keystore", directory / "cards.passphrase", development=development),
        Authorities(directory / "certificates", "ID", "Test"),
        CardType(PACKAGE_AID, MODULE_AID),
        Schemes(Scheme.KDF3, Scheme.KDF3),
        development=development,
        clock=clock,
    )
    issuer.prepare()
    return issuer


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds; fail if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("the expected state was not reached in time")
        time.sleep(0.01)


def present(reader: str) -> bool:
    return any(state.card_present for state in pcsc.readers() if state.name == reader)


@cache
def face_image(size: tuple[int, int] = (600, 800)) -> bytes:
    """A drawn face."""
    image = Image.new("RGB", size, (196, 40, 44))
    draw = ImageDraw.Draw(image)
    draw.ellipse((150, 150, 450, 560), fill=(224, 180, 146))
    draw.ellipse((140, 100, 460, 330), fill=(38, 28, 26))
    draw.ellipse((170, 200, 430, 540), fill=(228, 184, 150))
    for x in (235, 335):
        draw.ellipse((x, 330, x + 34, 350), fill=(250, 250, 250))
        draw.ellipse((x + 10, 331, x + 26, 349), fill=(40, 26, 20))
    draw.arc((250, 400, 350, 470), 20, 160, fill=(150, 70, 70), width=8)
    draw.polygon([(60, 800), (140, 620), (300, 560), (460, 620), (540, 800)], fill=(240, 240, 244))
    return png(image)


@cache
def signature_image() -> bytes:
    """A drawn signature."""
    image = Image.new("L", (600, 240), 255)
    draw = ImageDraw.Draw(image)
    points = [(60, 150), (110, 60), (140, 190), (200, 90), (230, 170), (300, 110), (340, 160), (520, 80)]
    draw.line(points, fill=20, width=7, joint="curve")
    return png(image)


def png(image: Image.Image) -> bytes:
    """The image as PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def finger_record(minutiae: int = 50) -> bytes:
    """An ISO/IEC 19794-2:2005 record of one finger with minutiae on a spiral."""
    total = 24 + 4 + 6 * minutiae + 2
    record = struct.pack(">4s4sIHHHHHBB", b"FMR\0", b" 20\0", total, 0, 388, 374, 197, 197, 1, 0)
    record += struct.pack(">BBBB", 2, 0, 80, minutiae)
    for n in range(minutiae):
        record += struct.pack(">HHBB", 0x4000 | (100 + 3 * n), 90 + (7 * n) % 200, (11 * n) % 256, 60)
    return record + b"\0\0"
