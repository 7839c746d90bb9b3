"""Moments in the database: aware, in UTC, to the microsecond, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from services.common.db import Database, UtcDateTime
from tests.common.ledger_entries import ENTRY, put

moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))])).filter(
    lambda moment: 1 < moment.year < 9999
)


@given(moment=moments, later=moments)
def test_moments_survive_sqlite_to_the_microsecond_and_sort_as_time_does(
    moment: datetime, later: datetime
) -> None:
    column, dialect = UtcDateTime(), sqlite.dialect()

    def text(value: datetime) -> Any:
        return column.process_bind_param(value, dialect)

    assert column.process_result_value(text(moment), dialect) == moment
    assert (text(moment) < text(later)) == (moment < later)
    assert len(text(moment)) == 27


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 2, 1, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=7))),
    ],
)
def test_moments_survive_the_database_as_aware_utc(database: Database, moment: datetime) -> None:
    with database.transaction() as connection:
        put(connection, 1, at=moment)
    with database.read() as connection:
        found = connection.scalar(sa.select(ENTRY.c.at).where(ENTRY.c.at == moment))
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused(database: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="no time zone"), database.transaction() as connection:
        put(connection, 1, at=datetime(2026, 3, 2))  # noqa: DTZ001
