"""What goes wrong with a database has a name, and nothing is written."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from services.common import database_errors, db, errors
from services.common.db import Database
from services.common.errors import TunggalError
from tests.common.ledger_entries import numbers, put
from tests.common.ledger_process import LEDGER


def test_a_full_disk_is_unavailable_and_writes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.migrate(LEDGER)

    def fill() -> None:
        with database.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            for number in range(100_000):
                put(connection, number)

    with pytest.raises(errors.Unavailable) as raised:
        fill()
    assert raised.value.reason == "DATABASE_FULL"
    assert raised.value.retry_after == 30
    assert numbers(database) == []
    database.dispose()


def test_a_file_locked_by_another_process_is_busy_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.1)
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.migrate(LEDGER)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.Unavailable) as raised, database.transaction():
        pass
    assert raised.value.reason == "DATABASE_BUSY"
    assert numbers(database) == []
    other.close()
    with database.transaction() as connection:
        put(connection, 1)
    database.dispose()


def test_a_writer_that_waits_too_long_for_its_turn_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.1)
    database = Database(f"sqlite:///{tmp_path}/x.db")

    def write() -> None:
        with database.transaction():
            pass

    with (
        database.transaction(),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(errors.Unavailable, match="busy"),
    ):
        pool.submit(write).result(5)
    database.dispose()


def test_a_damaged_file_is_data_loss(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database" * 1000)
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(errors.DataLoss) as raised, database.transaction():
        pass
    assert raised.value.reason == "DATABASE_DAMAGED"
    database.dispose()


def test_a_lost_connection_is_unavailable_and_the_next_one_works(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.migrate(LEDGER)

    def lose() -> None:
        with database.transaction() as connection:
            pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            put(connection, 1)

    with pytest.raises(errors.Unavailable) as raised:
        lose()
    assert raised.value.reason == "DATABASE_UNREACHABLE"
    assert numbers(database) == []
    database.dispose()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(errors.Unavailable) as raised, database.transaction():
        pass
    assert raised.value.reason == "DATABASE_UNREACHABLE"


@pytest.mark.parametrize(
    ("cause", "kind", "reason"),
    [
        (psycopg.errors.DiskFull(), errors.Unavailable, "DATABASE_FULL"),
        (psycopg.errors.SerializationFailure(), errors.Aborted, "TRANSACTION_CONFLICT"),
        (psycopg.errors.LockNotAvailable(), errors.Unavailable, "DATABASE_BUSY"),
        (psycopg.errors.TooManyConnections(), errors.Unavailable, "DATABASE_BUSY"),
        (psycopg.errors.AdminShutdown(), errors.Unavailable, "DATABASE_UNREACHABLE"),
        (psycopg.errors.IndexCorrupted(), errors.DataLoss, "DATABASE_DAMAGED"),
        (psycopg.errors.IdleInTransactionSessionTimeout(), errors.Unavailable, "DATABASE_UNREACHABLE"),
    ],
)
def test_each_operational_fault_of_postgresql_has_a_name(
    cause: psycopg.Error, kind: type[TunggalError], reason: str
) -> None:
    known = database_errors.typed(OperationalError("SELECT 1", {}, cause))
    assert known is not None
    assert (type(known), known.reason) == (kind, reason)
    assert known.remedy


def test_a_wrong_statement_is_no_operational_fault(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        connection.execute(sa.text("SELECT * FROM no_such_table"))
