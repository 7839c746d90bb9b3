"""The audit log: a chain that shows every change."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import sqlalchemy as sa

from services.common import audit, errors
from services.common.db import Database

AT = datetime(2026, 3, 2, 1, 30, 0, 5, tzinfo=UTC)


def append(connection: sa.Connection, action: str = "ConsumeBlank") -> int:
    return audit.append(
        connection,
        actor="operator/cli",
        action=action,
        resource="blanks/7",
        reason="kartu ‘rusak’",
        digest=sha256(action.encode()).digest(),
        at=AT,
    )


def fill(database: Database, count: int = 5) -> None:
    for number in range(count):
        with database.transaction() as connection:
            append(connection, f"Action{number}")


def verify(database: Database) -> int | None:
    with database.read() as connection:
        return audit.verify(connection)


def tamper(database: Database, *statements: str) -> None:
    """Change the log as someone with rights over the database can: with the triggers out of the way."""
    with database.transaction() as connection:
        if database.dialect == "postgresql":
            connection.execute(sa.text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        else:
            for deed in ("update", "delete"):
                connection.execute(sa.text(f"DROP TRIGGER audit_log_no_{deed}"))
        for statement in statements:
            connection.execute(sa.text(statement))


def test_an_untouched_log_holds(database: Database) -> None:
    assert verify(database) is None
    fill(database)
    assert verify(database) is None


def test_the_chain_holds_over_texts_of_every_kind(database: Database) -> None:
    for text in ('"', "\\", "\n\t", "‘é𝄞", "{}", "'); --", ":before %s %(at)s", "0" * 64, ""):
        with database.transaction() as connection:
            audit.append(
                connection, actor=text, action=text, resource=text, reason=text, digest=b"\x00" * 32, at=AT
            )
    assert verify(database) is None


def test_entries_are_numbered_from_one_without_gaps_also_after_a_rollback(database: Database) -> None:
    with database.transaction() as connection:
        assert [append(connection), append(connection)] == [1, 2]

    def fail() -> None:
        with database.transaction() as connection:
            append(connection)
            raise errors.Aborted("NO", "No.")

    with pytest.raises(errors.Aborted):
        fail()
    with database.transaction() as connection:
        assert append(connection) == 3
    assert verify(database) is None


def test_concurrent_transactions_make_one_chain(database: Database) -> None:
    together = threading.Barrier(4)

    def work(_: int) -> None:
        together.wait(10)
        fill(database, 10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert verify(database) is None
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT max(seq) FROM audit_log")) == 40


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE audit_log SET actor = 'operator/other' WHERE seq = 3", 3),
        ("UPDATE audit_log SET reason = '' WHERE seq = 1", 1),
        ("UPDATE audit_log SET digest = '00' WHERE seq = 5", 5),
        ("UPDATE audit_log SET hash = (SELECT hash FROM audit_log WHERE seq = 1) WHERE seq = 2", 2),
        ("DELETE FROM audit_log WHERE seq = 3", 3),
        ("DELETE FROM audit_log WHERE seq = 1", 1),
        ("DELETE FROM audit_log WHERE seq = 5", 5),
        ("DELETE FROM audit_log", 1),
        ("DELETE FROM audit_head", 6),
        ("UPDATE audit_head SET seq = 4", 6),
    ],
)
def test_any_changed_or_removed_row_is_found(database: Database, change: str, broken: int) -> None:
    fill(database)
    tamper(database, change)
    assert verify(database) == broken


def test_an_inserted_row_is_found(database: Database) -> None:
    fill(database)
    tamper(
        database,
        "INSERT INTO audit_log (seq, at, actor, action, resource, reason, digest, hash) "
        "SELECT 6, at, actor, action, resource, reason, digest, hash FROM audit_log WHERE seq = 5",
    )
    assert verify(database) == 6


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = ''", "DELETE FROM audit_log"])
def test_rows_cannot_be_changed_by_mistake(database: Database, statement: str) -> None:
    fill(database)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.transaction() as connection:
        connection.execute(sa.text(statement))
    assert verify(database) is None
