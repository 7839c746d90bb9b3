"""Sites of events: places with stock and printers of their own for some days.

A card that a site prints comes out of the site's stock, wherever its holder lives: no home region pays for
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.location import Location


class SiteState(StrEnum):
    """Whether stock may be sent there."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Site:
    """A site from ``opens`` to ``closes``, both days included."""

    location: Location
    name: str
    opens: date
    closes: date
    state: SiteState
    opened_by: str
    open_time: datetime
    close_time: datetime | None = None


def require_site(location: Location) -> None:
    """Raises :class:`InvalidArgument` for a location that is no site."""
    if ":" not in location:
        raise InvalidArgument(
            "NOT_A_SITE",
            f"{location} is no site.",
            field="location",
            remedy="A site is written with its regency, 31.71:jakarta-fair.",
        )


def exists(location: Location) -> AlreadyExists:
    """The refusal to open a site twice."""
    return AlreadyExists(
        "SITE_EXISTS",
        f"The site {location} was opened before.",
        field="location",
        remedy="Give this event a code of its own.",
    )


def unknown(location: str) -> NotFound:
    """The refusal of a site that was never opened."""
    return NotFound(
        "SITE_UNKNOWN", f"There is no site {location}.", field="location", remedy="Open it with OpenSite."
    )


def closed(location: Location, field: str) -> FailedPrecondition:
    """The refusal to send stock to a site that has closed."""
    return FailedPrecondition(
        "SITE_CLOSED",
        f"The site {location} has closed.",
        field=field,
        remedy="Nothing is sent, counted or set aside there any more. Name another location; an event that "
        "goes on gets a code of its own with OpenSite.",
        metadata={"location": location},
    )


def still_lends(location: Location, loan_ids: Sequence[str]) -> FailedPrecondition:
    """The refusal to close a site that will be owed what is under way from it."""
    return FailedPrecondition(
        "SITE_STILL_LENDS",
        f"What the site {location} lent is not settled yet: loan {', '.join(loan_ids)}.",
        field="location",
        remedy="Let the borrower confirm what arrived and give it back (ListLoans); then close the site.",
        metadata={"loans": ",".join(loan_ids)},
    )


def not_empty(location: Location, left: dict[str, int]) -> FailedPrecondition:
    """The refusal to close a site that still has stock."""
    text = ", ".join(f"{quantity} {code.removeprefix(location + '/')}" for code, quantity in left.items())
    return FailedPrecondition(
        "SITE_NOT_EMPTY",
        f"The site {location} still has {text}.",
        field="location",
        remedy="Send stock back, have scrap destroyed or conveyed elsewhere, give loans back; then close it.",
        metadata={code: str(quantity) for code, quantity in left.items()},
    )
