"""Whatever is done stands once in the audit log: who, what, why and of which request."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import exchange_pb2, movements_pb2, planning_pb2
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common import audit
from services.common.clock import FixedClock
from services.common.db import Database
from services.common.errors import TunggalError
from services.common.requests import digest_of
from services.inventory.journal import ITSELF
from tests.inventory.inventory_office import BEKASI, CENTRE, Office, new_id, require_audited
from tests.inventory.planning_books import Books
from tests.inventory.signed_elsewhere import approving, entering

_LOG = sa.table(audit.TABLE, *map(sa.column, ("seq", "actor", "action", "resource", "reason", "digest")))


def entries(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(_LOG).order_by(_LOG.c.seq)))


def test_an_entry_tells_who_did_what_to_what_and_why_and_a_second_click_adds_none(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 100)
    before = len(entries(office.database))
    request = pb.CreateAllocationRequest(
        request_id=new_id(), from_location=CENTRE, to_location=BEKASI, quantity=10, reason="first need"
    )
    made = [office.send(request).allocation.allocation_id for _ in range(2)]
    (entry,) = entries(office.database)[before:]
    assert (entry.actor, entry.action, entry.reason) == ("operator/cli", "CreateAllocation", "first need")
    assert entry.digest == digest_of(request).hex()
    assert made == [made[0]] * 2
    assert made[0] in entry.resource
    office.check_books()


def test_what_is_refused_is_neither_answered_nor_audited(office: Office) -> None:
    office.sign(100)
    before = entries(office.database)
    with pytest.raises(TunggalError):
        office.allocate(CENTRE, BEKASI, 1)
    assert entries(office.database) == before
    office.check_books()


def test_the_service_signs_for_each_day_that_it_closes(office: Office, clock: FixedClock) -> None:
    office.sign(100)
    office.deliver(1, 100)
    clock.advance(timedelta(days=2))
    office.upkeep.catch_up()
    office.upkeep.catch_up()
    own = [row for row in entries(office.database) if row.actor == ITSELF]
    assert [(row.action, row.resource) for row in own] == [
        ("CloseDays", "days/2026-03-02"),
        ("CloseDays", "days/2026-03-03"),
    ]
    office.check_books()


def test_plans_reports_refusals_and_files_are_audited_as_movements_are(
    database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None
) -> None:
    books = Books(database_url, clock, tmp_path)
    books.stock_up(1000)
    books.send(approving(books.send(entering("KTP-2018-01", 1)).change_id))
    books.ship(BEKASI, 100)
    books.void(books.print_card(BEKASI, "04AA000001"), "04AA000001")
    requests: list[Any] = [
        planning_pb2.ReportDemandRequest(demands=[planning_pb2.Demand(location=BEKASI, print_ready=7)]),
        planning_pb2.SetCapacityRequest(
            capacity=planning_pb2.Capacity(
                location=BEKASI, printers=1, cards_per_printer_day=90, lead_days=60
            )
        ),
        planning_pb2.CreatePlanRequest(
            scope="32", source="ID", reason="quarter", operator="siti", available=100
        ),
        movements_pb2.RecordRefusalRequest(
            location=BEKASI, item="blank", people=12, reason="empty", operator="warga"
        ),
        exchange_pb2.ImportDeliveryNotesRequest(
            csv="contract_id,delivery_note,first_serial,last_serial\nKTP-2018-01,SJ-9,2001,2001\n"
        ),
    ]
    for request in requests:
        request.request_id = new_id()
        books.send(request)
    with books.database.read() as connection:
        answered = require_audited(connection)
    books.database.dispose()
    done = Counter(method for method, _ in answered)
    assert done.keys() >= {request.DESCRIPTOR.name.removesuffix("Request") for request in requests}
