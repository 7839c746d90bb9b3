"""What was used, read back from closed days: amounts, and the days on which an empty shelf hid the demand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.clock import FixedClock
from services.inventory.ledger import days
from services.inventory.planning import history
from tests.inventory.inventory_office import BEKASI
from tests.inventory.planning_books import Books

YESTERDAY = date(2026, 3, 1)


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory without a past."""
    made = Books(database_url, clock, tmp_path)
    yield made
    made.database.dispose()


def read(books: Books, *also: str) -> history.Used:
    with books.database.read() as connection:
        closed = history.closed_days(connection)
        assert closed is not None
        return history.read(connection, closed, also)


def test_before_the_first_day_is_closed_there_is_no_history(books: Books) -> None:
    with books.database.read() as connection:
        assert history.closed_days(connection) is None


def test_amounts_and_empty_shelves_come_back_as_they_were_written(books: Books) -> None:
    bekasi = np.array([5, 0, 7, np.nan, np.nan, 3, 0, 2, np.nan, 4], float)
    depok = np.full(10, 1.0)
    books.live_through({BEKASI: bekasi, "32.76": depok, "33.74": depok}, YESTERDAY)
    found = read(books)
    assert (found.start, found.last) == (YESTERDAY - timedelta(9), YESTERDAY)
    assert found.locations == (BEKASI, "32.76", "33.74")
    np.testing.assert_array_equal(found.known, np.stack([bekasi, depok, depok]))


def test_days_before_the_first_stock_say_nothing_about_demand(books: Books) -> None:
    books.stock_up(100)
    books.night()
    books.night()
    books.ship(BEKASI, 10)
    books.print_card(BEKASI, "04AA000001")
    books.spoil(BEKASI)
    books.night()
    found = read(books)
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
    assert not found.locations
    assert found.consumed.shape[1] == history.MOST_DAYS
    assert read(books, BEKASI).empty.all()


def test_a_voided_card_counts_as_one_blank_on_the_day_it_was_made(books: Books) -> None:
    books.stock_up(100)
    books.ship(BEKASI, 50)
    made = books.print_card(BEKASI, "04AA000001")
    books.print_card(BEKASI, "04AA000002")
    books.close_day()
    books.void(made, "04AA000001")
    books.close_day()
    found = read(books)
    np.testing.assert_array_equal(found.known[0], [2, 0])
    np.testing.assert_array_equal(found.voided[0], [0, 1])
    # Of two blanks one stayed a card: that is spoilage of a half, not of a third.
    kept, lost = found.handled(365)
    assert (kept[0], lost[0]) == (1, 1)


def test_a_card_that_was_given_back_was_used_once_where_it_was_made(books: Books) -> None:
    books.stock_up(100)
    books.ship(BEKASI, 50)
    books.print_card(BEKASI, "04AA000001")
    books.close_day()
    for _ in range(2):
        books.take_back(books.withdraw("04AA000001", "32.76"))
        books.close_day()
    books.print_card(BEKASI, "04AA000002")
    books.close_day()
    found = read(books)
    assert found.locations == (BEKASI,)
    np.testing.assert_array_equal(found.known[0], [1, 0, 0, 1])
    assert found.handled(365)[0].tolist() == [2]


def test_what_arrives_damaged_was_not_used_where_it_arrived(books: Books) -> None:
    books.stock_up(100)
    books.ship(BEKASI, 10, damaged=4)
    books.print_card(BEKASI, "04AA000001")
    books.spoil(BEKASI)
    books.close_day()
    found = read(books)
    assert (found.known[0, 0], found.spoiled[0, 0]) == (2, 1)


def test_a_card_voided_in_the_last_second_of_a_day_belongs_to_that_day(books: Books) -> None:
    books.stock_up(100)
    books.ship(BEKASI, 50)
    made = books.print_card(BEKASI, "04AA000001")
    books.clock.advance(days.end_of(books.day()) - timedelta(microseconds=1) - books.clock.now())
    books.void(made, "04AA000001")
    books.close_day()
    found = read(books)
    np.testing.assert_array_equal(found.voided[0], [1])
    np.testing.assert_array_equal(found.known[0], [1])


def test_spoilage_that_is_taken_back_was_no_use(books: Books) -> None:
    books.stock_up(100)
    books.ship(BEKASI, 50)
    books.print_card(BEKASI, "04AA000001")
    books.close_day()
    wet = books.wet(BEKASI, 30)
    books.take_back(wet)
    books.print_card(BEKASI, "04AA000002")
    books.wet(BEKASI, 3)
    books.close_day()
    found = read(books)
    np.testing.assert_array_equal(found.known[0], [1, 4])


_STEPS = st.lists(st.sampled_from(["print", "spoil", "void", "withdraw", "give back", "night"]), max_size=25)


@given(steps=_STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_blank_is_used_once_whatever_becomes_of_it(
    steps: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    migrated_file: Callable[[str], Path],
    as_operator: None,
) -> None:
    directory = tmp_path_factory.mktemp("used")
    shutil.copyfile(migrated_file("services.inventory"), directory / "books.db")
    books = Books(
        f"sqlite:///{directory}/books.db", FixedClock(datetime(2026, 3, 2, 3, tzinfo=UTC)), directory
    )
    books.stock_up(60)
    books.ship(BEKASI, 40)
    out: list[tuple[int, str]] = []
    held: list[tuple[int, str, str]] = []
    used, kept, today = [0], 0, 0
    for number, step in enumerate([*steps, "night"]):
        chip = f"04AA{number:06}"
        if step == "print":
            out.append((books.print_card(BEKASI, chip), chip))
            kept += 1
        elif step == "spoil":
            books.spoil(BEKASI)
        elif step == "void" and out:
            books.void(*out.pop())
            kept -= 1
        elif step == "withdraw" and out:
            card = out.pop(0)
            held.append((*card, books.withdraw(card[1], "32.76")))
        elif step == "give back" and held:
            serial, uid, transfer = held.pop()
            books.take_back(transfer)
            out.append((serial, uid))
        elif step == "night":
            books.close_day()
            held.clear()  # what came back on an earlier day stays
            today += 1
            used.append(0)
        used[today] += step in {"print", "spoil"}
    found = read(books)
    books.database.dispose()
    if not found.locations:
        assert sum(used) == 0
        return
    assert found.locations == (BEKASI,)
    np.testing.assert_array_equal((found.consumed + found.spoiled)[0], used[:today])
    assert found.handled(365)[0][0] == kept
