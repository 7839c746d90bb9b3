"""Texts that nobody can read are refused before a handler sees them, wherever they are in a request."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tunggal.inventory.v1 import contracts_pb2, ledger_pb2, stock_pb2
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common.errors import InvalidArgument
from services.common.texts import check as readable
from services.common.validation import check


def new_id() -> str:
    return str(uuid4())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no\x00end", "TEXT_UNREADABLE"),
        ("\x1b[31mred", "TEXT_UNREADABLE"),
        ("sent \u202eback", "TEXT_UNREADABLE"),
        (" ", "TEXT_BLANK"),
        ("\u200b\u00a0\n", "TEXT_BLANK"),
    ],
)
def test_a_reason_that_nobody_can_read_is_refused(text: str, reason: str) -> None:
    request = pb.CreateAllocationRequest(
        request_id=new_id(), from_location="ID", to_location="31", quantity=1, reason=text
    )
    with pytest.raises(InvalidArgument) as error:
        check(request)
    assert (error.value.reason, error.value.field, bool(error.value.remedy)) == (reason, "reason", True)


def test_texts_are_found_wherever_they_are_in_a_request() -> None:
    def refused(request: Any) -> str | None:
        with pytest.raises(InvalidArgument) as error:
            readable(request)
        return error.value.field

    post = ledger_pb2.PostTransfersRequest(
        transfers=[
            ledger_pb2.NewTransfer(reason="plain\r\n\tand simple"),
            ledger_pb2.NewTransfer(reason="\x07"),
        ]
    )
    assert refused(post) == "transfers[1].reason"
    terms = contracts_pb2.ContractTerms(supplier="\t")
    assert refused(contracts_pb2.DraftContractRequest(terms=terms)) == "terms.supplier"
    change = contracts_pb2.ProposeChangeRequest(terms={"quantity": "5\x00"})
    assert refused(change) == 'terms["quantity"]'
    assert refused(contracts_pb2.ProposeChangeRequest(terms={"\x00": "5"})) == "terms (a key)"
    readable(
        pb.ReceiveLotRequest(
            request_id=new_id(),
            delivery_note="наклáдная 納品書 😀 é",
            serials=stock_pb2.SerialRange(first=1, last=2),
        )
    )
