"""What the ABIS may do, at the edges of contracts: last days, gaps, overlaps, ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.contracts.contract import Contract, ContractKind, ContractState
from services.inventory.contracts.entitlement import entitlement

DAY = date(2026, 3, 2)
FAR = date(2030, 12, 31)


def contract(kind: ContractKind, first: date | None, last: date | None, **terms: Any) -> Contract:
    made = Contract("C", "PT", 0, datetime(2026, 1, 1, tzinfo=UTC), kind=kind, item=None)
    return replace(made, contract_id=f"{kind}-{last}", valid_from=first, valid_until=last, **terms)


def licence(first: date | None, last: date | None, **terms: Any) -> Contract:
    return contract(ContractKind.ABIS_LICENCE, first, last, **terms)


def maintenance(first: date | None, last: date | None) -> Contract:
    return contract(ContractKind.MAINTENANCE, first, last)


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


def test_the_first_day_and_the_last_day_count() -> None:
    held = [licence(day(0), day(5)), maintenance(None, FAR)]
    assert [entitlement(held, day(n)).allowed for n in (-1, 0, 5, 6)] == [False, True, True, False]
    assert entitlement(held, day(5)).until == day(5)
    assert entitlement(held, day(6)).reason == f"The last ABIS licence ended on {day(5)}, and none follows."


def test_one_day_between_two_contracts_is_a_gap() -> None:
    held = [licence(None, day(5)), licence(day(7), day(9)), maintenance(None, FAR)]
    assert entitlement(held, day(0)).until == day(5)
    closed = entitlement(held, day(6))
    assert not closed.allowed
    assert closed.reason == f"The last ABIS licence ended on {day(5)}; the next begins on {day(7)}."
    assert entitlement(held, day(7)).until == day(9)
    touching = [licence(None, day(5)), licence(day(6), day(9)), maintenance(None, FAR)]
    assert entitlement(touching, day(0)).until == day(9)


def test_a_ceiling_that_falls_before_the_end_is_told() -> None:
    """Of two licences that add up one ends first: until the end of the other, but not for as many."""
    held = [
        licence(None, day(9), max_people=100, max_searches_per_day=10),
        licence(None, day(5), max_people=50, max_searches_per_day=10),
        maintenance(None, day(20)),
    ]
    found = entitlement(held, day(0))
    assert (found.max_people, found.max_searches_per_day, found.until) == (150, 20, day(9))
    assert found.reason == (
        f"Licensed and maintained until {day(9)} for at most 150 people and 20 searches a day, "
        f"from {day(6)} on for at most 100 people and 10 searches a day."
    )
    after = entitlement(held, day(6))
    assert (after.max_people, after.reason) == (
        100,
        f"Licensed and maintained until {day(9)} for at most 100 people and 10 searches a day.",
    )


def test_a_licence_without_a_ceiling_lifts_that_of_all() -> None:
    held = [licence(None, day(9), max_people=100), licence(day(3), day(9)), maintenance(None, FAR)]
    assert entitlement(held, day(0)).max_people == 100
    assert entitlement(held, day(0)).reason.endswith(f"100 people, from {day(3)} on without a ceiling.")
    assert entitlement(held, day(3)).max_people == 0


@pytest.mark.parametrize("state", [state for state in ContractState if state is not ContractState.ACTIVE])
def test_only_what_is_active_entitles(state: ContractState) -> None:
    held = [replace(licence(None, FAR), state=state), maintenance(None, FAR)]
    assert not entitlement(held, DAY).allowed


def test_a_contract_that_would_count_if_it_were_active_is_told() -> None:
    ended = replace(licence(None, FAR), contract_id="ABIS-1", state=ContractState.TERMINATED)
    waits = replace(maintenance(day(-5), FAR), contract_id="ATS-2", state=ContractState.SIGNED)
    later = replace(maintenance(day(3), FAR), contract_id="ATS-3", state=ContractState.SIGNED)
    found = entitlement([ended, waits, later, maintenance(None, day(-6))], DAY)
    assert not found.allowed
    assert found.reason == (
        "No ABIS licence is in force, and none follows. ABIS-1 is terminated, not active. "
        f"The last maintenance contract ended on {day(-6)}, and none follows. ATS-2 is signed, not active."
    )
    assert entitlement([ended, licence(None, day(9)), maintenance(None, day(8))], DAY).reason == (
        f"Licensed and maintained until {day(8)}."
    )


def test_the_last_day_of_the_calendar_is_the_end() -> None:
    held = [licence(None, date.max), maintenance(None, date.max)]
    assert entitlement(held, DAY).until == date.max


@given(
    spans=st.lists(
        st.tuples(st.sampled_from(ContractKind), st.integers(0, 30), st.integers(0, 12)), max_size=8
    ),
    at=st.integers(0, 40),
)
def test_until_is_the_last_day_of_the_unbroken_run_of_days_allowed(
    spans: list[tuple[ContractKind, int, int]], at: int
) -> None:
    held = [contract(kind, day(first), day(first + length)) for kind, first, length in spans]

    def covered(n: int) -> bool:
        kinds = {kind for kind, first, length in spans if first <= n <= first + length}
        return {ContractKind.ABIS_LICENCE, ContractKind.MAINTENANCE} <= kinds

    last = at
    while covered(last + 1):
        last += 1
    found = entitlement(held, day(at))
    assert found.allowed == covered(at)
    assert found.until == (day(last) if covered(at) else None)
