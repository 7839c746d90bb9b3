"""Amendments: which terms of a contract may change, and how their new values are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from services.common.errors import InvalidArgument
from services.inventory.contract import Contract

#: What an amendment may change, and how its text is read.
TERMS: dict[str, Callable[[str], Any]] = {
    "quantity": int,
    "price": int,
    "valid_from": date.fromisoformat,
    "valid_until": date.fromisoformat,
    "max_people": int,
    "max_searches_per_day": int,
}
_MOST = 10**15


def amended(contract: Contract, terms: Mapping[str, str]) -> Contract:
    """The contract with new terms; raises :class:`InvalidArgument` for a term or a value that is none."""
    values = {}
    for name, text in terms.items():
        try:
            values[name] = TERMS[name](text)
            fits = not isinstance(values[name], int) or 0 <= values[name] < _MOST
        except (KeyError, ValueError):
            fits = False
        if not fits or not re.fullmatch(r"[0-9-]+", text):
            raise InvalidArgument(
                "TERMS_MALFORMED",
                f"An amendment cannot set {name} to {text!r}.",
                field="terms",
                remedy=f"It may change {', '.join(TERMS)}; numbers in digits, days as 2017-12-31.",
            )
    return replace(contract, **values)
