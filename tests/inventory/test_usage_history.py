"""What was used, read back from closed days: amounts, and the days on which an empty shelf hid the demand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from services.common.clock import FixedClock
from services.inventory.location import Location
from services.inventory.planning import history
from tests.inventory.inventory_office import BEKASI
from tests.inventory.planning_books import Books

YESTERDAY = date(2026, 3, 1)
COUNTRY = Location("ID")


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory without a past."""
    made = Books(database_url, clock, tmp_path)
    yield made
    made.database.dispose()


def read(books: Books, region: Location = COUNTRY) -> history.Used | None:
    with books.database.read() as connection:
        return history.read(connection, region)


def test_before_the_first_day_is_closed_there_is_no_history(books: Books) -> None:
    assert read(books) is None


def test_amounts_and_empty_shelves_come_back_as_they_were_written(books: Books) -> None:
    bekasi = np.array([5, 0, 7, np.nan, np.nan, 3, 0, 2, np.nan, 4], float)
    depok = np.full(10, 1.0)
    books.live_through({BEKASI: bekasi, "32.76": depok, "33.74": depok}, YESTERDAY)
    found = read(books)
    assert found is not None
    assert (found.start, found.last) == (YESTERDAY - timedelta(9), YESTERDAY)
    assert found.locations == (BEKASI, "32.76", "33.74")
    np.testing.assert_array_equal(found.known, np.stack([bekasi, depok, depok]))
    province = read(books, Location("32"))
    assert province is not None
    assert province.locations == (BEKASI, "32.76")
    np.testing.assert_array_equal(province.known, np.stack([bekasi, depok]))


def test_days_before_the_first_stock_say_nothing_about_demand(books: Books) -> None:
    books.stock_up(100)
    books.night()
    books.night()
    books.ship(BEKASI, 10)
    books.print_card(BEKASI, "04AA000001")
    books.spoil(BEKASI)
    books.night()
    found = read(books)
    assert found is not None
    row = found.locations.index(BEKASI)
    np.testing.assert_array_equal(found.empty[row], [True, True, False])
    assert (found.consumed[row, 2], found.spoiled[row, 2]) == (1, 1)


def test_a_shelf_that_was_emptied_long_ago_is_empty_still(books: Books) -> None:
    length = history.MOST_DAYS + 5
    used = np.zeros(length)
    used[:3] = 4
    used[3:] = np.nan
    books.live_through({BEKASI: used}, YESTERDAY)
    found = read(books)
    # Nothing of it lies within the days that are read, but the location is known.
    assert found is not None
    assert found.consumed.shape[1] == history.MOST_DAYS
    with books.database.read() as connection:
        asked = history.read(connection, COUNTRY, also=[BEKASI])
    assert asked is not None
    assert asked.empty.all()
