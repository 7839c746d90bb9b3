"""What a page costs does not grow with its entries, nor the statement of a day with those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import contracts_pb2, ledger_pb2, reversals_pb2, withdrawals_pb2

from services.common.db import Database
from services.inventory.statement.store import StatementStore
from tests.inventory.inventory_office import CENTRE, DKI, Office


class Asked:
    """The statements that a database was asked."""

    def __init__(self, database: Database) -> None:
        self.told: list[tuple[str, Any]] = []
        sa.event.listen(database.engine, "before_cursor_execute", self._note)

    def _note(self, _: Any, __: Any, text: str, parameters: Any, *___: Any) -> None:
        self.told.append((text, parameters))

    def during(self, call: Callable[[], object]) -> list[tuple[str, Any]]:
        before = len(self.told)
        call()
        return self.told[before:]


def draft(office: Office, number: int) -> None:
    terms = contracts_pb2.ContractTerms(
        kind=contracts_pb2.CONTRACT_KIND_BLANKS,
        supplier="PT Kartu",
        item="blank",
        quantity=10,
        currency="IDR",
    )
    due = contracts_pb2.DueDelivery(due="2026-04-01", quantity=number + 1)
    office.draft(f"KTP-2026-{number}", terms, deliveries=[due])


def withdraw(office: Office, number: int) -> None:
    held = office.reserve(CENTRE)
    office.consume(held.reservation_id, f"04AA0000{number:02X}")
    office.do(
        withdrawals_pb2.WithdrawCardRequest,
        serial=held.serial,
        location=CENTRE,
        cause=withdrawals_pb2.WITHDRAWAL_CAUSE_FOUND,
        operator="siti",
    )


def propose_reversal(office: Office, _: int) -> None:
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=1, from_location=CENTRE, to_location=DKI, reason="need"
    )
    (moved,) = office.do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers
    office.do(
        reversals_pb2.ProposeReversalRequest, transfer_id=moved.transfer_id, reason="typo", operator="siti"
    )


@pytest.mark.parametrize(
    ("enter", "request_of_all"),
    [
        (draft, contracts_pb2.ListContractFilesRequest()),
        (withdraw, withdrawals_pb2.ListWithdrawalsRequest()),
        (propose_reversal, reversals_pb2.ListReversalsRequest()),
    ],
)
def test_a_longer_page_asks_no_more(
    office: Office, enter: Callable[[Office, int], None], request_of_all: Any
) -> None:
    office.sign(100)
    office.deliver(1, 100)
    asked = Asked(office.database)
    enter(office, 0)
    for_one = asked.during(lambda: office.send(request_of_all))
    for number in range(1, 5):
        enter(office, number)
    for_all = asked.during(lambda: office.send(request_of_all))
    assert len(for_all) == len(for_one)


def test_the_statements_of_a_day_do_not_read_all_before_them(office: Office) -> None:
    if office.database.dialect != "sqlite":
        pytest.skip("PostgreSQL chooses by the numbers of rows")
    asked = Asked(office.database)
    with office.database.read() as connection:
        ((text, parameters),) = asked.during(StatementStore(connection).heads)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
        scans = [row.detail for row in plan if row.detail.startswith("SCAN statement")]
    assert scans
    assert all("COVERING INDEX" in step for step in scans)
