"""A region and a span of time, as requests name them and as tables are asked for them.

Services know moments only: which moments make a day of the country's accounts is known to whoever asks
(``docs/adr/0006-one-national-day.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message

from services.common.moments import moment, require_ordered
from services.common.regions import in_region


@dataclass(frozen=True)
class Span:
    """A region with all below it (empty or ``ID`` for the country), from a moment on and before another one
    (``None`` for open).
    """

    region: str = ""
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(cls, request: Message) -> Span:
        """What a request with ``location``, ``start_time`` and ``end_time`` asks for; raises
        :class:`InvalidArgument` for moments that are none, and for an end before the start.
        """
        region: str = getattr(request, "location")  # noqa: B009
        start, end = moment(request, "start_time"), moment(request, "end_time")
        require_ordered(start, end, ("start_time", "end_time"))
        return cls(region, start, end)

    @property
    def is_open(self) -> bool:
        """Whether it has neither beginning nor end."""
        return self.start is None and self.end is None

    def has_moment(self, column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
        """Conditions: the moment is in the span; nothing where the span is open."""
        wanted: list[sa.ColumnElement[bool]] = []
        if self.start is not None:
            wanted.append(column >= self.start)
        if self.end is not None:
            wanted.append(column < self.end)
        return wanted

    def has_place(self, column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
        """Conditions: the place is the region or below it; nothing for the country."""
        return in_region(column, self.region)
