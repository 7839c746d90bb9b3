"""Each kind of contract keeps to its own terms, in a draft and in an amendment."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.inventory.contracts.amendment import amended
from services.inventory.contracts.contract import Contract, ContractKind, Due
from services.inventory.contracts.terms import check_terms

TODAY = date(2026, 3, 2)
END = date(2026, 12, 31)


def contract(kind: ContractKind, **terms: Any) -> Contract:
    values = {"quantity": 0, "item": None, "create_time": datetime(2026, 3, 2, tzinfo=UTC), **terms}
    return Contract("C-1", "PT Sidik Jari", kind=kind, **values)


BLANKS = contract(ContractKind.BLANKS, quantity=1000, item="blank")


@pytest.mark.parametrize(
    "sound",
    [
        BLANKS,
        contract(ContractKind.CONSUMABLES, quantity=5, item="ribbon"),
        contract(ContractKind.MAINTENANCE, valid_until=END),
        contract(ContractKind.ABIS_LICENCE, valid_until=END, max_people=5, max_searches_per_day=7),
    ],
)
def test_each_kind_has_terms_of_its_own(sound: Contract) -> None:
    check_terms(sound, ())


@pytest.mark.parametrize("kind", [ContractKind.MAINTENANCE, ContractKind.ABIS_LICENCE])
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"quantity": 5}, "terms.quantity"),
        ({"item": "blank"}, "terms.item"),
        ({"item": "blank", "quantity": 5}, "terms.quantity"),
        ({"valid_until": None}, "terms.valid_until"),
        ({"valid_until": END, "valid_from": date(2027, 1, 1)}, "terms.valid_until"),
    ],
)
def test_what_is_valid_for_a_time_delivers_nothing(
    kind: ContractKind, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as error:
        check_terms(contract(kind, **{"valid_until": END, **given}), ())
    assert error.value.field == field
    assert error.value.remedy


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (ContractKind.CONSUMABLES, {"item": "blank", "quantity": 5}, "terms.item"),
        (ContractKind.CONSUMABLES, {"quantity": 5}, "terms.item"),
        (ContractKind.CONSUMABLES, {"item": "film"}, "terms.quantity"),
        (ContractKind.BLANKS, {"item": "ribbon", "quantity": 5}, "terms.item"),
        (ContractKind.BLANKS, {"quantity": 5}, "terms.item"),
        (ContractKind.BLANKS, {"item": "blank"}, "terms.quantity"),
        (ContractKind.BLANKS, {"item": "blank", "quantity": 5, "max_people": 1}, "terms.max_people"),
        (
            ContractKind.CONSUMABLES,
            {"item": "film", "quantity": 5, "max_searches_per_day": 1},
            "terms.max_searches_per_day",
        ),
    ],
)
def test_what_is_delivered_is_named_and_blanks_have_contracts_of_their_own(
    kind: ContractKind, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as error:
        check_terms(contract(kind, **given), ())
    assert (error.value.reason, error.value.field) == ("TERMS_DO_NOT_FIT", field)


@pytest.mark.parametrize(
    "changed",
    [
        {"quantity": "1000000001"},
        {"price": "1000000000000001"},
        {"price": "9" * 5000},
        {"price": "1_000"},
        {"price": "\u0661\u0662"},
        {"valid_until": "20271231"},
        {"valid_until": "2027-02-29"},
        {"currency": "USD"},
        {"deliveries": "2026-05-31"},
        {"deliveries": "2026-05-31:0"},
        {"deliveries": "31-05-2026:10"},
        {"deliveries": "2026-05-31:10;2026-06-30:10"},
        {"deliveries": ",".join(["2026-05-31:1"] * 501)},
    ],
)
def test_an_amendment_keeps_to_the_limits_of_a_draft(changed: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as error:
        amended(BLANKS, (), changed, TODAY)
    assert (error.value.reason, error.value.field) == ("TERMS_MALFORMED", "terms")


def test_an_amendment_changes_what_it_names_and_nothing_else() -> None:
    dues = [Due(date(2026, 5, 31), 400)]
    after, same = amended(BLANKS, dues, {"quantity": "1500", "price": "7"}, TODAY)
    assert (after.quantity, after.price, after.item, same) == (1500, 7, "blank", dues)
    after, others = amended(BLANKS, dues, {"deliveries": "2026-07-01:2, 2026-06-01:1"}, TODAY)
    assert (after, others) == (BLANKS, [Due(date(2026, 6, 1), 1), Due(date(2026, 7, 1), 2)])


def test_what_is_not_yet_in_force_may_begin_later_still() -> None:
    coming = contract(ContractKind.MAINTENANCE, valid_from=date(2026, 6, 1), valid_until=END)
    after, _ = amended(coming, (), {"valid_from": "2026-07-01"}, TODAY)
    assert after.valid_from == date(2026, 7, 1)
