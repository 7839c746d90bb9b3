"""Amendments: which terms of a contract may change, how that is written, and what no amendment may do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from services.common.errors import FailedPrecondition, InvalidArgument
from services.inventory.contracts.contract import Contract, ContractState, Due
from services.inventory.contracts.terms import check_terms
from services.inventory.fields import named

_MOST_UNITS: Final = 10**9
_MOST_DELIVERIES: Final = 500


def _number(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > most:
            raise ValueError(text)
        return int(text)

    return read


def _day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _dues(text: str) -> list[Due]:
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        day, _, units = part.partition(":")
        found.append(Due(_day(day), _number(_MOST_UNITS)(units)))
    if len(found) > _MOST_DELIVERIES or not all(due.quantity for due in found):
        raise ValueError(text)
    return sorted(found, key=lambda due: due.day)


_DELIVERIES: Final = "deliveries"

#: What an amendment may change, and how its text is read; the limits are those of a draft.
TERMS: Final[dict[str, Callable[[str], Any]]] = {
    "quantity": _number(_MOST_UNITS),
    "price": _number(10**15),
    "valid_from": _day,
    "valid_until": _day,
    "max_people": _number(_MOST_UNITS),
    "max_searches_per_day": _number(_MOST_UNITS),
    _DELIVERIES: _dues,
}


def amended(
    contract: Contract, dues: Sequence[Due], terms: Mapping[str, str], today: date
) -> tuple[Contract, list[Due]]:
    """The contract and its due deliveries with new terms.

    Raises :class:`InvalidArgument` for a term or a value that is none or does not fit,
    :class:`FailedPrecondition` for less than was delivered and for an end that has passed.
    """
    values = {name: _read(name, text) for name, text in terms.items()}
    new_dues: list[Due] = values.pop(_DELIVERIES, list(dues))
    after = replace(contract, **values)
    with named("terms"):
        check_terms(after, new_dues)
    if contract.state is ContractState.ACTIVE:
        if after.quantity < contract.delivered:
            raise delivered_already(contract.delivered)
        _require_in_force(contract, after, today)
    return after, new_dues


def stated(contract: Contract, dues: Sequence[Due], names: Iterable[str]) -> dict[str, str]:
    """What these terms are now, as an amendment would write them; a day that is open is empty."""
    known: dict[str, Any] = {
        **vars(contract),
        _DELIVERIES: ",".join(f"{due.day}:{due.quantity}" for due in dues),
    }
    return {name: "" if known[name] is None else str(known[name]) for name in names}


def delivered_already(delivered: int) -> FailedPrecondition:
    """The refusal of a quantity below what came."""
    return FailedPrecondition(
        "DELIVERED_ALREADY",
        f"{delivered} units were delivered already.",
        field="terms",
        remedy="Amend the quantity to no less than what was delivered.",
        metadata={"delivered": str(delivered)},
    )


def _read(name: str, text: str) -> Any:
    try:
        return TERMS[name](text)
    except (KeyError, ValueError):
        raise InvalidArgument(
            "TERMS_MALFORMED",
            f"An amendment cannot set {name} to {text!r}.",
            field="terms",
            remedy=f"It may change {', '.join(TERMS)}; numbers in digits, days as 2017-12-31, deliveries as "
            "2017-04-30:3000000,2017-06-30:4000000.",
        ) from None


def _require_in_force(before: Contract, after: Contract, today: date) -> None:
    """An amendment looks ahead: what was done under the contract was done under it."""
    ends = after.valid_until if after.valid_until != before.valid_until else None
    stopped = before.valid_on(today) and not after.valid_on(today)
    if stopped or (ends is not None and ends < today):
        raise FailedPrecondition(
            "OUT_OF_FORCE",
            f"Contract {before.contract_id} would be out of force on {today}, the day of the amendment.",
            field="terms",
            remedy="Terminate it to end it at once, or let the amended validity include today.",
            metadata={"today": today.isoformat()},
        )
