"""What the ABIS may do now, and until when, by the licences and the maintenance that are in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.inventory.contract import Contract, ContractKind


@dataclass(frozen=True)
class Entitlement:
    """Whether the ABIS may deduplicate on ``day``, within which ceilings, until the end of which day, and
    why. Ceilings of 0 are no ceilings; ``until`` is ``None`` while it may not.
    """

    day: date
    allowed: bool
    max_people: int
    max_searches_per_day: int
    until: date | None
    licence_until: date | None
    maintenance_until: date | None
    reason: str
    contracts: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """How many people the ABIS had in its gallery at a moment, by its own report."""

    people: int
    time: datetime


def entitlement(contracts: Sequence[Contract], day: date) -> Entitlement:
    """The entitlement on ``day`` by active ``contracts``.

    Both a licence and maintenance must be in force. Ceilings of licences that are in force together add up;
    one licence without a ceiling has none for all. Coverage without a gap counts as one.
    """
    licences = [contract for contract in contracts if contract.kind is ContractKind.ABIS_LICENCE]
    maintenance = [contract for contract in contracts if contract.kind is ContractKind.MAINTENANCE]
    licence_until, maintenance_until = _covered(licences, day), _covered(maintenance, day)
    in_force = [contract for contract in licences if contract.valid_on(day)]
    gaps = [
        _gap(name, found, day)
        for name, found, until in (
            ("ABIS licence", licences, licence_until),
            ("maintenance contract", maintenance, maintenance_until),
        )
        if until is None
    ]
    allowed = not gaps
    until = min(licence_until, maintenance_until) if licence_until and maintenance_until else None
    people = _ceiling([contract.max_people for contract in in_force])
    searches = _ceiling([contract.max_searches_per_day for contract in in_force])
    return Entitlement(
        day=day,
        allowed=allowed,
        max_people=people,
        max_searches_per_day=searches,
        until=until,
        licence_until=licence_until,
        maintenance_until=maintenance_until,
        reason=_granted(people, searches, until) if allowed else " ".join(gaps),
        contracts=tuple(
            contract.contract_id for contract in (*licences, *maintenance) if contract.valid_on(day)
        ),
    )


def _covered(contracts: Sequence[Contract], day: date) -> date | None:
    """The last day until which ``contracts`` cover every day from ``day`` on; ``None`` when not even it."""
    covered: date | None = None
    while True:
        next_day = day if covered is None else covered + timedelta(days=1)
        ends = [c.valid_until or date.max for c in contracts if c.valid_on(next_day)]
        if not ends:
            return covered
        covered = max(ends)
        if covered == date.max:
            return covered


def _ceiling(ceilings: Sequence[int]) -> int:
    return 0 if 0 in ceilings else sum(ceilings)


def _gap(name: str, contracts: Sequence[Contract], day: date) -> str:
    ended = [c.valid_until for c in contracts if c.valid_until is not None and c.valid_until < day]
    begins = [c.valid_from for c in contracts if c.valid_from is not None and c.valid_from > day]
    text = f"The last {name} ended on {max(ended)}" if ended else f"No {name} is in force"
    return text + (f"; the next begins on {min(begins)}." if begins else ", and none follows.")


def _granted(people: int, searches: int, until: date | None) -> str:
    limits = [
        f"{number:,} {what}" for number, what in ((people, "people"), (searches, "searches a day")) if number
    ]
    within = f" for at most {' and '.join(limits)}" if limits else ""
    return f"Licensed and maintained until {until}{within}."
