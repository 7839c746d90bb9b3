"""Synthetic people, with all that the civil registry records of them.

    for person in people(20, seed=1):
        submit(person.biodata(), portrait.draw(person), signature.draw(person))

The same seed gives the same people in every process, and the first ten of twenty are the same as of ten. A
person *is* their `human` number: it decides fingers and face. `other_identity` gives the same human under
another NIK, which is what deduplication has to find.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
from google.type import date_pb2
from tunggal.enroll.v1 import record_pb2

from services.enroll.nik import Nik, Sex
from sim import places
from sim.names import TRADITIONS, full_name, pick, tradition
from sim.places import Address

REFERENCE_DAY: Final = date(2026, 1, 1)
"""The day on which everyone is at least 17 years old or married, and so obliged to have a card."""

PEOPLE_PER_SEED: Final = 1_000_000

_FIRST_DUPLICATE_SERIAL: Final = 5001
_LAST_SERIAL: Final = 9999

_WORK_OF_MEN: Final = {
    "KARYAWAN SWASTA": 0.27, "WIRASWASTA": 0.2, "BURUH HARIAN LEPAS": 0.13, "PETANI/PEKEBUN": 0.13,
    "PEDAGANG": 0.06, "PEGAWAI NEGERI SIPIL": 0.05, "SOPIR": 0.04, "GURU": 0.03, "NELAYAN/PERIKANAN": 0.03,
    "TENTARA NASIONAL INDONESIA": 0.01, "KEPOLISIAN RI": 0.01, "BELUM/TIDAK BEKERJA": 0.04,
}  # fmt: skip
_WORK_OF_WOMEN: Final = {
    "MENGURUS RUMAH TANGGA": 0.48, "KARYAWAN SWASTA": 0.18, "WIRASWASTA": 0.09, "PETANI/PEKEBUN": 0.06,
    "GURU": 0.06, "PEDAGANG": 0.05, "PEGAWAI NEGERI SIPIL": 0.04, "PERAWAT": 0.02, "BIDAN": 0.02,
}  # fmt: skip
_BLOOD: Final = {"UNSPECIFIED": 0.42, "O": 0.22, "B": 0.17, "A": 0.14, "AB": 0.05}


@dataclass(frozen=True)
class Person:
    """One identity of one human.

    Attributes:
        human: number of the human behind it; seed of `fingerprints.master` and of the face.
        nik: sixteen digits, valid in the region table.
        full_name: in capitals, as is everything else that is written on a card.
        birth_place, birth_date, sex: agree with the NIK where they must.
        blood_type, religion, marital_status: names of the contract's enums without their prefix.
        tradition: way of naming, a key of `names.TRADITIONS`.
    """

    human: int
    nik: str
    full_name: str
    birth_place: str
    birth_date: date
    sex: Sex
    blood_type: str
    address: Address
    religion: str
    marital_status: str
    occupation: str
    nationality: str
    tradition: str

    def biodata(self) -> record_pb2.Biodata:
        """This person as the enrolment contract carries them."""
        born = self.birth_date
        return record_pb2.Biodata(
            nik=self.nik,
            full_name=self.full_name,
            birth_place=self.birth_place,
            birth_date=date_pb2.Date(year=born.year, month=born.month, day=born.day),
            sex=record_pb2.Sex.Value(f"SEX_{self.sex.name}"),
            blood_type=record_pb2.BloodType.Value(f"BLOOD_TYPE_{self.blood_type}"),
            address=record_pb2.Address(
                street=self.address.street,
                rt=self.address.rt,
                rw=self.address.rw,
                village=self.address.village,
                district_code=self.address.district_code,
            ),
            religion=record_pb2.Religion.Value(f"RELIGION_{self.religion}"),
            marital_status=record_pb2.MaritalStatus.Value(f"MARITAL_STATUS_{self.marital_status}"),
            occupation=self.occupation,
            nationality=self.nationality,
        )

    def age(self, day: date = REFERENCE_DAY) -> int:
        """Full years on `day`."""
        return (
            day.year
            - self.birth_date.year
            - ((day.month, day.day) < (self.birth_date.month, self.birth_date.day))
        )

    def other_identity(self, seed: int) -> "Person":
        """The same human with another NIK, name and birth date, registered elsewhere.

        Serials from 5001 up are kept for such identities, so none is ever that of an honest person in
        `people`; up to 4,999 different seeds give one human as many different NIKs.
        """
        rng = np.random.default_rng(np.random.SeedSequence((self.human, 2, seed)))
        born = self.birth_date
        if rng.random() < 0.6:
            # Older rather than younger, so that the false identity is obliged to have a card as well.
            born -= timedelta(days=int(rng.integers(1, 1200)))
        available = _LAST_SERIAL - _FIRST_DUPLICATE_SERIAL + 1
        district = _one_district(places.regency(rng), rng)
        return replace(
            self,
            nik=_nik(
                district, born, self.sex, _FIRST_DUPLICATE_SERIAL + (self.human * 7919 + seed) % available
            ),
            full_name=_another_name(self, rng),
            birth_place=places.birth_place(district[:5]),
            birth_date=born,
            address=places.address(self.address.district_code, rng),
        )


def people(n: int, seed: int, region: str = "32.16") -> list[Person]:
    """`n` people who live in the regency `region`, with NIKs that differ from each other.

    Raises:
        ValueError: for more people than one seed has, a negative seed, or a regency that does not exist
        today.
    """
    if not 0 <= n <= PEOPLE_PER_SEED or seed < 0:
        raise ValueError(f"0 to {PEOPLE_PER_SEED} people with a seed from 0 on, not {n} with {seed}")
    places.districts(region)
    taken: dict[str, int] = {}
    return [_person(seed * PEOPLE_PER_SEED + index, region, taken) for index in range(n)]


def _person(human: int, region: str, taken: dict[str, int]) -> Person:
    rng = np.random.default_rng(np.random.SeedSequence((human, 1)))
    sex = Sex.FEMALE if rng.random() < 0.5 else Sex.MALE
    age = _age(rng)
    # Those of 15 and 16 years have a card because they are married: rare, but the rule is there for them.
    marital_status = _marital_status(age, sex, rng)
    born = REFERENCE_DAY - timedelta(days=int(365.2425 * age) + 1 + int(rng.integers(0, 365)))
    way = tradition(region[:2], born.year, rng)
    home = region if rng.random() < 0.7 else places.regency(rng)
    if rng.random() < 0.02:
        first_district = places.former_district(rng)
        home = first_district[:5]
    else:
        first_district = _one_district(home, rng)
    return Person(
        human=human,
        nik=_nik(first_district, born, sex, _next_serial(first_district, born, sex, taken)),
        full_name=full_name(way, woman=sex is Sex.FEMALE, rng=rng),
        birth_place=places.birth_place(home),
        birth_date=born,
        sex=sex,
        blood_type=pick(_BLOOD, rng),
        address=places.address(_one_district(region, rng), rng),
        religion=pick(TRADITIONS[way].religions, rng),
        marital_status=marital_status,
        occupation=_occupation(age, sex, rng),
        nationality="WNI",
        tradition=way,
    )


def _age(rng: np.random.Generator) -> int:
    """Full years, as those with a card have them; 15 or 16 now and then."""
    if rng.random() < 0.01:
        return int(rng.integers(15, 17))
    return int(np.clip(17 + rng.gamma(1.9, 13.0), 17, 92))


def _marital_status(age: int, sex: Sex, rng: np.random.Generator) -> str:
    if age < 17:
        return "MARRIED"
    married_by = 22.5 if sex is Sex.FEMALE else 26.0
    if rng.random() > 1 / (1 + np.exp(-(age - married_by) / 2.5)):
        return "SINGLE"
    widowed = np.clip((age - 45) / 70, 0, 0.6) * (1.4 if sex is Sex.FEMALE else 0.5)
    draw = rng.random()
    if draw < widowed:
        return "WIDOWED"
    return "DIVORCED" if draw < widowed + 0.05 else "MARRIED"


def _occupation(age: int, sex: Sex, rng: np.random.Generator) -> str:
    if age < 23 and rng.random() < 0.75:
        return "PELAJAR/MAHASISWA"
    if age > 60 and rng.random() < 0.35:
        return "PENSIUNAN"
    return pick(_WORK_OF_WOMEN if sex is Sex.FEMALE else _WORK_OF_MEN, rng)


def _one_district(regency: str, rng: np.random.Generator) -> str:
    codes = places.districts(regency)
    return codes[int(rng.integers(len(codes)))]


def _next_serial(district: str, born: date, sex: Sex, taken: dict[str, int]) -> int:
    """Serials count from 1 within a district and a birth date (women's apart)."""
    prefix = _nik(district, born, sex, 0)[:12]
    taken[prefix] = taken.get(prefix, 0) + 1
    return taken[prefix]


def _nik(district: str, born: date, sex: Sex, serial: int) -> str:
    return str(Nik(district, born.day, born.month, born.year % 100, sex, serial))


def _another_name(person: Person, rng: np.random.Generator) -> str:
    """Half of those who enrol twice keep part of their name; the other half take a new one."""
    first, *others = person.full_name.split()
    new = full_name(person.tradition, woman=person.sex is Sex.FEMALE, rng=rng)
    last = new.split()[-1]
    if others and last != first and rng.random() < 0.5:
        new = f"{first} {last}"
    return new if new != person.full_name else f"{new} {first}"
