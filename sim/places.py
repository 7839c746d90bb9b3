"""Where synthetic people live: streets, hamlets and villages that sound right, districts that are real."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from services.enroll.regions import Level, Region, bundled

_VILLAGE_HEADS: Final = "Suka|Karang|Mekar|Sindang|Tanjung|Pasir|Sumber|Banjar|Marga|Wana|Kerta|Telaga"
_VILLAGE_TAILS: Final = "jaya|mulya|sari|harja|asih|mukti|raya|indah|laksana|rahayu|makmur|baru"
_STREETS: Final = (
    "Melati|Mawar|Anggrek|Kenanga|Merdeka|Sudirman|Diponegoro|Pahlawan|Kartini|Veteran|Pemuda|Cempaka|"
    "Gatot Subroto|Imam Bonjol|Ahmad Yani|Raya Pasar|Masjid Al-Ikhlas|Kali Baru"
)
_HAMLETS: Final = (
    "Rawa Bangkong|Pulo Asem|Cikedokan|Babakan|Tegal Gede|Gunung Sari|Kali Jambe|Bojong|Lemah Abang"
)
_ESTATES: Final = "Graha Asri|Villa Mutiara|Taman Sentosa|Bumi Lestari|Griya Permai|Puri Indah|Telaga Harapan"


@dataclass(frozen=True, slots=True)
class Address:
    """Address of residence, in capitals; rukun tetangga and rukun warga have three digits."""

    street: str
    rt: str
    rw: str
    village: str
    district_code: str


def address(district: str, rng: np.random.Generator) -> Address:
    """A place to live in the district with this code."""
    village = _one(_VILLAGE_HEADS, rng) + _one(_VILLAGE_TAILS, rng)
    return Address(
        street=_street(rng).upper(),
        rt=f"{rng.integers(1, 16):03}",
        rw=f"{rng.integers(1, 21):03}",
        village=village.upper(),
        district_code=district,
    )


@cache
def districts(regency: str) -> Sequence[str]:
    """Codes of the districts of a regency in the newest vintage of the table.

    Raises:
        ValueError: where the table has no such regency today.
    """
    found = _districts().get(regency)
    if not found:
        raise ValueError(f"{regency!r} is not the code of a regency of today, such as '32.16'")
    return found


def regency(rng: np.random.Generator) -> str:
    """Code of a regency of the whole country, drawn by population."""
    codes, people = _regencies()
    return codes[int(rng.choice(len(codes), p=people))]


def birth_place(code: str) -> str:
    """Name of a regency as a place of birth: in capitals, without "Kabupaten" or "Kota"."""
    region = bundled().get(code)
    assert region is not None
    return re.sub(r"^(KABUPATEN|KAB\.|KOTA)( ADMINISTRASI)? ", "", region.name.upper())


def former_district(rng: np.random.Generator) -> str:
    """Code of a district that today's table no longer has; the NIKs that begin with it stay valid."""
    return _former()[int(rng.integers(len(_former())))]


def _street(rng: np.random.Generator) -> str:
    kind = rng.random()
    number = int(rng.integers(1, 200))
    if kind < 0.4:
        return f"Jl. {_one(_STREETS, rng)} No. {number}"
    if kind < 0.7:
        return f"Kp. {_one(_HAMLETS, rng)}"
    if kind < 0.93:
        block = chr(ord("A") + int(rng.integers(0, 12)))
        return f"Perum {_one(_ESTATES, rng)} Blok {block}{rng.integers(1, 30)} No. {number % 40 + 1}"
    return f"Dusun {_one('I|II|III|IV|Krajan|Sukamaju', rng)}"


def _one(choices: str, rng: np.random.Generator) -> str:
    values = choices.split("|")
    return values[int(rng.integers(len(values)))]


@cache
def _districts() -> dict[str, list[str]]:
    by_regency: dict[str, list[str]] = {}
    for region in bundled():
        if region.level is Level.DISTRICT and region.last_vintage == _newest():
            by_regency.setdefault(region.code[:5], []).append(region.code)
    return by_regency


@cache
def _regencies() -> tuple[list[str], "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    regencies: list[Region] = [
        region
        for region in bundled()
        if region.level is Level.REGENCY and region.population and region.code in _districts()
    ]
    people = np.array([float(region.population or 0) for region in regencies])
    return [region.code for region in regencies], people / people.sum()


@cache
def _former() -> list[str]:
    return [r.code for r in bundled() if r.level is Level.DISTRICT and r.last_vintage < _newest()]


@cache
def _newest() -> int:
    return max(region.last_vintage for region in bundled())
