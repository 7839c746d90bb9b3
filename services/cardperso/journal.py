"""What was said to cards: every APDU of every session, in a chain that shows any later change.

While a session lasts its APDUs go to a file, one line each, so that a process that is killed leaves them
behind. When the session ends they become one row of the database. Rows form a hash chain: each hash covers
the row and the hash before it; the end of the chain is sealed (`journal_seal`). What may be secret (data of
protected commands, what was read from files) is there as its SHA-256 over a salt of the session's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.cardperso.journal_seal import Head, JournalSeal
from services.cardperso.pcsc.apdu import CommandApdu, ResponseApdu
from services.cardperso.tables import SESSION_HEAD, SESSIONS
from services.common.canonical import canonical
from services.common.clock import Clock
from services.common.crypto import KeyRing
from services.common.db import Database

GENESIS = "0" * 64
INTERRUPTED = "INTERRUPTED"
"""Outcome of a session that ended with its process."""
_SECURE_MESSAGING = 0x0C
_TO_READER = 0xFF
"""Class of commands that the reader answers itself (PC/SC part 3)."""
_OPEN = {0xA4, 0xCA, 0x50, 0x82}
"""SELECT, GET DATA, INITIALIZE UPDATE and EXTERNAL AUTHENTICATE: nothing of them is worth hiding."""


@dataclass(frozen=True)
class Exchange:
    """An APDU and its answer.

    `sent` and `received` are the data fields in hexadecimal, or `#` and the hexadecimal SHA-256 of salt and
    data. `sw` is None where no answer came. Times are in microseconds; `at` counts from the session's begin.
    """

    at: int
    took: int
    name: str
    header: str
    sent: str
    sent_bytes: int
    sw: int | None
    received: str
    received_bytes: int


@dataclass(frozen=True)
class Session:
    """A session with a card; `seq` is its place in the chain, `salt` is hexadecimal."""

    seq: int
    job_id: str
    chip_uid: str
    reader: str
    station: str
    operator: str
    begin_time: datetime
    end_time: datetime
    outcome: str
    salt: str
    hash: str
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True)
class Checked:
    """What came of a check: sessions that hold, the first one that does not (None where all do), and the hash
    of the last that does.
    """

    sessions: int
    broken: int | None
    hash: str


class Recorder:
    """The witness of one session. Nothing is kept of a session that `begin` was never called for.

    Args:
        path: file of the session while it lasts.
        head: what is known of it before it begins.
        clock: clock.
    """

    def __init__(self, path: Path, head: dict[str, str], clock: Clock) -> None:
        self._path = path
        self._head = {**head, "salt": secrets.token_hex(16), "begin": clock.now().isoformat()}
        self._begun = time.monotonic()
        self._lines: list[bytes] = []
        self._started = False
        self._file: int | None = None

    def __call__(self, command: CommandApdu, response: ResponseApdu | None, seconds: float) -> None:
        """Take down an APDU."""
        at = time.monotonic() - self._begun - seconds
        protected = command.cla != _TO_READER and command.cla & _SECURE_MESSAGING
        hide = bool(protected) or command.ins not in _OPEN
        data = b"" if response is None else response.data
        exchange = Exchange(
            round(at * 1e6),
            round(seconds * 1e6),
            command.name,
            bytes([command.cla, command.ins, command.p1, command.p2]).hex().upper(),
            self._shown(command.data, hide=hide),
            len(command.data),
            None if response is None else response.sw,
            self._shown(data, hide=hide),
            len(data),
        )
        self._keep(json.dumps(list(asdict(exchange).values()), separators=(",", ":")))

    def begin(self, chip_uid: str) -> None:
        """Keep the session, with what was said so far."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines.insert(0, json.dumps({**self._head, "chip_uid": chip_uid}).encode())
        self._started = True
        for line in self._lines:
            os.write(self._file, line + b"\n")

    def close(self) -> list[bytes]:
        """Nothing more is taken down; the lines of the session, none where it never began. The file stays,
        and is for the case that this process does not come so far.
        """
        if self._file is not None:
            os.close(self._file)
            self._file = None
        return self._lines if self._started else []

    def _keep(self, line: str) -> None:
        self._lines.append(line.encode())
        if self._file is not None:
            os.write(self._file, self._lines[-1] + b"\n")

    def _shown(self, data: bytes, *, hide: bool) -> str:
        if not data or not hide:
            return data.hex().upper()
        return "#" + hashlib.sha256(bytes.fromhex(self._head["salt"]) + data).hexdigest()


