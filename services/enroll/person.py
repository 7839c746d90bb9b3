"""Whether a person may be enrolled as captured: biodata that agree with the NIK, known places, obliged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.common.errors import FailedPrecondition, InvalidArgument
from services.enroll.nik import Sex
from services.enroll.nik import parse as parse_nik
from services.enroll.regions import Level, Regions, time_zone

#: Clocks of capture kits may run ahead by this much.
CLOCK_SKEW = timedelta(minutes=1)
#: Perpres 96/2018: a card is for those who are 17, or married, or were married once.
OBLIGED_AGE = 17


@dataclass(frozen=True, slots=True)
class Person:
    """What the rules look at.

    Attributes:
        nik: Sixteen digits.
        birth_date: As in the biodata.
        sex: As in the biodata.
        ever_married: Married, divorced or widowed.
        residence: District code of the address.
        region: Regency of capture.
        capture_time: When it was captured.
    """

    nik: str
    birth_date: date
    sex: Sex
    ever_married: bool
    residence: str
    region: str
    capture_time: datetime


def check(person: Person, regions: Regions, now: datetime) -> None:
    """Refuses what no record may be made of.

    Raises:
        InvalidArgument: ``CAPTURE_TIME_IN_FUTURE``, ``UNKNOWN_REGION``, ``BIRTH_DATE_IN_FUTURE`` or what
            :mod:`services.enroll.nik` raises.
        FailedPrecondition: ``NOT_OBLIGED``.
    """
    if person.capture_time > now + CLOCK_SKEW:
        raise InvalidArgument(
            "CAPTURE_TIME_IN_FUTURE",
            f"The capture time {person.capture_time.isoformat()} lies in the future.",
            field="header.capture_time",
            remedy="Set the kit's clock; times are UTC.",
        )
    _require_region(person.region, Level.REGENCY, regions, "header.region")
    _require_region(person.residence, Level.DISTRICT, regions, "header.biodata.address.district_code")
    parse_nik(person.nik, regions).require_agreement(person.birth_date, person.sex)
    captured_on = person.capture_time.astimezone(time_zone(person.region)).date()
    if person.birth_date > captured_on:
        raise InvalidArgument(
            "BIRTH_DATE_IN_FUTURE",
            "The birth date lies after the capture.",
            field="header.biodata.birth_date",
            remedy="Check the century of the birth date.",
        )
    if not person.ever_married and not _has_turned(OBLIGED_AGE, person.birth_date, captured_on):
        raise FailedPrecondition(
            "NOT_OBLIGED",
            f"The person was neither {OBLIGED_AGE} years old on the day of capture nor ever married.",
            field="header.biodata.birth_date",
            remedy=f"Capture again from the {OBLIGED_AGE}th birthday on, or correct the marital status.",
        )


def _require_region(code: str, level: Level, regions: Regions, field: str) -> None:
    region = regions.get(code)
    if region is None or region.level is not level:
        raise InvalidArgument(
            "UNKNOWN_REGION",
            f"There is no {level.name.lower()} {code} in any vintage of the region table.",
            field=field,
            remedy="Use a code of Kepmendagri 300.2.2-2138/2025, such as 32.16 or 32.16.01.",
        )


def _has_turned(years: int, born: date, day: date) -> bool:
    # Whoever was born on a leap day turns on 1 March in other years.
    return (day.year - years, day.month, day.day) >= (born.year, born.month, born.day)
