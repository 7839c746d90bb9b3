"""Who a card is for: everything that goes on the chip and on the faces, as plain values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum


class Sex(IntEnum):
    """Codes of ISO/IEC 5218."""

    MALE = 1
    FEMALE = 2


class BloodType(IntEnum):
    """Blood type; UNKNOWN is printed as a dash."""

    UNKNOWN = 0
    A = 1
    B = 2
    AB = 3
    O = 4  # noqa: E741 - its name


class Religion(IntEnum):
    """Religion or belief as the civil registry records it."""

    UNKNOWN = 0
    ISLAM = 1
    PROTESTANT = 2
    CATHOLIC = 3
    HINDU = 4
    BUDDHIST = 5
    CONFUCIAN = 6
    BELIEF = 7


class MaritalStatus(IntEnum):
    """Marital status as the civil registry records it."""

    SINGLE = 1
    MARRIED = 2
    DIVORCED = 3
    WIDOWED = 4


@dataclass(frozen=True)
class Finger:
    """A finger for the chip: ISO/IEC 19794-2 position code (0 unknown, 1–10), template, quality 0–100."""

    position: int
    template: bytes
    quality: int


@dataclass(frozen=True)
class Holder:
    """The person and the card's place of issue. `face` and `signature` are image files as they were
    captured.
    """

    record_id: str
    nik: str
    full_name: str
    birth_place: str
    birth_date: dt.date
    sex: Sex
    blood_type: BloodType
    street: str
    rt: str
    rw: str
    village: str
    district_code: str
    district: str
    regency: str
    province: str
    religion: Religion
    marital_status: MaritalStatus
    occupation: str
    nationality: str
    issue_region: str
    issue_date: dt.date
    face: bytes
    signature: bytes
    fingers: tuple[Finger, ...]
