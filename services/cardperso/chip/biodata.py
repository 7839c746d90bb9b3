"""Data group 1: what is known of the person, in few bytes.

The encoding is BER-TLV (ISO/IEC 7816-4, 6.3): template `61` with one context-specific data object a field, in
the order of the table. Numbers are packed two digits a byte (BCD), text is UTF-8 in normalization form C.

====  =======================  ==========================================
tag   field                    value
====  =======================  ==========================================
80    NIK                      8 bytes BCD
81    full name                text
82    place of birth           text
83    date of birth            4 bytes BCD, YYYYMMDD
84    sex                      1 byte, ISO/IEC 5218
85    blood type               1 byte: 0 unknown, 1 A, 2 B, 3 AB, 4 O
86    street                   text
87    RT and RW                3 bytes BCD, three digits each
88    village                  text
89    district code            3 bytes BCD
8A    district                 text
8B    regency                  text
8C    province                 text
8D    religion                 1 byte
8E    marital status           1 byte
8F    occupation               text
90    nationality              3 bytes ASCII
91    regency of issue         2 bytes BCD
92    date of issue            4 bytes BCD, YYYYMMDD
====  =======================  ==========================================
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from typing import Any

from services.cardperso import tlv
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.holder import BloodType, Holder, MaritalStatus, Religion, Sex

TEMPLATE = 0x61
_LAST_CHARACTER = 0x24F
"""End of Latin Extended-B: what the font of the card's face can draw."""
_TYPOGRAPHIC = frozenset("‐‑–—‘’“”")


def encode(holder: Holder) -> bytes:
    """Content of the data group.

    Raises:
        ChipRefusal: a text has a character that is not on the card's list; the field says which text.
    """
    parts = [
        (0x80, _bcd(holder.nik)),
        (0x81, _text(holder.full_name, "biodata.full_name")),
        (0x82, _text(holder.birth_place, "biodata.birth_place")),
        (0x83, _date(holder.birth_date)),
        (0x84, bytes([holder.sex])),
        (0x85, bytes([holder.blood_type])),
        (0x86, _text(holder.street, "biodata.address.street")),
        (0x87, _bcd(holder.rt + holder.rw)),
        (0x88, _text(holder.village, "biodata.address.village")),
        (0x89, _bcd(holder.district_code.replace(".", ""))),
        (0x8A, _text(holder.district, "places.district")),
        (0x8B, _text(holder.regency, "places.regency")),
        (0x8C, _text(holder.province, "places.province")),
        (0x8D, bytes([holder.religion])),
        (0x8E, bytes([holder.marital_status])),
        (0x8F, _text(holder.occupation, "biodata.occupation")),
        (0x90, _text(holder.nationality, "biodata.nationality")),
        (0x91, _bcd(holder.issue_region.replace(".", ""))),
        (0x92, _date(holder.issue_date)),
    ]
    return tlv.encode(TEMPLATE, b"".join(tlv.encode(tag, value) for tag, value in parts))


def decode(content: bytes) -> dict[str, Any]:
    """The fields of a data group by the names that `Holder` gives them.

    Raises:
        TlvError: the bytes are no data group 1.
    """
    template = tlv.find(content, TEMPLATE)
    if template is None:
        raise tlv.TlvError("no biodata template")
    fields: dict[str, Any] = {}
    for tag, value in tlv.decode(template):
        if tag not in _DECODERS:
            raise tlv.TlvError(f"unknown tag {tag:02X}")
        name, read = _DECODERS[tag]
        try:
            fields[name] = read(value)
        except ValueError as error:
            raise tlv.TlvError(f"{name}: {error}") from None
    roads = fields.pop("rt_rw", "")
    fields["rt"], fields["rw"] = roads[:3], roads[3:]
    return fields


def _text(value: str, field: str) -> bytes:
    composed = unicodedata.normalize("NFC", value)
    wrong = next((c for c in composed if not _encodable(c)), None)
    if wrong is not None:
        raise ChipRefusal(
            "CHIP_UNENCODABLE",
            f"{field} has the character U+{ord(wrong):04X}, which the card cannot carry.",
            field=field,
            size=len(composed.encode("utf-8", "replace")),
            remedy="Write the text in Latin letters.",
        )
    return composed.encode()


def _encodable(character: str) -> bool:
    if character in _TYPOGRAPHIC:
        return True
    return (
        ord(character) <= _LAST_CHARACTER and unicodedata.category(character)[0] in "LNPS"
    ) or character == " "


def _bcd(digits: str) -> bytes:
    return bytes.fromhex(digits)


def _date(date: dt.date) -> bytes:
    return _bcd(date.strftime("%Y%m%d"))


def _read_digits(value: bytes) -> str:
    digits = value.hex()
    if not digits.isdecimal():
        raise ValueError("not packed decimal")
    return digits


def _read_date(value: bytes) -> dt.date:
    return dt.datetime.strptime(_read_digits(value), "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone


def _read_district(value: bytes) -> str:
    digits = _read_digits(value)
    return f"{digits[:2]}.{digits[2:4]}.{digits[4:]}"


def _read_regency(value: bytes) -> str:
    digits = _read_digits(value)
    return f"{digits[:2]}.{digits[2:]}"


_DECODERS: dict[int, tuple[str, Callable[[bytes], Any]]] = {
    0x80: ("nik", _read_digits),
    0x81: ("full_name", bytes.decode),
    0x82: ("birth_place", bytes.decode),
    0x83: ("birth_date", _read_date),
    0x84: ("sex", lambda value: Sex(value[0])),
    0x85: ("blood_type", lambda value: BloodType(value[0])),
    0x86: ("street", bytes.decode),
    0x87: ("rt_rw", _read_digits),
    0x88: ("village", bytes.decode),
    0x89: ("district_code", _read_district),
    0x8A: ("district", bytes.decode),
    0x8B: ("regency", bytes.decode),
    0x8C: ("province", bytes.decode),
    0x8D: ("religion", lambda value: Religion(value[0])),
    0x8E: ("marital_status", lambda value: MaritalStatus(value[0])),
    0x8F: ("occupation", bytes.decode),
    0x90: ("nationality", bytes.decode),
    0x91: ("issue_region", _read_regency),
    0x92: ("issue_date", _read_date),
}
