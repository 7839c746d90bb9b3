"""One database per service: SQLite by default, PostgreSQL in production, the same SQLAlchemy Core code on
both.

SQLite runs in WAL mode with ``synchronous=FULL``, so that what was committed survives a power cut; its write
transactions start with ``BEGIN IMMEDIATE``, so that they never fail half-way for want of the write lock.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, ExceptionContext, String, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

from services.common import migrations
from services.common.database_errors import UNUSABLE, is_conflict, typed
from services.common.errors import Aborted, TunggalError, Unavailable

T = TypeVar("T")

BUSY_SECONDS = 10.0
ATTEMPTS = 6
_POSTGRES_OPTIONS = "-c timezone=UTC -c lock_timeout=20000 -c idle_in_transaction_session_timeout=120000"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC to the microsecond; ``timestamptz`` on PostgreSQL, fixed-width ISO text on
    SQLite.

    The text sorts as time does. A naive datetime is refused: it would mean another moment on another machine.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of the dialect."""
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(UTC)
        return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


class Database:
    """The engine of one service's database, and the ways to use it."""

    def __init__(self, url: str) -> None:
        # Parameters hold personal data, and error messages end up in logs.
        common: dict[str, Any] = {
            "hide_parameters": True,
            "pool_size": 8,
            "max_overflow": 24,
            "pool_timeout": BUSY_SECONDS,
            # The connection given back last: SQLite reads its pages anew on one that did not write them.
            "pool_use_lifo": True,
        }
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self.engine: Engine = create_engine(
                url,
                connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
                **common,
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(
                url,
                connect_args={"connect_timeout": 10, "options": _POSTGRES_OPTIONS},
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                **common,
            )
            event.listen(self.engine, "handle_error", _without_row)
        self._writer = _WriterTurn() if self.dialect == "sqlite" else None

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back by any exception.

        Raises :class:`Unavailable` when the database is full, busy or gone, :class:`Aborted` when a
        concurrent transaction won, :class:`DataLoss` when the file is damaged. Constraint violations keep
        SQLAlchemy's type.
        """
        with _translated(), self._writer or nullcontext(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot to read from; writing in it fails. Never waits for a writer."""
        with _translated(reading=True):
            if self.dialect == "sqlite":
                with self.engine.connect().execution_options(tunggal_read_only=True) as connection:
                    connection.exec_driver_sql("PRAGMA query_only = ON")
                    try:
                        yield connection
                    finally:
                        connection.exec_driver_sql("PRAGMA query_only = OFF")
            else:
                options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                with self.engine.connect().execution_options(**options) as connection:
                    yield connection

    def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction, again from its start when a concurrent one won (deadlock, serialization,
        lock).

        ``work`` may therefore run several times and must have no effect outside of the connection.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except Aborted as conflict:
                if attempt == ATTEMPTS or not is_conflict(conflict):
                    raise
                # Jitter keeps two losers from meeting again; 10 ms is some commits on either database.
                time.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
        raise AssertionError("unreachable")  # pragma: no cover

    def migrate(self, package: str) -> None:
        """Bring the schema to the newest version in ``PACKAGE/migrations/versions``.

        All or nothing, and safe when several replicas start at once: one migrates, the others wait and find
        it done. Raises :class:`ConfigurationError` when the database is newer than this program.
        """
        with self.transaction() as connection:
            lock(connection, "migrations")
            migrations.upgrade(connection, package)

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def lock(connection: Connection, name: str) -> None:
    """Wait for the lock ``name`` and hold it until the end of the transaction.

    An advisory lock on PostgreSQL; nothing to do on SQLite, where a write transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


@contextmanager
def _translated(*, reading: bool = False) -> Iterator[None]:
    try:
        yield
    except TunggalError:
        raise
    except (SQLAlchemyError, sqlite3.Error) as error:
        known = typed(error)
        # Writing while reading is a mistake in the program, which SQLite tells like a read-only disk.
        if known is None or (reading and known.reason == UNUSABLE):
            raise
        raise known from error


class _WriterTurn:
    """The turn to write to SQLite among the threads of this process.

    SQLite's own wait polls with growing pauses; threads of one process hand over at once through this lock,
    and SQLite's lock remains for other processes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError("a transaction inside a transaction: pass the connection on instead")
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise Unavailable(
                "DATABASE_BUSY", "The database is busy with other writers.", remedy="Try again."
            )
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3 must not start transactions of its own
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _without_row(context: ExceptionContext) -> None:
    """Leave out what PostgreSQL adds to a message in DETAIL: the values of the row."""
    original = context.original_exception
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    if primary:
        original.args = (primary,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(original).__name__}) {primary}",)


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("tunggal_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
