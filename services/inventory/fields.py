"""Which field of a request a refusal is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.common.errors import FieldViolation, TunggalError


@contextmanager
def named(field: str) -> Iterator[None]:
    """Whatever is refused within is about ``field``: who approves a proposal sends none of the fields that it
    was made of, and part of a request has its fields under the name of the part.
    """
    try:
        yield
    except TunggalError as refusal:
        if refusal.field is not None:
            refusal.field = field
            refusal.violations = (FieldViolation(field, refusal.message, refusal.reason),)
        raise
