"""The schema that the migrations leave is the one that the queries are written for."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.common import audit, requests
from services.enroll import tables
from tests.enroll.enroll_office import Office


def test_the_migrated_schema_is_the_schema_of_the_tables(office: Office) -> None:
    shared = {requests.TABLE, audit.TABLE, audit.HEAD, "alembic_version"}
    with office.db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda thing, name, kind, *_: kind != "table" or name not in shared,
            },
        )
        assert compare_metadata(context, tables.METADATA) == []
