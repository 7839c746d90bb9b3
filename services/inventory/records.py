"""Plain records in plain tables: a dataclass with the columns as fields, found by its key, in pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.errors import NotFound
from services.inventory.ledger.serials import SerialRange

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Part of a list in order of entry; ``next_after`` is where the next part begins, ``None`` at the end."""

    items: list[T]
    next_after: int | None


class Column(NamedTuple):
    """How a field is written to its column and read from it."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _write_ranges(ranges: tuple[SerialRange, ...]) -> str:
    return json.dumps([[serials.first, serials.last] for serials in ranges])


def _read_ranges(text: str) -> tuple[SerialRange, ...]:
    return tuple(SerialRange(first, last) for first, last in json.loads(text))


#: Serial ranges as JSON.
RANGES = Column(_write_ranges, _read_ranges)


class Records(Generic[T]):
    """The rows of ``table`` as values of ``kind``, over one open transaction.

    ``key`` is the field that finds a value; ``columns`` are the fields that a column does not hold as they
    are, enumerations for one.
    """

    def __init__(
        self,
        connection: sa.Connection,
        table: sa.Table,
        kind: Callable[..., T],
        key: str,
        columns: Mapping[str, Column | type] | None = None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._kind = kind
        self._key = table.c[key]
        self._columns = {
            name: column if isinstance(column, Column) else Column(str, column)
            for name, column in (columns or {}).items()
        }
        self._names = [field.name for field in fields(kind)]  # type: ignore[arg-type]

    def add(self, value: T) -> None:
        """Add a value whose key is new."""
        self._connection.execute(sa.insert(self._table), self._row(value))

    def get(self, key: str, *, lock: bool = False) -> T | None:
        """The value of ``key``; with ``lock`` nobody else changes it before the transaction ends."""
        query = sa.select(self._table).where(self._key == key)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        return None if row is None else self._value(row)

    def locked(self, key: str, unknown: Callable[[str], NotFound]) -> T:
        """The value of ``key``, which nobody else changes before the transaction ends; raises ``unknown`` of
        it where there is none.
        """
        found = self.get(key, lock=True)
        if found is None:
            raise unknown(key)
        return found

    def save(self, value: T) -> None:
        """Keep what became of a locked value."""
        row = self._row(value)
        self._connection.execute(
            sa.update(self._table).where(self._key == row.pop(self._key.name)).values(**row)
        )

    def where(self, *conditions: sa.ColumnElement[bool], lock: bool = False) -> list[T]:
        """All values that meet the conditions, in order of entry; with ``lock`` nobody else changes them
        before the transaction ends.
        """
        query = sa.select(self._table).where(*conditions).order_by(self._table.c.entry)
        rows = self._connection.execute(query.with_for_update() if lock else query)
        return [self._value(row) for row in rows]

    def page(self, after: int, limit: int, *conditions: sa.ColumnElement[bool]) -> Page[T]:
        """A part of the values that meet the conditions, in order of entry."""
        query = sa.select(self._table).where(*conditions)
        rows = one_more(self._connection, query, self._table, after, limit)
        return paged(rows, [self._value(row) for row in rows], limit)

    def _row(self, value: T) -> dict[str, Any]:
        row = {name: getattr(value, name) for name in self._names}
        for name, column in self._columns.items():
            if row[name] is not None:
                row[name] = column.write(row[name])
        return row

    def _value(self, row: sa.Row[Any]) -> T:
        values = {name: getattr(row, name) for name in self._names}
        for name, column in self._columns.items():
            if values[name] is not None:
                values[name] = column.read(values[name])
        return self._kind(**values)


def insert_new(connection: sa.Connection, key: sa.Column[Any], **values: Any) -> bool:
    """Insert a row; ``False`` when its key is taken."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(key.table).values(**values).on_conflict_do_nothing(index_elements=[key])
    return connection.execute(statement.returning(key)).first() is not None


def one_more(
    connection: sa.Connection, query: sa.Select[Any], table: sa.Table, after: int, limit: int
) -> list[sa.Row[Any]]:
    """The rows of a page in order of entry; one more than the page has tells whether there is a next one."""
    return list(
        connection.execute(query.where(table.c.entry > after).order_by(table.c.entry).limit(limit + 1))
    )


def paged(rows: Sequence[sa.Row[Any]], items: list[T], limit: int) -> Page[T]:
    """The page that ``items``, made of ``rows``, are."""
    return Page(items[:limit], rows[limit - 1].entry if len(rows) > limit else None)
