"""What the ABIS may do now, and until when, by the licences and the maintenance that are in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.inventory.contracts.contract import Contract, ContractKind, ContractState


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
    """The entitlement on ``day`` by the active ones of ``contracts``; where these are not enough, it tells of
    others that would be in force.

    Both a licence and maintenance must be in force. Ceilings of licences that are in force together add up;
    one licence without a ceiling has none for all. Coverage without a gap counts as one.
    """
    licences = [contract for contract in contracts if contract.kind is ContractKind.ABIS_LICENCE]
    maintenance = [contract for contract in contracts if contract.kind is ContractKind.MAINTENANCE]
    licence_until, maintenance_until = _covered(licences, day), _covered(maintenance, day)
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
    people, searches = _ceilings(licences, day)
    return Entitlement(
        day=day,
        allowed=allowed,
        max_people=people,
        max_searches_per_day=searches,
        until=until,
        licence_until=licence_until,
        maintenance_until=maintenance_until,
        reason=_granted(licences, day, until) if until else " ".join(gaps),
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


def _ceilings(licences: Sequence[Contract], day: date) -> tuple[int, int]:
    """People, and searches a day, by all licences in force on that day."""
    in_force = [contract for contract in licences if contract.valid_on(day)]
    people = [contract.max_people for contract in in_force]
    searches = [contract.max_searches_per_day for contract in in_force]
    return (0 if 0 in people else sum(people)), (0 if 0 in searches else sum(searches))


def _gap(name: str, contracts: Sequence[Contract], day: date) -> str:
    active = [contract for contract in contracts if contract.state is ContractState.ACTIVE]
    ended = [c.valid_until for c in active if c.valid_until is not None and c.valid_until < day]
    begins = [c.valid_from for c in active if c.valid_from is not None and c.valid_from > day]
    text = f"The last {name} ended on {max(ended)}" if ended else f"No {name} is in force"
    text += f"; the next begins on {min(begins)}." if begins else ", and none follows."
    return " ".join([text, *_idle(contracts, day)])


def _idle(contracts: Sequence[Contract], day: date) -> list[str]:
    """The newest contracts that would be in force if they were active."""
    idle = [
        contract
        for contract in contracts
        if contract.state is not ContractState.ACTIVE
        and replace(contract, state=ContractState.ACTIVE).valid_on(day)
    ]
    return [f"{contract.contract_id} is {contract.state}, not active." for contract in idle[-2:]]


def _granted(licences: Sequence[Contract], day: date, until: date) -> str:
    ceilings = _ceilings(licences, day)
    text = f"Licensed and maintained until {until}{_within(ceilings)}"
    for later in _steps(licences, day, until):
        if _ceilings(licences, later) != ceilings:
            return f"{text}, from {later} on{_within(_ceilings(licences, later)) or ' without a ceiling'}."
    return f"{text}."


def _steps(licences: Sequence[Contract], day: date, until: date) -> list[date]:
    """Days after ``day`` and up to ``until`` on which a licence begins, or is in force no more."""
    active = [licence for licence in licences if licence.state is ContractState.ACTIVE]
    begins = {c.valid_from for c in active if c.valid_from is not None}
    ends = {c.valid_until + timedelta(days=1) for c in active if c.valid_until and c.valid_until < date.max}
    return sorted(each for each in begins | ends if day < each <= until)


def _within(ceilings: tuple[int, int]) -> str:
    limits = [
        f"{number:,} {what}"
        for number, what in zip(ceilings, ("people", "searches a day"), strict=True)
        if number
    ]
    return f" for at most {' and '.join(limits)}" if limits else ""
