"""The NIK (Nomor Induk Kependudukan), the number that a resident keeps for life.

Sixteen digits, ``PPKKCC DDMMYY SSSS``: province, regency and district of *first* registration, birth date
with women's day increased by 40, and a serial that starts at 0001 (Law 23/2006, article 13, and its
regulations). The century is not in the number; it follows from the birth date in the biodata.

No message here repeats the number: it is personal data, and messages end up in logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import NoReturn

from services.common.errors import InvalidArgument
from services.enroll.regions import Regions

FIELD = "header.biodata.nik"

_WOMENS_DAYS = 40
#: Whoever holds a card today was born in one of these.
_CENTURIES = (1800, 1900, 2000)


class Sex(IntEnum):
    """Sex as the civil registry records it; numbered as in the contract."""

    MALE = 1
    FEMALE = 2


@dataclass(frozen=True, slots=True)
class Nik:
    """A NIK taken apart.

    Attributes:
        district: Dotted code of the district of first registration, for example ``32.16.01``.
        day: Day of birth, 1 to 31, without the women's 40.
        month: Month of birth, 1 to 12.
        year: Year of birth within its century, 0 to 99.
        sex: Sex at registration.
        serial: 1 to 9999.
    """

    district: str
    day: int
    month: int
    year: int
    sex: Sex
    serial: int

    def __str__(self) -> str:
        day = self.day + (_WOMENS_DAYS if self.sex is Sex.FEMALE else 0)
        return f"{self.district.replace('.', '')}{day:02}{self.month:02}{self.year:02}{self.serial:04}"

    def require_agreement(self, birth_date: date, sex: Sex) -> None:
        """Refuses biodata that say something else than the number.

        Raises:
            InvalidArgument: ``NIK_DISAGREES``.
        """
        written = (self.day, self.month, self.year)
        if written != (birth_date.day, birth_date.month, birth_date.year % 100):
            _refuse(
                "NIK_DISAGREES",
                "Digits 7 to 12 of the NIK are not the birth date in the biodata.",
                "Check both against the family card; digits 7 and 8 are the day of birth, plus 40 for women.",
            )
        if self.sex is not sex:
            _refuse(
                "NIK_DISAGREES",
                "Digits 7 and 8 of the NIK do not fit the sex in the biodata.",
                "Check both against the family card; women's day of birth is increased by 40.",
            )


def parse(number: str, regions: Regions) -> Nik:
    """Takes a NIK apart and checks everything that can be checked without the biodata.

    Args:
        number: The sixteen digits.
        regions: Table of the districts of any vintage.

    Raises:
        InvalidArgument: ``NIK_MALFORMED``, ``UNKNOWN_REGION``, ``IMPOSSIBLE_BIRTH_DATE`` or
            ``NIK_SERIAL_ZERO``.
    """
    if len(number) != 16 or not (number.isascii() and number.isdecimal()):
        _refuse("NIK_MALFORMED", "A NIK has exactly 16 digits.", "Send the 16 digits without spaces or dots.")
    district = f"{number[:2]}.{number[2:4]}.{number[4:6]}"
    if district not in regions:
        _refuse(
            "UNKNOWN_REGION",
            f"The NIK begins with district {district}, which is in no vintage of the region table.",
            "Check digits 1 to 6 against the family card.",
        )
    written_day, month, year = int(number[6:8]), int(number[8:10]), int(number[10:12])
    sex = Sex.FEMALE if written_day > _WOMENS_DAYS else Sex.MALE
    day = written_day - (_WOMENS_DAYS if sex is Sex.FEMALE else 0)
    if not any(_is_date(century + year, month, day) for century in _CENTURIES):
        _refuse(
            "IMPOSSIBLE_BIRTH_DATE",
            "Digits 7 to 12 of the NIK are not a birth date in any century.",
            "Check them against the family card: day (plus 40 for women), month, year.",
        )
    serial = int(number[12:])
    if serial == 0:
        _refuse("NIK_SERIAL_ZERO", "The NIK ends in 0000.", "Check digits 13 to 16; serials start at 0001.")
    return Nik(district=district, day=day, month=month, year=year, sex=sex, serial=serial)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _refuse(reason: str, message: str, remedy: str) -> NoReturn:
    raise InvalidArgument(reason, message, field=FIELD, remedy=remedy)
