"""Chip profiles: the shipped ones, one of somebody else's, and every mistake in a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.cardperso.chip import profile
from services.cardperso.chip.access import AccessSource
from services.cardperso.chip.encoders import BUILT_IN, Encoder
from services.cardperso.chip.plan import encode
from services.cardperso.chip.profile import SHIPPED, Read
from services.cardperso.holder import Holder
from services.common.errors import ConfigurationError
from tests.cardperso.signing_office import Office

KTP = (SHIPPED / "ktp-el.toml").read_text("utf-8")


@pytest.mark.parametrize("name", profile.shipped())
def test_a_shipped_profile_fits_its_chip_with_every_budget_used_up(name: str) -> None:
    found = profile.find(name)
    assert found.name == name
    assert found.most <= found.capacity == 8192


def test_two_profiles_come_along() -> None:
    assert profile.shipped() == ["icao-lds1", "ktp-el"]


def test_fingers_take_four_hundred_bytes_at_most_and_only_readers_see_the_person() -> None:
    found = profile.find("ktp-el")
    assert found.keys is AccessSource.READER
    assert {found.file(key).budget for key in ("finger1", "finger2")} == {400}
    assert {file.key for file in found.files if file.read is Read.FREE} == {"directory"}


def test_a_travel_document_has_its_own_name_and_files() -> None:
    found = profile.find("icao-lds1")
    assert found.aid.hex().upper() == "A0000002471001"
    assert {file.identifier: file.sfi for file in found.files} == {
        0x011E: 0x1E,
        0x0101: 0x01,
        0x0102: 0x02,
        0x011D: 0x1D,
    }


def test_a_profile_of_somebody_else_with_an_encoder_of_its_own_makes_a_chip(
    tmp_path: Path, holder: Holder, office: Office
) -> None:
    path = tmp_path / "club-card.toml"
    path.write_text(
        """
name = "club-card"
application = "F0434C5542"

[chip]
capacity = 2048
file_overhead = 16

[[file]]
key = "member"
number = 1
identifier = 0x0101
encoder = "member"
budget = 40
read = "free"

[[file]]
key = "seal"
identifier = 0x011D
encoder = "security-object"
budget = 1400
read = "free"
"""
    )
    encoders = {**BUILT_IN, "member": Encoder(lambda given: given.holder.full_name.encode())}
    made = encode(profile.load(path, encoders), holder, office)
    assert made.content("member") == holder.full_name.encode()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "ktp-el"', 'name = "KTP EL"', "small letters"),
        ('name = "ktp-el"', "", "lacks 'name'"),
        ('name = "ktp-el"', 'name = "ktp-el"\ncolour = 1', "'colour', which means nothing"),
        ("F054554E4747414C02", "F0XX", "5 to 16 bytes"),
        ("capacity = 8192", "capacity = 8000", r"come to \d+ bytes; the chip has 8000"),
        ("capacity = 8192", 'capacity = "8192"', "'capacity' of .chip. is a number"),
        ("file_overhead = 32", "", "lacks 'file_overhead'"),
        ('keys = "reader"', 'keys = "pin"', "'mrz' or 'reader'"),
        ('keys = "reader"', 'keys = "mrz"', "need one 'mrz-td1' file"),
        ("grouping = 0x8010", "grouping = 0x0010", "'grouping' of .access. is a number from 32768"),
        ('[access]\nkeys = "reader"', '[oops]\nkeys = "reader"', "'oops', which means nothing"),
        (
            'encoder = "biodata"',
            'encoder = "biodat"',
            "file 'biodata' has the unknown encoder 'biodat'; known",
        ),
        ('read = "free"', 'read = "all"', "'read' of file 'directory' is 'free' or 'authenticated'"),
        ('key = "biodata"', 'key = "portrait"', "the key of file 'portrait' is that of another"),
        ("identifier = 0x0101", "identifier = 0x0102", "the identifier of file 'portrait'"),
        ("identifier = 0x0101", "identifier = 0x0122", "the sfi of file 'portrait'"),
        ("identifier = 0x0101", "identifier = 0x0120", "give no short identifier"),
        ("number = 1\n", "number = 2\n", "same data group number"),
        ("number = 1\n", "number = 17\n", "'number' of file 'biodata' is a number from 1 to 16"),
        ("number = 1\n", "", "'biodata' with encoder 'biodata' needs a number"),
        ("budget = 640", "budget = -1", "'budget' of file 'biodata'"),
        ("budget = 640", "", "lacks 'budget'"),
        ("width = 240, ", "", "options of file 'portrait' lacks 'width'"),
        ("options = { rank = 1 }", "options = { rank = 1, hand = 2 }", "'hand', which means nothing"),
        ("optional = true", 'optional = "yes"', "'optional' of file 'finger2'"),
        (
            'encoder = "security-object"',
            'encoder = "directory"',
            "one file with the encoder 'security-object'",
        ),
        ("[chip]", "[chip", "is no TOML"),
    ],
)
def test_a_mistake_in_a_profile_is_named_when_it_is_loaded(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in KTP
    path = tmp_path / "mine.toml"
    path.write_text(KTP.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=says) as caught:
        profile.load(path)
    assert "mine.toml" in str(caught.value)


def test_access_rules_without_keys_are_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(r"\[access\][^\[]*", "", KTP))
    with pytest.raises(ConfigurationError, match=r"there is no \[access\]"):
        profile.load(path)


def test_a_profile_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="shipped are icao-lds1, ktp-el"):
        profile.find("ktp")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        profile.find("/nowhere/ktp.toml")
