"""Answers for programs: counts are numbers, texts stay texts, zeros are there."""

from __future__ import annotations

import json

from tunggal.inventory.v1 import contracts_pb2, inventory_pb2, planning_pb2, stock_pb2

from cli.answers import to_json, to_plain


def test_counts_of_64_bits_are_numbers_wherever_they_are() -> None:
    file = contracts_pb2.ContractFile(
        contract_id="7000000",
        terms=contracts_pb2.ContractTerms(quantity=7_000_000, price=10**15),
        deliveries=[contracts_pb2.DueDelivery(due="2017-03-31", quantity=200_000)],
        changes=[contracts_pb2.ContractChange(terms={"quantity": "5"})],
    )
    plain = to_plain(file)
    assert plain["contract_id"] == "7000000", "a text of digits stays a text"
    assert (plain["terms"]["quantity"], plain["terms"]["price"]) == (7_000_000, 10**15)
    assert plain["deliveries"][0]["quantity"] == 200_000
    assert plain["changes"][0]["terms"] == {"quantity": "5"}
    assert plain["outstanding"] == 0, "a zero is a number, too"


def test_numbers_of_other_kinds_stay_as_they_are() -> None:
    plain = to_plain(planning_pb2.LocationForecast(spoilage=0.047, lead_days=14, expected_blanks=[1.5]))
    assert (plain["spoilage"], plain["lead_days"], plain["expected_blanks"]) == (0.047, 14, [1.5])


def test_a_list_of_answers_is_a_list() -> None:
    levels = [stock_pb2.StockLevel(location="32.16", on_hand=191_442)]
    (level,) = json.loads(to_json(levels))
    assert (level["location"], level["on_hand"]) == ("32.16", 191_442)
    stock = json.loads(to_json(inventory_pb2.GetStockResponse(levels=levels, contracted=7_000_000)))
    assert stock["levels"] == [level]
    assert stock["contracted"] == 7_000_000
