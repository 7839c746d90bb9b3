"""The bundled region table."""

import pytest

from services.enroll.regions import Level, bundled, time_zone

REGIONS = bundled()


def test_the_table_has_every_province_of_2025() -> None:
    provinces = [region for region in REGIONS if region.level is Level.PROVINCE]
    assert len(provinces) == 38
    assert {time_zone(region.code).tzname(None) for region in provinces} == {"WIB", "WITA", "WIT"}


def test_every_region_lies_in_a_region_of_the_table() -> None:
    orphans = [region.code for region in REGIONS if region.level > 1 and region.code[:-3] not in REGIONS]
    assert orphans == []


def test_codes_of_older_vintages_are_kept() -> None:
    old = [region for region in REGIONS if region.last_vintage < 2025]
    assert len(old) == 620
    assert all(region.code in REGIONS for region in old)


def test_places_are_named_from_the_district_upwards() -> None:
    places = REGIONS.places("32.16.01")
    assert (places.province, places.regency) == ("Jawa Barat", "Kabupaten Bekasi")
    assert places.district


def test_an_unknown_district_has_no_places() -> None:
    with pytest.raises(KeyError):
        REGIONS.places("32.16.99")


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("31", "WIB"),
        ("61.01", "WIB"),
        ("63.01", "WITA"),
        ("51.71.01", "WITA"),
        ("82", "WIT"),
        ("96.01", "WIT"),
    ],
)
def test_each_region_has_the_time_zone_of_its_province(code: str, zone: str) -> None:
    assert time_zone(code).tzname(None) == zone
