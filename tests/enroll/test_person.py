"""Who may be enrolled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.common.errors import FailedPrecondition, InvalidArgument
from services.enroll.nik import Sex
from services.enroll.person import Person, check
from services.enroll.regions import bundled

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
GROWN = Person(
    nik="3216010503900001",
    birth_date=date(1990, 3, 5),
    sex=Sex.MALE,
    ever_married=False,
    residence="32.16.06",
    region="32.16",
    capture_time=NOW,
)


def born(day: date, region: str = "32.16", capture_time: datetime = NOW) -> Person:
    nik = f"321601{day:%d%m%y}0001"
    return replace(GROWN, nik=nik, birth_date=day, region=region, capture_time=capture_time)


def test_a_grown_person_may_be_enrolled_far_from_home() -> None:
    check(GROWN, bundled(), NOW)
    check(replace(GROWN, region="94.01", residence="51.71.01"), bundled(), NOW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"region": "99.99"}, "header.region"),
        ({"region": "32"}, "header.region"),
        ({"region": "32.16.06"}, "header.region"),
        ({"residence": "32.16.99"}, "header.biodata.address.district_code"),
        ({"residence": "32.16"}, "header.biodata.address.district_code"),
        ({"nik": "9999990503900001"}, "header.biodata.nik"),
    ],
)
def test_unknown_regions_are_refused_where_they_stand(change: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(replace(GROWN, **change), bundled(), NOW)  # type: ignore[arg-type]
    assert (caught.value.reason, caught.value.field) == ("UNKNOWN_REGION", field)


def test_the_nik_must_agree_with_the_biodata() -> None:
    with pytest.raises(InvalidArgument, match="birth date"):
        check(replace(GROWN, birth_date=date(1991, 3, 5)), bundled(), NOW)
    with pytest.raises(InvalidArgument, match="sex"):
        check(replace(GROWN, sex=Sex.FEMALE), bundled(), NOW)


def test_a_capture_in_the_future_is_refused_but_a_clock_may_be_a_little_ahead() -> None:
    check(replace(GROWN, capture_time=NOW + timedelta(seconds=59)), bundled(), NOW)
    with pytest.raises(InvalidArgument) as caught:
        check(replace(GROWN, capture_time=NOW + timedelta(minutes=2)), bundled(), NOW)
    assert (caught.value.reason, caught.value.field) == ("CAPTURE_TIME_IN_FUTURE", "header.capture_time")


def test_nobody_is_born_after_the_capture() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(born(date(2026, 3, 3)), bundled(), NOW)
    assert caught.value.reason == "BIRTH_DATE_IN_FUTURE"


def test_one_is_obliged_from_the_seventeenth_birthday_on() -> None:
    check(born(date(2009, 3, 2)), bundled(), NOW)
    with pytest.raises(FailedPrecondition) as caught:
        check(born(date(2009, 3, 3)), bundled(), NOW)
    assert (caught.value.reason, caught.value.field) == ("NOT_OBLIGED", "header.biodata.birth_date")


def test_or_once_married() -> None:
    check(replace(born(date(2010, 3, 3)), ever_married=True), bundled(), NOW)


def test_the_birthday_begins_at_local_midnight() -> None:
    just_before_two_midnights = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)  # 00:30 in Papua, 22:30 in Bekasi
    check(born(date(2009, 3, 2), "94.01", just_before_two_midnights), bundled(), NOW)
    with pytest.raises(FailedPrecondition):
        check(born(date(2009, 3, 2), "32.16", just_before_two_midnights), bundled(), NOW)


def test_who_was_born_on_a_leap_day_turns_on_the_first_of_march() -> None:
    leap = date(2008, 2, 29)
    check(born(leap, capture_time=datetime(2025, 3, 1, 3, tzinfo=UTC)), bundled(), NOW)
    with pytest.raises(FailedPrecondition):
        check(born(leap, capture_time=datetime(2025, 2, 28, 3, tzinfo=UTC)), bundled(), NOW)
