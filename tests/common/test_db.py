"""The database: the same behaviour on SQLite and PostgreSQL, also when things go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.common import database_errors, db, errors
from services.common.db import Database, lock
from services.common.errors import ConfigurationError
from tests.common.ledger_entries import ENTRY, numbers, put
from tests.common.ledger_process import LEDGER

ROOT = Path(__file__).parents[2]


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
