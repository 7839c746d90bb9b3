"""The database: the same behaviour on SQLite and PostgreSQL, also when things go wrong."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, OperationalError

from services.common import database_errors, db, errors
from services.common.db import Database, UtcDateTime, lock
from services.common.errors import ConfigurationError, TunggalError
from tests.common.ledger_process import LEDGER

ENTRY = sa.table(
    "entry", sa.column("id", sa.Integer), sa.column("amount", sa.Integer), sa.column("at", UtcDateTime)
)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database."""
    database = Database(database_url)
    database.migrate(LEDGER)
    yield database
    database.dispose()


def put(connection: sa.Connection, number: int, amount: int = 0, at: datetime | None = None) -> None:
    connection.execute(sa.insert(ENTRY).values(id=number, amount=amount, at=at))


def numbers(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(ENTRY.c.id).order_by(ENTRY.c.id)))


def test_a_block_that_ends_is_committed_and_one_that_raises_leaves_nothing(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 1)

    def fail() -> None:
        with database.transaction() as connection:
            put(connection, 2)
            raise errors.FailedPrecondition("NO", "No.")

    with pytest.raises(errors.FailedPrecondition):
        fail()
    assert numbers(database) == [1]


def test_a_broken_constraint_keeps_its_own_type_for_the_store_to_explain(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as connection:
        put(connection, 1, amount=-1)
    assert numbers(database) == []


def test_personal_data_does_not_get_into_error_messages(database: Database) -> None:
    with pytest.raises(IntegrityError) as raised, database.transaction() as connection:
        put(connection, 32160112, amount=-1)
    told = "".join(traceback.format_exception(raised.value))
    assert "constraint" in told
    assert "32160112" not in told.replace("put(connection, 32160112, amount=-1)", "")


def test_nothing_can_be_written_while_reading(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        put(connection, 1)
    with database.transaction() as connection:
        put(connection, 2)
    assert numbers(database) == [2]


def test_a_reader_sees_one_moment_and_never_waits_for_a_writer(database: Database) -> None:
    with database.read() as reader:
        before = reader.scalar(sa.select(sa.func.count()).select_from(ENTRY))
        with database.transaction() as connection:
            put(connection, 1)
        after = reader.scalar(sa.select(sa.func.count()).select_from(ENTRY))
    assert (before, after) == (0, 0)
    assert numbers(database) == [1]


def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/x.db")
    with database.transaction() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    database.dispose()
    assert settings == ["wal", 2, 1]


def test_concurrent_read_modify_write_loses_no_update(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 1)

    def add_one(connection: sa.Connection) -> None:
        lock(connection, "entry 1")
        amount = connection.execute(sa.select(ENTRY.c.amount)).scalar_one()
        connection.execute(sa.update(ENTRY).values(amount=amount + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: database.run(add_one), range(40)))
    with database.read() as connection:
        assert connection.scalar(sa.select(ENTRY.c.amount)) == 40


def test_a_transaction_inside_a_transaction_is_a_mistake_that_shows(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with (
        pytest.raises(RuntimeError, match="inside a transaction"),
        database.transaction(),
        database.transaction(),
    ):
        pass
    with database.transaction():
        pass
    database.dispose()


def test_a_deadlock_is_run_again_until_both_have_won(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.migrate(LEDGER)
    with database.transaction() as connection:
        put(connection, 1)
        put(connection, 2)
    meet = threading.Barrier(2)
    attempts: list[int] = []

    def both(first: int, second: int) -> None:
        def work(connection: sa.Connection) -> None:
            attempts.append(first)
            for number in (first, second):
                connection.execute(
                    sa.update(ENTRY).where(ENTRY.c.id == number).values(amount=ENTRY.c.amount + 1)
                )
                if number == first and len(attempts) <= 2:
                    meet.wait(10)

        database.run(work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(both, (1, 2), (2, 1)))
    with database.read() as connection:
        assert list(connection.scalars(sa.select(ENTRY.c.amount))) == [2, 2]
    database.dispose()
    assert len(attempts) == 3


def test_a_conflict_that_stays_is_given_up_as_aborted(database: Database) -> None:
    tries: list[int] = []

    def work(_: sa.Connection) -> None:
        tries.append(1)
        raise errors.Aborted(database_errors.CONFLICT, "Again.")

    with pytest.raises(errors.Aborted):
        database.run(work)
    assert len(tries) == db.ATTEMPTS


def test_a_domain_conflict_is_not_run_again(database: Database) -> None:
    tries: list[int] = []

    def work(_: sa.Connection) -> None:
        tries.append(1)
        raise errors.Aborted("STALE_COUNT", "Count again.")

    with pytest.raises(errors.Aborted):
        database.run(work)
    assert len(tries) == 1


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


def test_replicas_that_start_at_once_migrate_once(database_url: str) -> None:
    command = [sys.executable, str(Path(__file__).with_name("ledger_process.py")), "migrate", database_url]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
    replicas = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [replica.communicate(timeout=60)[1] for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0] * 2, outputs
    database = Database(database_url)
    assert numbers(database) == []
    database.migrate(LEDGER)
    database.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer version"):
        database.migrate(LEDGER)
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


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
