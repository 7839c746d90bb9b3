"""Synthetic people: valid in every field, the same in every process, and as different as people are."""

import re
import subprocess
import sys
from collections import Counter
from datetime import date

import protovalidate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.enroll.nik import Sex, parse
from services.enroll.regions import bundled
from sim import places
from sim.names import TRADITIONS
from sim.population import REFERENCE_DAY, Person, people

SEEDS = st.integers(0, 10**9)
REGENCIES = st.sampled_from(
    ("32.16", "31.71", "51.03", "11.71", "12.71", "13.71", "36.03", "64.72", "73.71", "94.01")
)


def _assert_nik_agrees(person: Person) -> None:
    born = person.birth_date
    day = born.day + (40 if person.sex is Sex.FEMALE else 0)
    assert re.fullmatch(r"[0-9]{16}", person.nik)
    assert person.nik[6:12] == f"{day:02}{born:%m%y}"
    assert person.nik[12:] != "0000"
    assert f"{person.nik[:2]}.{person.nik[2:4]}.{person.nik[4:6]}" in bundled()
    parse(person.nik, bundled()).require_agreement(born, person.sex)


@settings(max_examples=25, deadline=None)
@given(SEEDS, REGENCIES)
def test_everyone_can_be_enrolled_where_they_live(seed: int, regency: str) -> None:
    for person in people(20, seed, regency):
        _assert_nik_agrees(person)
        protovalidate.validate(person.biodata())
        assert person.address.district_code in places.districts(regency)
        assert person.age() >= 17 or person.marital_status == "MARRIED"
        assert date(1900, 1, 1) < person.birth_date < REFERENCE_DAY
        assert person.full_name == person.full_name.upper()


@settings(max_examples=15, deadline=None)
@given(SEEDS, REGENCIES, st.integers(0, 4000))
def test_another_identity_is_the_same_human_under_a_nik_of_nobody_else(
    seed: int, regency: str, again: int
) -> None:
    everyone = people(30, seed, regency)
    known = {person.nik for person in everyone}
    for person in everyone:
        others = [person.other_identity(again), person.other_identity(again + 1)]
        assert others[0].nik != others[1].nik
        for other in others:
            _assert_nik_agrees(other)
            protovalidate.validate(other.biodata())
            assert other.human == person.human
            assert other.sex is person.sex
            assert other.nik not in known
            assert other.full_name != person.full_name
            assert other.age() >= person.age()


def test_no_two_of_many_people_share_a_nik() -> None:
    crowd = people(3000, 5)
    assert len({person.nik for person in crowd}) == len(crowd)
    assert len({person.human for person in crowd}) == len(crowd)


def test_people_born_on_one_day_in_one_district_get_consecutive_serials() -> None:
    crowd = people(3000, 5)
    highest = Counter(person.nik[:12] for person in crowd)
    assert max(highest.values()) > 1
    for prefix, count in highest.items():
        serials = sorted(int(person.nik[12:]) for person in crowd if person.nik[:12] == prefix)
        assert serials == list(range(1, count + 1))


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(0, 15))
def test_the_first_people_do_not_change_when_more_are_asked_for(seed: int, fewer: int) -> None:
    assert people(15, seed)[:fewer] == people(fewer, seed)


def test_another_process_meets_the_same_people() -> None:
    program = "from sim.population import people; print([(p, p.other_identity(1)) for p in people(5, 11)])"
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "random"},
    )
    assert elsewhere.stdout.strip() == str([(p, p.other_identity(1)) for p in people(5, 11)])


@pytest.mark.parametrize("regency", ["32", "32.16.01", "99.99", "bekasi", ""])
def test_there_are_no_people_where_there_is_no_regency(regency: str) -> None:
    with pytest.raises(ValueError, match="regency"):
        people(1, 1, regency)


@pytest.mark.parametrize(("n", "seed"), [(-1, 1), (1_000_001, 1), (1, -1)])
def test_impossible_numbers_of_people_are_refused(n: int, seed: int) -> None:
    with pytest.raises(ValueError, match="people"):
        people(n, seed)


def test_names_take_every_form_that_a_card_must_hold() -> None:
    crowd = [person for regency in ("32.16", "51.03", "12.71", "94.01") for person in people(400, 3, regency)]
    words = Counter(len(person.full_name.split()) for person in crowd)
    assert {1, 2, 3, 4} <= set(words)
    assert max(len(person.full_name) for person in crowd) > 30
    assert {person.tradition for person in crowd} == set(TRADITIONS)


def test_a_population_has_the_shares_of_a_real_one() -> None:
    crowd = people(3000, 7)
    women = sum(person.sex is Sex.FEMALE for person in crowd)
    young = sum(person.age() < 30 for person in crowd)
    married = sum(person.marital_status == "MARRIED" for person in crowd)
    minors = [person for person in crowd if person.age() < 17]
    newest = max(region.last_vintage for region in bundled())
    former = [person for person in crowd if _last_vintage(person) < newest]
    assert 0.46 < women / len(crowd) < 0.54
    assert 0.2 < young / len(crowd) < 0.45
    assert 0.5 < married / len(crowd) < 0.8
    assert 0 < len(minors) < 0.03 * len(crowd)
    assert 0 < len(former) < 0.05 * len(crowd)


def _last_vintage(person: Person) -> int:
    region = bundled().get(f"{person.nik[:2]}.{person.nik[2:4]}.{person.nik[4:6]}")
    assert region is not None
    return region.last_vintage
