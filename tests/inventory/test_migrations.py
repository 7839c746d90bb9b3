"""The schema that the migrations leave is the one that the queries are written for."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from tunggal.inventory.v1 import contracts_pb2, spoilage_pb2, stock_pb2

from services import inventory
from services.common import audit, migrations, requests
from services.common.clock import FixedClock
from services.common.db import Database
from services.inventory import tables
from services.inventory.blanks import chips
from services.inventory.contracts import tables as contract_tables
from services.inventory.counts import tables as count_tables
from services.inventory.disposal import tables as disposal_tables
from services.inventory.movements import tables as movement_tables
from services.inventory.planning import tables as planning_tables
from services.inventory.reversals import tables as reversal_tables
from services.inventory.statement import tables as statement_tables
from tests.inventory.inventory_office import Office


def test_the_migrated_schema_is_the_schema_of_the_tables(office: Office) -> None:
    parts = (
        contract_tables,
        count_tables,
        disposal_tables,
        movement_tables,
        planning_tables,
        reversal_tables,
        statement_tables,
    )
    assert chips.LOT_CHIP.metadata is tables.METADATA
    assert all(part.METADATA is tables.METADATA for part in parts)
    shared = {requests.TABLE, audit.TABLE, audit.HEAD, "alembic_version"}
    with office.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda thing, name, kind, *_: kind != "table" or name not in shared,
            },
        )
        assert compare_metadata(context, tables.METADATA) == []


@pytest.mark.parametrize(
    ("condition", "balance"),
    [("on-hand", -1), ("outstanding", -1), ("missing", -1), ("contracted", 1), ("found", 1), ("borrowed", 1)],
)
def test_the_database_itself_refuses_an_overdrawn_account(
    office: Office, condition: str, balance: int
) -> None:
    overdrawn = sa.insert(tables.account).values(
        code=f"ID/{condition}", place="ID", item="blank", condition=condition, balance=balance
    )
    with pytest.raises(IntegrityError), office.database.transaction() as connection:
        connection.execute(overdrawn)


_BEFORE_ITEMS = (
    "INSERT INTO account (code, place, condition, balance) VALUES "
    "('K/1/contracted', 'K/1', 'contracted', -10), ('K/1/outstanding', 'K/1', 'outstanding', 0), "
    "('ID/on-hand', 'ID', 'on-hand', 9), ('ID/reserved', 'ID', 'reserved', 0), "
    "('ID/spoiled', 'ID', 'spoiled', 1)",
    "INSERT INTO contract (entry, contract_id, supplier, quantity, create_time) "
    "VALUES (1, 'K/1', 'PT Kartu', 10, {at})",
    "INSERT INTO lot (entry, lot_id, contract_id, delivery_note, first, last, receive_time) "
    "VALUES (1, 'l', 'K/1', 'SJ', 1, 10, {at})",
    "INSERT INTO holding (first, last, account) VALUES (1, 1, 'ID/spoiled'), (2, 10, 'ID/on-hand')",
    "INSERT INTO reservation (entry, reservation_id, serial, location, purpose, state, reserve_time, "
    "end_time, end_reason) VALUES (1, 'r', 1, 'ID', 'job', 'spoiled', {at}, {at}, 'bent')",
    "INSERT INTO transfer (entry, transfer_id, kind, subject, actor, reason, book_time) VALUES "
    "(1, 'a', 'contract.signed', 'K/1', 'operator/cli', '', {at}), "
    "(2, 'b', 'lot.received', 'l', 'operator/cli', '', {at}), "
    "(3, 'c', 'blank.reserved', 'r', 'operator/cli', '', {at}), "
    "(4, 'd', 'blank.spoiled', 'r', 'operator/cli', '', {at})",
    "INSERT INTO transfer_line (entry, number, source, target, quantity, first, last, width) VALUES "
    "(1, 0, 'K/1/contracted', 'K/1/outstanding', 10, NULL, NULL, NULL), "
    "(2, 0, 'K/1/outstanding', 'ID/on-hand', 10, 1, 10, 4), "
    "(3, 0, 'ID/on-hand', 'ID/reserved', 1, 1, 1, 0), "
    "(4, 0, 'ID/reserved', 'ID/spoiled', 1, 1, 1, 0)",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return str(request.getfixturevalue("postgres_url"))


def test_an_inventory_of_before_items_keeps_all_it_had(
    empty_url: str, clock: FixedClock, as_operator: None
) -> None:
    database = Database(empty_url)
    with database.transaction() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        versions = Path(inventory.__file__).parent / "migrations" / "versions"
        config.set_main_option("version_locations", str(versions))
        config.set_main_option("path_separator", "newline")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in _BEFORE_ITEMS:
            connection.exec_driver_sql(statement.format(at="'2026-03-01T00:00:00.000000Z'"))
    database.dispose()

    office = Office(empty_url, clock)
    office.check_books()
    assert office.stock().total == stock_pb2.StockLevel(location="ID", on_hand=9, spoiled=1)
    assert office.holdings() == [(1, 1, "ID/spoiled"), (2, 10, "ID/on-hand")]
    contract = office.send(contracts_pb2.GetContractFileRequest(contract_id="K/1")).contract
    assert contract.terms.kind == contracts_pb2.CONTRACT_KIND_BLANKS
    assert (contract.state, contract.delivered) == (contracts_pb2.CONTRACT_STATE_ACTIVE, 10)
    assert [step.kind for step in office.blank(1).custody] == [
        "lot.received",
        "blank.reserved",
        "blank.spoiled",
    ]
    (spoilage,) = office.send(spoilage_pb2.ListSpoilageRequest()).spoilage
    assert (spoilage.quantity, spoilage.reason) == (1, "bent")
    office.database.dispose()
