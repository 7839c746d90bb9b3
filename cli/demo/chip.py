"""What a finished chip holds, against what its holder submitted.

Written from the description of the chip's layout and not with the code of the service that wrote it, so that
the two check each other. Fingers are compared as the ABIS does: the chip's template with the submitted image.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from cryptography import x509
from PIL import Image, ImageFilter, ImageOps
from tunggal.enroll.v1.record_pb2 import Biodata

from cli.demo.signature import signature_faults
from cli.demo.steps import REGION
from cli.demo.tlv import objects
from sim.demo.day import CapturedFinger, Submission
from sim.demo.eeprom import read_eeprom

APPLICATION = b"\xf0TUNGGAL\x02"
_BIODATA, _PORTRAIT, _SIGNATURE, _FINGERS, _SECURITY = 0x0101, 0x0102, 0x0103, (0x0104, 0x0105), 0x011D
_SUBTYPES = bytes.fromhex("0005090D1115060A0E1216")
"""Biometric subtypes of ISO/IEC 19785-3 in the order of the positions of 19794-2: unknown, right thumb …"""
_GROUPS = (_BIODATA, _PORTRAIT, _SIGNATURE, *_FINGERS)
_SAME_PORTRAIT, _SAME_SIGNATURE = 0.97, 0.9
"""Least correlation of grey levels with what was submitted. Measured on synthetic people: the same after
compression at least 0.995 and 0.99, somebody else's at most 0.92 and 0.46."""
_PIXELS = 1.97
"""Of 500 dpi in 0.1 mm."""
_PEN = 1.5
"""Pixels of blur that make thin strokes comparable."""

Compare = Callable[[bytes, CapturedFinger], float]
"""Score of an ISO/IEC 19794-2 record and a finger image, natural log-likelihood ratio."""


def inspect_chip(
    image: Path, submission: Submission, compare: Compare, anchor: x509.Certificate
) -> tuple[str, ...]:
    """Read a card's EEPROM image; one sentence for each thing that is not as its holder submitted it.

    Args:
        image: of the card.
        submission: of its holder.
        compare: compares fingers.
        anchor: certificate of the country signing CA.
    """
    card = read_eeprom(image, APPLICATION)
    if not card.personalized:
        return ("the application is missing or not personalized",)
    groups = {fid & 0x1F: content for fid, content in card.files.items() if fid in _GROUPS}
    try:
        return (
            *(["the card has its transport keys still"] if card.transport_keys else []),
            *([] if card.secured else ["the card is not secured"]),
            *_text_faults(card.files.get(_BIODATA, b""), submission.biodata),
            *signature_faults(card.files.get(_SECURITY, b""), groups, anchor),
            *_picture_faults(card.files, submission),
            *_finger_faults(card.files, submission, compare),
        )
    except (ValueError, IndexError, KeyError, StopIteration, OSError) as error:
        return (f"the chip cannot be read: {error}",)


def _text_faults(content: bytes, biodata: Biodata) -> Iterator[str]:
    fields = dict(objects(dict(objects(content)).get(0x61, b"")))
    born, address = biodata.birth_date, biodata.address
    expected = {
        0x80: ("NIK", bytes.fromhex(biodata.nik)),
        0x81: ("name", biodata.full_name.encode()),
        0x82: ("place of birth", biodata.birth_place.encode()),
        0x83: ("date of birth", bytes.fromhex(f"{born.year:04}{born.month:02}{born.day:02}")),
        0x84: ("sex", bytes([biodata.sex])),
        0x85: ("blood type", bytes([biodata.blood_type])),
        0x86: ("street", address.street.encode()),
        0x87: ("RT and RW", bytes.fromhex(address.rt + address.rw)),
        0x88: ("village", address.village.encode()),
        0x89: ("district", bytes.fromhex(address.district_code.replace(".", ""))),
        0x8D: ("religion", bytes([biodata.religion])),
        0x8E: ("marital status", bytes([biodata.marital_status])),
        0x8F: ("occupation", biodata.occupation.encode()),
        0x90: ("nationality", biodata.nationality.encode()),
        0x91: ("regency of issue", bytes.fromhex(REGION.replace(".", ""))),
    }
    for tag, (name, value) in expected.items():
        if fields.get(tag) != value:
            yield f"{name} is {fields.get(tag, b'').hex() or 'missing'}, not {value.hex()}"


def _picture_faults(files: dict[int, bytes], submission: Submission) -> Iterator[str]:
    portrait = Image.open(io.BytesIO(files.get(_PORTRAIT, b""))).convert("L")
    face = ImageOps.fit(Image.open(io.BytesIO(submission.face)).convert("L"), portrait.size)
    if (likeness := _correlation(portrait, face)) < _SAME_PORTRAIT:
        yield f"another portrait (correlation {likeness:.2f})"
    signature = Image.open(io.BytesIO(files.get(_SIGNATURE, b""))).convert("L")
    submitted = Image.open(io.BytesIO(submission.signature)).convert("L")
    ink = ImageOps.invert(submitted).point(lambda level: 255 if level > 95 else 0).getbbox()
    strokes = submitted.crop(ink).resize(signature.size, Image.Resampling.LANCZOS)
    pen = ImageFilter.GaussianBlur(_PEN)
    if (likeness := _correlation(signature.filter(pen), strokes.filter(pen))) < _SAME_SIGNATURE:
        yield f"another signature (correlation {likeness:.2f})"


def _finger_faults(files: dict[int, bytes], submission: Submission, compare: Compare) -> Iterator[str]:
    records = [files[fid] for fid in _FINGERS if fid in files]
    expected = min(len(_FINGERS), len(submission.fingers))
    if len(records) != expected:
        yield f"{len(records)} fingers instead of {expected}"
    for stored in records:
        position, record = _finger_record(stored)
        # The contract counts one higher than the standard.
        candidates = [finger for finger in submission.fingers if finger.position == position + 1]
        score = max((compare(record, finger) for finger in candidates), default=0.0)
        if score <= 0:
            yield f"a finger that is not the holder's (best score {score:.1f})"


def _finger_record(stored: bytes) -> tuple[int, bytes]:
    """Position and a record of ISO/IEC 19794-2:2005 of a finger in the compact card format, at 500 dpi."""
    template = dict(objects(dict(objects(stored))[0x7F60]))
    position = _SUBTYPES.index(dict(objects(template[0xA1]))[0x82])
    packed = dict(objects(template[0x7F2E]))[0x81]
    rows = [packed[at : at + 3] for at in range(0, len(packed), 3)]
    minutiae = b"".join(
        # Steps of 0.1 mm and 5.625° become pixels and steps of 1.40625°.
        struct.pack(">HHBB", kind >> 6 << 14 | round(x * _PIXELS), round(y * _PIXELS), (kind & 0x3F) << 2, 0)
        for x, y, kind in rows
    )
    size = 24 + 4 + len(minutiae) + 2
    head = struct.pack(">8sIHHHHHBB", b"FMR\0 20\0", size, 0, 512, 512, 197, 197, 1, 0)
    return position, head + bytes([position, 0, 0, len(rows)]) + minutiae + b"\0\0"


def _correlation(one: Image.Image, other: Image.Image) -> float:
    flat = [np.asarray(image, dtype=np.float64).ravel() for image in (one, other)]
    return float(np.corrcoef(flat[0], flat[1])[0, 1])
