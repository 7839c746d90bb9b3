"""The refusal to take back alone what takes two people."""

from __future__ import annotations

from collections.abc import Mapping

from services.common.errors import FailedPrecondition


def needs_two(message: str, field: str, metadata: Mapping[str, str]) -> FailedPrecondition:
    """``message`` says why, ``field`` is the request's field that names it."""
    return FailedPrecondition(
        "REVERSAL_NEEDS_TWO",
        message,
        field=field,
        remedy="Propose it with ProposeReversal (tunggal reversal propose); somebody else approves.",
        metadata=metadata,
    )
