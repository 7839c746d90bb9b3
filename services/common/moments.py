"""Moments as messages carry them."""

from __future__ import annotations

from datetime import UTC, datetime
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
