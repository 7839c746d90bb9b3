"""Rows as CSV or Parquet, one after the other: a file of millions of rows takes no more memory than one of
some thousand, and stands in its place only once it is complete.

CSV is UTF-8 without a byte-order mark (RFC 4180; what programs expect), moments in ISO 8601 with their
offset. What a spreadsheet would take for a formula begins with an apostrophe there, at the beginning of a
text and wherever one that splits cells at semicolons or tabs would begin another; who reads the file as a
program takes one apostrophe away in the same places (:data:`QUOTED`). Parquet has texts as they are.
"""

from __future__ import annotations

import csv
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from cli.errors import missing_extra
from services.common.errors import InvalidArgument

_AT_ONCE: Final = 10_000
#: What begins a formula in one spreadsheet or another (OWASP, "CSV injection"), also as wide characters.
_FORMULA: Final = r"(?='*[=+\-@\t\r\n＝＋－＠])"
#: Where a cell begins: commas are quoted, but Indonesian spreadsheets split at semicolons and know no quotes
#: within a cell.
_CELL: Final = r'((?:^|[;\t\r\n])[ "]*)'
_UNQUOTED: Final = re.compile(_CELL + _FORMULA)
#: What a reader replaces by its first group.
QUOTED: Final = re.compile(f"{_CELL}'{_FORMULA}")


def write(file: Path, columns: Mapping[str, type], rows: Iterable[list[Any]]) -> int:
    """Write ``rows``, with a value or ``None`` for each of the ``columns`` (``int``, ``str``, ``date`` or
    ``datetime``, aware), beside ``file`` and put them in its place at the end; how many there were.

    Raises :class:`InvalidArgument` for a name that ends neither in .csv nor in .parquet.
    """
    if file.suffix not in {".csv", ".parquet"}:
        raise InvalidArgument(
            "FORMAT_UNKNOWN", f"{file} is neither .csv nor .parquet", field="FILE", remedy="Name it so."
        )
    # Two who write the same file at once do not write into each other's.
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        count = _parquet(draft, columns, rows) if file.suffix == ".parquet" else _csv(draft, columns, rows)
        with draft.open("rb") as written:
            # A name that outlives a power cut must not lead to a file that did not.
            os.fsync(written.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return count


def _csv(file: Path, columns: Mapping[str, type], rows: Iterable[list[Any]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        for row in rows:
            writer.writerow(map(_cell, row))
            count += 1
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return _UNQUOTED.sub(r"\1'", value) if isinstance(value, str) else value


def _parquet(file: Path, columns: Mapping[str, type], rows: Iterable[list[Any]]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise missing_extra(error, "parquet") from error
    types = {int: pa.int64(), str: pa.string(), date: pa.date32(), datetime: pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    with pq.ParquetWriter(file, schema) as writer:
        for part in _batches(rows, _AT_ONCE):
            values = [list(column) for column in zip(*part, strict=True)]
            writer.write_table(pa.table(values, schema=schema))
            count += len(part)
    return count


def _batches(rows: Iterable[list[Any]], size: int) -> Iterator[list[list[Any]]]:
    part: list[list[Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
