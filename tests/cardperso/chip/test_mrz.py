"""The machine readable zone of a TD1 card."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cardperso.chip import mrz
from services.cardperso.chip.access import from_mrz
from services.cardperso.chip.mrz import Mrz, MrzError, check_digit, information, name_field
from services.cardperso.holder import Holder
from tests.cardperso.card_makers import make_holder

HOLDER = make_holder()


def specimens(shared_dir: Path) -> list[dict[str, Any]]:
    path = shared_dir / "vectors" / "icao9303.json"
    if not path.exists():
        pytest.skip("no test vectors icao9303.json in the shared data")
    found = json.loads(path.read_text())["mrz"]
    cards = [specimen for specimen in found if specimen["format"] == "TD1"]
    assert cards
    return cards


def date(digits: str) -> dt.date:
    return dt.datetime.strptime("19" + digits, "%Y%m%d").replace(tzinfo=dt.UTC).date()


def test_every_specimen_of_a_card_is_written_as_printed(shared_dir: Path) -> None:
    for specimen in specimens(shared_dir):
        fields = specimen["fields"]
        zone = Mrz(
            number=fields["document_number"],
            birth_date=date(fields["date_of_birth"]),
            expires=date(fields["date_of_expiry"]),
            sex=fields["sex"],
            nationality=fields["nationality"],
            name="",
            state=fields["issuing_state"],
            code=fields["document_code"],
        )
        assert list(zone.lines[:2]) == specimen["lines"][:2]
        assert zone.information == specimen["mrz_information"]
        assert information("\n".join(specimen["lines"])) == specimen["mrz_information"]


def test_the_keys_of_every_specimen_are_those_of_the_standard(shared_dir: Path) -> None:
    for specimen in specimens(shared_dir):
        keys = from_mrz(specimen["mrz_information"])
        assert keys.enc.hex().upper() == specimen["bac_k_enc"]
        assert keys.mac.hex().upper() == specimen["bac_k_mac"]


def test_a_national_number_is_a_document_number_that_is_too_long_for_its_field(holder: Holder) -> None:
    lines = mrz.of(holder).lines
    assert lines[0] == "IDIDN321601450<89200030<<<<<<<"
    assert lines[2] == "SITI<NURHALIZA<RAHMAWATI<<<<<<"
    assert lines[1].startswith("9208050F<<<<<<0IDN")


@given(
    nik=st.text("0123456789", min_size=16, max_size=16),
    born=st.dates(dt.date(1930, 1, 1), dt.date(2026, 1, 1)),
    name=st.text(st.characters(max_codepoint=0x24F, categories=("Lu", "Ll", "Zs", "Pd", "Po")), max_size=80),
)
def test_a_zone_has_three_lines_of_thirty_and_says_what_opens_the_chip(
    nik: str, born: dt.date, name: str
) -> None:
    zone = mrz.of(replace(HOLDER, nik=nik, birth_date=born, full_name="A" + name))
    assert [len(line) for line in zone.lines] == [30, 30, 30]
    assert set("".join(zone.lines)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")
    assert information("".join(zone.lines)) == zone.information


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("SITI AMINAH", "SITI<AMINAH"),
        ("Budi", "BUDI"),
        ("SAM'UN AL-FARISI, S.H.", "SAMUN<AL<FARISI<SH"),
        ("José Ñuñez-Müller", "JOSE<NUNEZ<MULLER"),
        ("Łukasz Øystein Æblegård Straße", "LUKASZ<OEYSTEIN<AEBLEGARD<STRA"),
        ("A" * 40, "A" * 30),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABC DEF", "ABCDEFGHIJKLMNOPQRSTUVWXYZAB<D"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZA B DEF", "ABCDEFGHIJKLMNOPQRSTUVWXYZ<B<D"),
        ("RADEN AJENG KARTINI DJOJOADHININGRAT", "RADEN<AJENG<KARTINI<DJOJOADHIN"),
    ],
)
def test_names_are_written_and_cut_by_the_rules(name: str, field: str) -> None:
    assert name_field(name) == field


@given(st.text("ABC ", min_size=31, max_size=70))
def test_a_name_that_was_cut_has_a_letter_in_the_last_place(name: str) -> None:
    field = name_field(name)
    assert len(field) <= 30
    if len(" ".join(name.split())) > 30:
        assert len(field) == 30
        assert field[-1] != "<"


@pytest.mark.parametrize(
    ("line", "at", "says"),
    [(0, 6, "document number"), (1, 2, "date of birth"), (1, 29, "whole zone"), (0, 29, "whole zone")],
)
def test_a_misread_character_is_found(holder: Holder, line: int, at: int, says: str) -> None:
    lines = list(mrz.of(holder).lines)
    lines[line] = lines[line][:at] + "6" + lines[line][at + 1 :]
    with pytest.raises(MrzError, match=says):
        information(" ".join(lines))


def test_what_is_no_zone_is_refused() -> None:
    with pytest.raises(MrzError, match="90 characters, not 3"):
        information("ABC")
    with pytest.raises(MrzError, match="no character"):
        check_digit("Ä")
