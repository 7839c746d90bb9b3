"""What a database error means to a caller: which are worth a retry, and what an operator should do."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.common.errors import Aborted, DataLoss, TunggalError, Unavailable

CONFLICT = "TRANSACTION_CONFLICT"
UNUSABLE = "DATABASE_UNUSABLE"

# Primary result codes of SQLite (https://www.sqlite.org/rescode.html); extended codes keep them in the low
# byte.
_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_UNUSABLE = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
)

# SQLSTATE codes and classes of PostgreSQL (manual, appendix A).
_POSTGRES_CONFLICT = frozenset({"40001", "40P01"})
_POSTGRES_BUSY = frozenset({"55P03", "53300", "57014"})
_POSTGRES_FULL = frozenset({"53100", "53200"})
_POSTGRES_DAMAGED = frozenset({"XX001", "XX002"})


def typed(error: Exception) -> TunggalError | None:
    """The typed error for an operational database error; ``None`` for faults of the statement or its data."""
    if isinstance(error, PoolTimeout):
        return _busy("Every connection to the database is in use.")
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original)
    state = getattr(original, "sqlstate", None)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _gone()
    return _of_postgres(state, type(original).__name__)


def is_conflict(error: TunggalError) -> bool:
    """Whether the transaction lost against a concurrent one and may simply run again."""
    return error.reason == CONFLICT


def _of_sqlite(error: sqlite3.Error) -> TunggalError | None:
    code = getattr(error, "sqlite_errorcode", -1)
    primary = code & 0xFF if code >= 0 else -1
    if primary in _SQLITE_BUSY:
        return _busy("Another process writes to the database.")
    if primary == sqlite3.SQLITE_FULL:
        return _full()
    if primary in _SQLITE_DAMAGED:
        return _damaged()
    if primary in _SQLITE_UNUSABLE:
        return Unavailable(
            UNUSABLE,
            "The database file cannot be read or written.",
            remedy="Check that data_dir exists, is writable and that its disk works.",
            retry_after=5,
        )
    return None


def _of_postgres(state: str | None, kind: str) -> TunggalError | None:
    if state is None:
        return _gone() if kind in ("OperationalError", "InterfaceError") else None
    if state in _POSTGRES_CONFLICT:
        return Aborted(CONFLICT, "A concurrent change won.", remedy="Send the same request again.")
    if state in _POSTGRES_BUSY:
        return _busy("The database is busy.")
    if state in _POSTGRES_FULL:
        return _full()
    if state in _POSTGRES_DAMAGED:
        return _damaged()
    if state.startswith(("08", "57P", "25P03", "58")):
        return _gone()
    return None


def _busy(message: str) -> Unavailable:
    return Unavailable("DATABASE_BUSY", message, remedy="Send the same request again.")


def _full() -> Unavailable:
    return Unavailable(
        "DATABASE_FULL",
        "The database has no space left; nothing was written.",
        remedy="Free or add disk space, then send the same request again.",
        retry_after=30,
    )


def _gone() -> Unavailable:
    return Unavailable(
        "DATABASE_UNREACHABLE",
        "The connection to the database is lost.",
        remedy="Send the same request again; if it lasts, check the database and TUNGGAL_DATABASE_URL.",
        retry_after=2,
    )


def _damaged() -> DataLoss:
    return DataLoss(
        "DATABASE_DAMAGED",
        "The database is damaged.",
        remedy="Stop the service and restore the newest backup.",
    )
