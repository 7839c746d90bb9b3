"""The schema that the migrations leave is the one that the queries are written for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from services.common import audit, requests
from services.inventory import contract_tables, movement_tables, tables
from services.inventory.planning import tables as planning_tables
from services.inventory.statement import tables as statement_tables
from tests.inventory.inventory_office import Office


def test_the_migrated_schema_is_the_schema_of_the_tables(office: Office) -> None:
    parts = (contract_tables, movement_tables, planning_tables, statement_tables)
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
