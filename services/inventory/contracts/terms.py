"""What the terms of a contract must be, by its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.common.errors import InvalidArgument
from services.inventory.contracts.contract import DELIVERING, Contract, ContractKind, Due
from services.inventory.ledger.entries import BLANK

_OF_BLANKS: Final = "Blanks have contracts of the kind blanks, other items those of the kind consumables."


def check_terms(contract: Contract, dues: Sequence[Due]) -> None:
    """Raises :class:`InvalidArgument` when the terms of a contract do not fit its kind or each other."""
    if contract.kind in DELIVERING:
        _check_delivering(contract)
    else:
        _check_valid_for_a_time(contract)
    limited = contract.max_people or contract.max_searches_per_day
    if limited and contract.kind is not ContractKind.ABIS_LICENCE:
        raise _misfit(
            "max_people" if contract.max_people else "max_searches_per_day",
            "Only a licence of the ABIS has ceilings.",
            "Leave the ceilings out.",
        )
    if contract.valid_from and contract.valid_until and contract.valid_until < contract.valid_from:
        raise InvalidArgument(
            "VALIDITY_REVERSED",
            f"The contract ends on {contract.valid_until}, before it begins on {contract.valid_from}.",
            field="terms.valid_until",
            remedy="Send the first day as valid_from and the last one as valid_until.",
        )
    promised = sum(due.quantity for due in dues)
    if promised > contract.quantity:
        raise InvalidArgument(
            "MORE_DUE_THAN_CONTRACTED",
            f"{promised} units are due by delivery dates, but {contract.quantity} are contracted.",
            field="deliveries",
            remedy="Let the deliveries add up to the quantity or less; an amendment may change both.",
        )


def _check_delivering(contract: Contract) -> None:
    if not contract.quantity:
        raise _misfit(
            "quantity",
            f"A contract of the kind {contract.kind} needs a quantity.",
            "Send how many units the supplier owes.",
        )
    if contract.item is None:
        raise _misfit("item", f"A contract of the kind {contract.kind} needs an item.", _OF_BLANKS)
    if (contract.item == BLANK) != (contract.kind is ContractKind.BLANKS):
        raise _misfit(
            "item", f"A contract of the kind {contract.kind} delivers no {contract.item}.", _OF_BLANKS
        )


def _check_valid_for_a_time(contract: Contract) -> None:
    for term, given in (("quantity", contract.quantity), ("item", contract.item)):
        if given:
            raise _misfit(
                term,
                f"A contract of the kind {contract.kind} delivers nothing.",
                f"Leave {term} out: licences and maintenance are valid for a time.",
            )
    if contract.valid_until is None:
        raise InvalidArgument(
            "VALIDITY_MISSING",
            f"A contract of the kind {contract.kind} needs the last day of its validity.",
            field="terms.valid_until",
            remedy="Send valid_until as the contract has it.",
        )


def _misfit(term: str, message: str, remedy: str) -> InvalidArgument:
    return InvalidArgument("TERMS_DO_NOT_FIT", message, field=f"terms.{term}", remedy=remedy)
