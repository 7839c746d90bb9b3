"""Blanks that became cards, in the order of their chips: of a span by its index, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import inventory_pb2

from services.common.clock import FixedClock
from services.common.spans import Span
from services.inventory.exchange import card_blanks
from services.inventory.exchange.store import ExchangeStore
from services.inventory.exchange.store import Span as Days
from services.inventory.location import CENTRE
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books

SITE = f"{BEKASI}:mall-01"
UIDS = ("04FF000001", "04AA000002", "04CC000003", "04BB000004")


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """Four cards, an hour after each other: at the counter, at the mall, in Salatiga, at the counter."""
    made = Books(database_url, clock, tmp_path)
    made.stock_up(100)
    for place in (BEKASI, SITE, "33.74"):
        made.ship(place, 10)
    for place, uid in zip((BEKASI, SITE, "33.74", BEKASI), UIDS, strict=True):
        made.print_card(place, uid)
        clock.advance(timedelta(hours=1))
    made.spoil(BEKASI)
    yield made
    made.database.dispose()


def chips(books: Books, span: Span, after: str = "") -> list[str]:
    with books.database.read() as connection:
        return [each.chip_uid for part in card_blanks.of_span(connection, span, after) for each in part]


def hours(books: Books, ago: int) -> datetime:
    return books.clock.now() - timedelta(hours=ago)


def test_cards_come_in_the_order_of_their_chips_and_go_on_behind_any(books: Books) -> None:
    assert chips(books, Span()) == sorted(UIDS)
    assert chips(books, Span(), after=sorted(UIDS)[1]) == sorted(UIDS)[2:]
    since = Span(start=hours(books, 4))
    assert chips(books, since) == sorted(UIDS)
    assert chips(books, since, after=sorted(UIDS)[1]) == sorted(UIDS)[2:]


def test_a_span_has_its_beginning_and_not_its_end(books: Books) -> None:
    assert chips(books, Span(start=hours(books, 3), end=hours(books, 1))) == sorted(UIDS[1:3])


def test_a_region_has_its_sites_and_a_site_only_itself(books: Books) -> None:
    for span in (Span(BEKASI), Span(BEKASI, start=hours(books, 5)), Span("32")):
        assert chips(books, span) == sorted((UIDS[0], UIDS[1], UIDS[3]))
    assert chips(books, Span(SITE)) == [UIDS[1]]
    assert chips(books, Span("ID")) == sorted(UIDS)


def test_chips_are_found_whenever_they_were_booked(books: Books) -> None:
    with books.database.read() as connection:
        found = card_blanks.of_chips(connection, ["04FF000001", "04EE999999", "04AA000002"])
    assert [(each.chip_uid, each.location) for each in found] == [(UIDS[1], SITE), (UIDS[0], BEKASI)]


def test_a_blank_that_broke_with_a_chip_in_it_is_no_card(books: Books) -> None:
    broken = books.reserve(BEKASI)
    books.send(
        inventory_pb2.SpoilBlankRequest(
            request_id=new_id(), reservation_id=broken.reservation_id, reason="bent", chip_uid="04DD000005"
        )
    )
    for span in (Span(), Span(start=hours(books, 9))):
        assert chips(books, span) == sorted(UIDS)
    with books.database.read() as connection:
        assert card_blanks.of_chips(connection, ["04DD000005"]) == []


def test_a_blank_that_was_held_in_vain_before_is_one_card(books: Books) -> None:
    given_back = books.reserve(BEKASI)
    books.send(
        inventory_pb2.ReleaseBlankRequest(
            request_id=new_id(), reservation_id=given_back.reservation_id, reason="applicant left"
        )
    )
    assert books.print_card(BEKASI, "04DD000005") == given_back.serial
    assert chips(books, Span()).count("04DD000005") == 1


def test_a_card_that_came_back_says_why_until_its_holder_has_it_again(books: Books) -> None:
    def told() -> str:
        with books.database.read() as connection:
            (card,) = card_blanks.of_chips(connection, [UIDS[0]])
        return card.withdrawn

    assert told() == ""
    taken = books.withdraw(UIDS[0], BEKASI)
    assert told() == "FOUND"
    books.take_back(taken)
    assert told() == ""


def test_a_day_is_found_by_the_index_of_time(books: Books) -> None:
    if books.database.dialect != "sqlite":
        pytest.skip("PostgreSQL chooses by the numbers of rows")
    seen: list[tuple[str, object]] = []
    listener = (books.database.engine, "before_cursor_execute")
    sa.event.listen(*listener, lambda _c, _k, text, parameters, *_: seen.append((text, parameters)))
    chips(books, Span(start=hours(books, 3), end=hours(books, 1)))
    with books.database.read() as connection:
        ExchangeStore(connection).used_blanks(Days(CENTRE, first=books.day(), last=books.day()), None, 10)
    asked = [(text, parameters) for text, parameters in seen if "reservation" in text]
    assert len(asked) == 2
    with books.database.read() as connection:
        for text, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)  # type: ignore[arg-type]
            assert any("reservation_by_end" in row.detail for row in plan), text