class Journal:
    """The sessions of this database; `directory` is for those that last.

    Args:
        database: database.
        directory: of this host, not shared with others.
        clock: clock.
        keys: keyring that seals the end of the chain.
    """

    def __init__(self, database: Database, directory: Path, clock: Clock, keys: KeyRing) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._seal = JournalSeal(keys, directory.with_suffix(".head"))

    def recorder(self, job_id: str, reader: str, station: str, operator: str) -> Recorder:
        """A witness for the next session of a job. A session that a killed process left is entered first."""
        path = self._directory / f"{job_id}.session"
        self._take_in(path, INTERRUPTED)
        head = {"job_id": job_id, "reader": reader, "station": station, "operator": operator}
        return Recorder(path, head, self._clock)

    def enter(self, recorder: Recorder, job_id: str, outcome: str) -> None:
        """Enter a session that has ended; nothing where it never began."""
        self._enter(recorder.close(), outcome)
        (self._directory / f"{job_id}.session").unlink(missing_ok=True)

    def recover(self) -> None:
        """Enter what killed processes of this host left behind; seal a chain that never was."""
        self._database.run(self._seal_first)
        for path in sorted(self._directory.glob("*.session")):
            self._take_in(path, INTERRUPTED)

    def sessions(self, conn: sa.Connection, job_id: str) -> list[Session]:
        """Sessions of a job, oldest first."""
        rows = conn.execute(sa.select(SESSIONS).where(SESSIONS.c.job_id == job_id).order_by(SESSIONS.c.seq))
        return [_session(row._mapping) for row in rows]

    def verify(self, conn: sa.Connection) -> Checked:
        """Go through the chain; a session that is missing, was changed or put in breaks it.

        One after the last is broken where rows were cut off, or the whole was written anew: the end is not
        the one that was sealed, or not as far as this host remembers it.
        """
        remembered = self._seal.remembered()
        link, expected = GENESIS, 1
        query = sa.select(SESSIONS).order_by(SESSIONS.c.seq)
        with conn.execute(query, execution_options={"yield_per": 200}) as rows:
            for row in rows:
                values = dict(row._mapping)
                found, packed = values.pop("hash"), bytes(values.pop("body"))
                try:
                    next_link = _link(link, values, zlib.decompress(packed))
                except zlib.error:
                    next_link = ""
                rewritten = remembered and remembered.seq == expected and remembered.hash != next_link
                if row.seq != expected or next_link != found or rewritten:
                    return Checked(expected - 1, expected, link)
                link = next_link
                expected += 1
        end = Head(expected - 1, link)
        head = conn.execute(sa.select(SESSION_HEAD)).first()
        whole = (
            head is not None
            and Head(head.seq, head.hash) == end
            and self._seal.holds(end, head.key_id, head.seal)
            and (remembered is None or remembered.seq <= end.seq)
        )
        return Checked(end.seq, None if whole else expected, link)

    def _take_in(self, path: Path, outcome: str) -> None:
        try:
            lines = path.read_bytes().split(b"\n")[:-1]  # a line that was cut short counts for nothing
        except FileNotFoundError:
            return
        self._enter(lines, outcome)
        path.unlink()

    def _enter(self, lines: list[bytes], outcome: str) -> None:
        if lines:
            head = json.loads(lines[0])
            end = self._database.run(lambda conn: self._append(conn, head, b"\n".join(lines[1:]), outcome))
            self._seal.remember(end)

    def _seal_first(self, conn: sa.Connection) -> None:
        """Seal the end of a new chain, or of one from before there were seals: where this host remembers
        none.
        """
        last = conn.execute(sa.select(SESSION_HEAD).with_for_update()).one()
        if last.seal is None and self._seal.remembered() is None:
            self._move(conn, Head(last.seq, last.hash))

    def _move(self, conn: sa.Connection, head: Head) -> None:
        key_id, seal = self._seal.seal(head)
        conn.execute(sa.update(SESSION_HEAD).values(seq=head.seq, hash=head.hash, key_id=key_id, seal=seal))

    def _append(self, conn: sa.Connection, head: dict[str, str], body: bytes, outcome: str) -> Head:
        last = conn.execute(sa.select(SESSION_HEAD).with_for_update()).one()
        # Killed between the commit and the end of the file, the same session comes a second time.
        if conn.scalar(sa.select(SESSIONS.c.seq).where(SESSIONS.c.salt == head["salt"])) is not None:
            return Head(last.seq, last.hash)
        row = {
            "seq": last.seq + 1,
            **{name: head[name] for name in ("job_id", "chip_uid", "reader", "station", "operator", "salt")},
            "begin_time": datetime.fromisoformat(head["begin"]),
            "end_time": self._clock.now(),
            "outcome": outcome[:500],
            "apdus": len(body.split(b"\n")) if body else 0,
        }
        link = _link(last.hash, row, body)
        conn.execute(sa.insert(SESSIONS).values(**row, body=zlib.compress(body, 9), hash=link))
        end = Head(row["seq"], link)
        self._move(conn, end)
        return end


def _link(previous: str, row: dict[str, Any], body: bytes) -> str:
    content = {
        name: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    content |= {"previous": previous, "body": hashlib.sha256(body).hexdigest()}
    text = canonical(content)
    return hashlib.sha256(text.encode()).hexdigest()


def _session(row: Any) -> Session:
    given = {name: row[name] for name in Session.__dataclass_fields__ if name != "exchanges"}
    return Session(**given, exchanges=tuple(_exchanges(zlib.decompress(bytes(row["body"])))))


def _exchanges(body: bytes) -> Iterator[Exchange]:
    for line in body.split(b"\n") if body else ():
        yield Exchange(*json.loads(line))
