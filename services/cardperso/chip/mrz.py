"""Machine readable zone of a TD1 card: three lines of thirty characters (ICAO Doc 9303-5, 4.2; 9303-3, 4).

What is ours within it: the document number is the NIK, which is longer than its field, so the rule for long
numbers applies (nine digits, a filler, the other seven and the check digit in the optional data). A card that
is valid for life has fillers for a date of expiry. Indonesian names have no family name: all of a name is the
primary identifier.

A name that is longer than its line is cut so that a letter stands in the last place (9303-3, 4.6: that is how
a reader knows that there may be more): where the cut would fall between two words, the last word of more than
one letter gives one for the next word's initial.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass

from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.holder import Holder, Sex

LINE = 30
FILLER = "<"
_CITIZEN = "WNI"
_STATE = "IDN"
_NUMBER_FIELD, _OPTIONAL_FIELD = 9, 15
_WEIGHTS = (7, 3, 1)
_SEX = {Sex.MALE: "M", Sex.FEMALE: "F"}
_LETTERS = {"Æ": "AE", "Ð": "D", "Ø": "OE", "Þ": "TH", "ß": "SS", "Œ": "OE", "Đ": "D", "Ł": "L", "Ħ": "H"}
"""Letters that decomposing does not bring to A–Z (9303-3, 6.A); the list is in capitals but for the last."""
_SILENT = frozenset("'’‘`´.,\u02bc")
"""Signs that a name loses; others, such as hyphens, part two words (9303-3, 4.6)."""


class MrzError(ValueError):
    """The text is no machine readable zone of a TD1 card; the message says why."""


@dataclass(frozen=True)
class Mrz:
    """What a machine readable zone says. `expires` is None on a card for life; `name` has its words apart."""

    number: str
    birth_date: dt.date
    expires: dt.date | None
    sex: str
    nationality: str
    name: str
    state: str = _STATE
    code: str = "ID"

    @property
    def lines(self) -> tuple[str, str, str]:
        """The three lines."""
        number, optional = _number(self.number)
        check = check_digit(number) if not optional else FILLER
        upper = number + check + _filled(optional, _OPTIONAL_FIELD)
        birth, expiry = _date(self.birth_date), _date(self.expires)
        middle = birth + check_digit(birth) + self.sex + expiry + check_digit(expiry) + self.nationality
        composite = check_digit(
            upper + birth + check_digit(birth) + expiry + check_digit(expiry) + FILLER * 11
        )
        return (
            _filled(self.code, 2) + self.state + upper,
            _filled(middle, LINE - 1) + composite,
            _filled(name_field(self.name), LINE),
        )

    @property
    def information(self) -> str:
        """What the keys of basic access control come from: number, birth and expiry, each with its check
        digit (9303-11, 4.3.2 and Appendix D.2).
        """
        number = _filled(self.number, _NUMBER_FIELD)
        fields = (number, _date(self.birth_date), _date(self.expires))
        return "".join(field + check_digit(field) for field in fields)


def of(holder: Holder) -> Mrz:
    """The machine readable zone of a holder's card.

    Raises:
        ChipRefusal: the name has a character that the zone cannot carry.
    """
    if not name_field(holder.full_name).strip(FILLER):
        raise ChipRefusal(
            "CHIP_UNENCODABLE",
            "biodata.full_name has no letter that a machine readable zone can carry.",
            field="biodata.full_name",
            size=len(holder.full_name.encode()),
            remedy="Write the name in Latin letters.",
        )
    nationality = _STATE if holder.nationality == _CITIZEN else holder.nationality
    return Mrz(holder.nik, holder.birth_date, None, _SEX[holder.sex], nationality, holder.full_name)


def information(text: str) -> str:
    """`Mrz.information` of a zone as read or typed, lines and spaces as they come.

    Raises:
        MrzError: wrong length, or a check digit is wrong; it says of which field.
    """
    zone = "".join(text.split()).upper()
    if len(zone) != 3 * LINE:
        raise MrzError(f"A TD1 zone has {3 * LINE} characters, not {len(zone)}.")
    first, second = zone[:LINE], zone[LINE : 2 * LINE]
    number, check, optional = first[5:14], first[14], first[15:]
    if check == FILLER:
        rest = optional.split(FILLER)[0]
        number, check = number + rest[:-1], rest[-1:]
    birth, expiry = second[:6], second[8:14]
    for field, given, name in (
        (number, check, "document number"),
        (birth, second[6], "date of birth"),
        (expiry, second[14], "date of expiry"),
        (first[5:] + second[:7] + second[8:15] + second[18:29], second[29], "whole zone"),
    ):
        if check_digit(field) != given:
            raise MrzError(f"The check digit of the {name} is wrong.")
    return number + check + birth + second[6] + expiry + second[14]


def check_digit(field: str) -> str:
    """Weighted sum of the characters modulo 10 (9303-3, 4.9).

    Raises:
        MrzError: a character that no zone has.
    """
    return str(sum(_value(c) * _WEIGHTS[n % 3] for n, c in enumerate(field)) % 10)


def name_field(name: str) -> str:
    """A name in the letters of the zone, its words parted by fillers, cut to one line."""
    letters = "".join(_LETTERS.get(c, c) for c in name.upper().replace("ẞ", "SS"))
    plain = (c for c in unicodedata.normalize("NFD", letters) if not unicodedata.combining(c))
    spaced = "".join(c if "A" <= c <= "Z" else "" if c in _SILENT else " " for c in plain)
    words = spaced.split()
    whole = FILLER.join(words)
    if len(whole) <= LINE:
        return whole
    cut = whole[:LINE]
    if cut[-1] != FILLER:
        return cut
    kept = cut.rstrip(FILLER).split(FILLER)
    giving = max(n for n, word in enumerate(kept) if len(word) > 1)
    kept[giving] = kept[giving][:-1]
    return FILLER.join((*kept, whole[LINE]))


def _number(number: str) -> tuple[str, str]:
    """Number field and beginning of the optional data (9303-5, 4.2.2, note j)."""
    if len(number) <= _NUMBER_FIELD:
        return _filled(number, _NUMBER_FIELD), ""
    return number[:_NUMBER_FIELD], number[_NUMBER_FIELD:] + check_digit(number)


def _value(character: str) -> int:
    if character == FILLER:
        return 0
    if character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        return int(character, 36)
    raise MrzError(f"{character!r} is no character of a machine readable zone.")


def _filled(text: str, size: int) -> str:
    return text.ljust(size, FILLER)


def _date(date: dt.date | None) -> str:
    return FILLER * 6 if date is None else date.strftime("%y%m%d")
