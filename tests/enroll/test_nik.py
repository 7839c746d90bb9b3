"""The NIK: taken apart, put together, refused."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunggal.enroll.v1 import record_pb2

from services.common.errors import InvalidArgument
from services.enroll.nik import FIELD, Nik, Sex, parse
from services.enroll.regions import Level, bundled

REGIONS = bundled()
DISTRICTS = sorted(region.code for region in REGIONS if region.level is Level.DISTRICT)
BIRTH_DATES = st.dates(date(1890, 1, 1), date(2015, 12, 31))


def compose(district: str, born: date, sex: Sex, serial: int) -> str:
    """The rule as a clerk would write it down."""
    day = born.day + 40 if sex is Sex.FEMALE else born.day
    return district.replace(".", "") + f"{day:02d}{born.month:02d}{born.year % 100:02d}" + f"{serial:04d}"


def refused(number: str) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        parse(number, REGIONS)
    assert caught.value.field == FIELD
    assert caught.value.remedy
    assert not number or number not in str(caught.value)
    return caught.value


@given(st.sampled_from(DISTRICTS), BIRTH_DATES, st.sampled_from(Sex), st.integers(1, 9999))
def test_every_nik_round_trips(district: str, born: date, sex: Sex, serial: int) -> None:
    number = compose(district, born, sex, serial)
    nik = parse(number, REGIONS)
    assert str(nik) == number
    assert nik == Nik(district, born.day, born.month, born.year % 100, sex, serial)
    nik.require_agreement(born, sex)


@given(st.sampled_from(DISTRICTS), BIRTH_DATES, BIRTH_DATES, st.sampled_from(Sex))
def test_a_nik_agrees_with_no_other_birth_date_of_its_century(
    district: str, born: date, other: date, sex: Sex
) -> None:
    nik = parse(compose(district, born, sex, 1), REGIONS)
    if (born.day, born.month, born.year % 100) == (other.day, other.month, other.year % 100):
        nik.require_agreement(other, sex)
        return
    with pytest.raises(InvalidArgument, match="birth date") as caught:
        nik.require_agreement(other, sex)
    assert caught.value.reason == "NIK_DISAGREES"


@given(st.text(max_size=20) | st.from_regex(r"\A[0-9]{16}\Z"))
def test_anything_else_is_refused_by_name_and_never_crashes(number: str) -> None:
    with suppress(InvalidArgument):
        assert str(parse(number, REGIONS)) == number


def test_a_nik_of_an_abolished_district_is_still_good() -> None:
    abolished = [
        region.code for region in REGIONS if region.level is Level.DISTRICT and region.last_vintage < 2025
    ]
    assert abolished
    for district in abolished:
        assert parse(compose(district, date(1980, 5, 17), Sex.MALE, 3), REGIONS).district == district


def test_the_century_comes_from_the_biodata() -> None:
    nik = parse("3216010101050001", REGIONS)
    nik.require_agreement(date(1905, 1, 1), Sex.MALE)
    nik.require_agreement(date(2005, 1, 1), Sex.MALE)


def test_the_sex_must_agree() -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse("3216014101050001", REGIONS).require_agreement(date(2005, 1, 1), Sex.MALE)
    assert (caught.value.reason, caught.value.field) == ("NIK_DISAGREES", FIELD)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("9999990101800001", "UNKNOWN_REGION"),
        ("3216990101800001", "UNKNOWN_REGION"),
        ("3216013102800001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216017002800001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216010113800001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216010001800001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216014001800001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216013201800001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216012902810001", "IMPOSSIBLE_BIRTH_DATE"),
        ("3216010101800000", "NIK_SERIAL_ZERO"),
        ("321601010180000", "NIK_MALFORMED"),
        ("32160101018000011", "NIK_MALFORMED"),
        ("3216 0101018001", "NIK_MALFORMED"),
        ("٣٢١٦٠١٠١٠١٨٠٠٠٠١", "NIK_MALFORMED"),
        ("", "NIK_MALFORMED"),
    ],
)
def test_each_fault_has_its_own_reason(number: str, reason: str) -> None:
    assert refused(number).reason == reason


def test_a_leap_day_is_possible_in_leap_years_only() -> None:
    assert parse("3216012902800001", REGIONS).day == 29
    assert parse("3216012902000001", REGIONS).year == 0  # 2000 was one, 1900 was not
    assert refused("3216012902010001").reason == "IMPOSSIBLE_BIRTH_DATE"


def test_sexes_are_numbered_as_in_the_contract() -> None:
    assert {f"SEX_{sex.name}": int(sex) for sex in Sex} == {
        name: number for name, number in record_pb2.Sex.items() if number
    }
