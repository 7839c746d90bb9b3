"""Moments and spans of them as messages carry them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import overload

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import InvalidArgument


@overload
def timestamp(moment: datetime) -> Timestamp: ...


@overload
def timestamp(moment: None) -> None: ...


@overload
def timestamp(moment: datetime | None) -> Timestamp | None: ...


def timestamp(moment: datetime | None) -> Timestamp | None:
    """An aware moment as a message; absent for ``None``."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def moment(request: Message, field: str) -> datetime | None:
    """The timestamp of that field in UTC, ``None`` where it is absent; raises :class:`InvalidArgument`."""
    if not request.HasField(field):
        return None
    stamp: Timestamp = getattr(request, field)
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument(
            "TIME_MALFORMED", "The timestamp is out of range.", field=field, remedy="Send a real moment."
        ) from None


def require_ordered(first: date | None, last: date | None, names: tuple[str, str]) -> None:
    """Raises :class:`InvalidArgument` for a span of days or moments that ends before it begins, in which
    nothing can be found; ``names`` are those of its ends. ``None`` is an open end.
    """
    if first is not None and last is not None and last < first:
        raise InvalidArgument(
            "SPAN_REVERSED",
            f"{last} is before {first}.",
            field=names[1],
            remedy=f"Swap {names[0]} and {names[1]}.",
        )
