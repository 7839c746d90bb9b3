"""What the tests of scrap do with it: spoil, review, write down, witness."""

from __future__ import annotations

from typing import Any

import pytest
from tunggal.inventory.v1 import spoilage_pb2 as pb
from tunggal.inventory.v1 import stock_pb2

from services.common.errors import TunggalError
from tests.inventory.inventory_office import BEKASI, Office


def span(first: int, last: int) -> stock_pb2.SerialRange:
    return stock_pb2.SerialRange(first=first, last=last)


def spoil(office: Office, item: str = "blank", **fields: Any) -> pb.Spoilage:
    booked: pb.Spoilage = office.do(
        pb.SpoilStockRequest,
        location=fields.pop("location", BEKASI),
        item=item,
        reason="the roof leaked on box 4",
        operator="siti",
        **fields,
    ).spoilage
    return booked


def review(office: Office, spoilage_id: str, accepted: bool = True, operator: str = "budi") -> pb.Spoilage:
    said: pb.Spoilage = office.do(
        pb.ReviewSpoilageRequest,
        spoilage_id=spoilage_id,
        accepted=accepted,
        review="seen",
        operator=operator,
    ).spoilage
    return said


def prepare(office: Office, *serials: stock_pb2.SerialRange, **fields: Any) -> pb.Destruction:
    made: pb.Destruction = office.do(
        pb.PrepareDestructionRequest,
        location=fields.pop("location", BEKASI),
        item=fields.pop("item", "blank"),
        serials=serials,
        method="burned",
        operator="siti",
        **fields,
    ).destruction
    return made


def witness(office: Office, made: pb.Destruction, operator: str = "saksi") -> pb.Destruction:
    seen: pb.Destruction = office.do(
        pb.WitnessDestructionRequest,
        destruction_id=made.destruction_id,
        prepared_sha256=made.prepared_sha256,
        operator=operator,
    ).destruction
    return seen


def refusal(office: Office, kind: type[Any], **fields: Any) -> str:
    with pytest.raises(TunggalError) as error:
        office.do(kind, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value.reason
