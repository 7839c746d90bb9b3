"""What the adapters of all services of the inventory share: booking, reading, pages, days, times, serials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from tunggal.inventory.v1 import stock_pb2

from services.common import paging
from services.common.db import Database
from services.common.errors import InvalidArgument
from services.common.identity import caller
from services.common.moments import moment, require_ordered
from services.inventory.desk import Desk
from services.inventory.fields import named
from services.inventory.journal import Journal
from services.inventory.ledger.serials import SerialRange
from services.inventory.records import Page
from services.inventory.store import Store

E = TypeVar("E", bound=StrEnum)
R = TypeVar("R", bound=Message)

#: Who may call what, as SPIFFE paths.
OPERATORS = frozenset({"operator/*"})
CARD_STATIONS = frozenset({"service/cardperso", "operator/*"})
READERS = frozenset({"service/*", "operator/*"})


class Adapter:
    """Books requests through the journal and reads from a snapshot."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    def _book(
        self,
        context: grpc.ServicerContext,
        request: Any,
        response_type: type[R],
        work: Callable[[Desk], tuple[R, str]],
    ) -> R:
        """The answer of ``work`` or, to a repeated request, the first one."""
        return self._journal.book(self._caller(context), request, response_type, work)

    def _caller(self, context: grpc.ServicerContext) -> str:
        """Who calls; what is called without a network says it in another way."""
        return caller(context)

    def _past(self, request: Message, field: str) -> datetime | None:
        """The moment that a request asks about, ``None`` for now; raises :class:`InvalidArgument` for one of
        which nothing can be known yet.
        """
        asked = moment(request, field)
        if asked is not None:
            self._journal.clocks.require_past(asked, field)
        return asked

    @contextmanager
    def _read(self) -> Iterator[Store]:
        with self._database.read() as connection:
            yield Store(connection)


def by_number(numbers: Mapping[E, int]) -> dict[int, E]:
    """The values of an enumeration by the numbers that messages have for them."""
    return {int(number): value for value, number in numbers.items()}


def after(page_token: str) -> int:
    """Where the page that the token asks for begins."""
    position = paging.decode_token(page_token).get("after", 0)
    if not isinstance(position, int) or not 0 <= position < 1 << 63:
        raise _broken_token()
    return position


def after_moment(page_token: str) -> tuple[datetime, int] | None:
    """Where the page begins in a list that is ordered by moments and numbers; ``None`` for the first."""
    number = after(page_token)
    if not page_token:
        return None
    try:
        begin = datetime.fromisoformat(paging.decode_token(page_token)["time"])
    except (KeyError, TypeError, ValueError):
        raise _broken_token() from None
    if begin.tzinfo is None:
        raise _broken_token()
    return begin, number


def token_of_moment(behind: tuple[datetime, int] | None) -> str:
    """The token of the page that begins ``behind`` a moment and a number; empty at the end."""
    if behind is None:
        return ""
    begin, number = behind
    return paging.encode_token({"after": number, "time": begin.isoformat()})


def _broken_token() -> InvalidArgument:
    return InvalidArgument(
        "PAGE_TOKEN_BROKEN",
        "The page token was not made by this service.",
        field="page_token",
        remedy="Send next_page_token of the previous answer unchanged, or nothing to start again.",
    )


def token(page: Page[Any]) -> str:
    """The token of the page after this one; empty at the end."""
    return "" if page.next_after is None else paging.encode_token({"after": page.next_after})


def day(text: str, field: str) -> date:
    """The day that ``text`` writes; raises :class:`InvalidArgument` for one that the calendar lacks."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            "DAY_MALFORMED", f"{text!r} is no day.", field=field, remedy="Write it as 2017-03-31."
        ) from None


def day_or_none(text: str, field: str) -> date | None:
    """The day, or ``None`` for an empty text."""
    return day(text, field) if text else None


def days_between(request: Any) -> tuple[date | None, date | None]:
    """The days from ``first_day`` to ``last_day`` of a request, ``None`` for an open end; raises
    :class:`InvalidArgument` for days that are none or in the wrong order.
    """
    first = day_or_none(request.first_day, "first_day")
    last = day_or_none(request.last_day, "last_day")
    require_ordered(first, last, ("first_day", "last_day"))
    return first, last


def ranges(serials: Iterable[stock_pb2.SerialRange], field: str = "serials") -> list[SerialRange]:
    """Serial ranges of a request; raises :class:`InvalidArgument` for one that ends before it begins."""
    found = []
    for number, given in enumerate(serials):
        with named(f"{field}[{number}].last"):
            found.append(SerialRange(given.first, given.last))
    return found
