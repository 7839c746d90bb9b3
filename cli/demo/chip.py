"""What a finished chip holds, against what its holder submitted.

Written from the description of the chip's layout and not with the code of the service that wrote it, so that
the two check each other. Fingers are compared as the ABIS does: the chip's template with the submitted image.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from tunggal.enroll.v1.record_pb2 import Biodata

from cli.demo.steps import REGION
from sim.demo.day import CapturedFinger, Submission
from sim.demo.eeprom import read_eeprom

APPLICATION = b"\xf0TUNGGAL\x01"
_BIODATA, _PORTRAIT, _SIGNATURE, _FINGERS, _HASHES = 0x0101, 0x0102, 0x0103, (0x0104, 0x0105), 0x011D
_SAME_PORTRAIT, _SAME_SIGNATURE = 0.97, 0.9
"""Least correlation of grey levels with what was submitted. Measured on synthetic people: the same after
compression at least 0.995 and 0.99, somebody else's at most 0.92 and 0.46."""
_PEN = 1.5
"""Pixels of blur that make thin strokes comparable."""

Compare = Callable[[bytes, CapturedFinger], float]
"""Score of an ISO/IEC 19794-2 record and a finger image, natural log-likelihood ratio."""


def inspect_chip(image: Path, submission: Submission, compare: Compare) -> tuple[str, ...]:
    """Read a card's EEPROM image; one sentence for each thing that is not as its holder submitted it."""
    card = read_eeprom(image, APPLICATION)
    if not card.sealed:
        return ("the application is missing or was not sealed",)
    try:
        return (
            *_text_faults(card.files.get(_BIODATA, b""), submission.biodata),
            *_hash_faults(card.files),
            *_picture_faults(card.files, submission),
            *_finger_faults(card.files, submission, compare),
        )
    except (ValueError, IndexError, OSError) as error:
        return (f"the chip cannot be read: {error}",)


def _text_faults(content: bytes, biodata: Biodata) -> Iterator[str]:
    fields = dict(_objects(dict(_objects(content)).get(0x61, b"")))
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


def _hash_faults(files: dict[int, bytes]) -> Iterator[str]:
    """Every data group must have the SHA-256 that the last file lists for its number."""
    listed = {
        value[0]: value[1:]
        for tag, value in _objects(dict(_objects(files.get(_HASHES, b""))).get(0x70, b""))
        if tag == 0x81
    }
    groups = {fid & 0xFF: content for fid, content in files.items() if _BIODATA <= fid <= _FINGERS[-1]}
    if set(listed) != set(groups):
        yield f"hashes of the data groups {sorted(listed)}, but the groups are {sorted(groups)}"
    for number, content in groups.items():
        if listed.get(number) != hashlib.sha256(content).digest():
            yield f"data group {number} has another hash than listed"


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
    for record in records:
        # ISO/IEC 19794-2:2005, 8.4: the view's header follows the record's 24 bytes, position first; the
        # contract counts one higher.
        candidates = [finger for finger in submission.fingers if finger.position == record[24] + 1]
        score = max((compare(record, finger) for finger in candidates), default=0.0)
        if score <= 0:
            yield f"a finger that is not the holder's (best score {score:.1f})"


def _correlation(one: Image.Image, other: Image.Image) -> float:
    flat = [np.asarray(image, dtype=np.float64).ravel() for image in (one, other)]
    return float(np.corrcoef(flat[0], flat[1])[0, 1])


def _objects(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of BER-TLV objects with tags of one byte, or two after 5F; ends where the bytes end."""
    at = 0
    while at < len(content):
        tag, at = content[at], at + 1
        if tag & 0x1F == 0x1F:
            tag, at = tag << 8 | content[at], at + 1
        length, at = content[at], at + 1
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(content[at : at + size], "big"), at + size
        if at + length > len(content):
            raise ValueError("a data object is cut short")
        yield tag, content[at : at + length]
        at += length
