"""The audit log: who did what, when and why, as a hash chain written in the transaction of the deed itself.

Each entry's hash covers its content and the hash before it (SHA-256 over canonical JSON), so a changed,
removed or inserted row breaks the chain from there on. Triggers refuse UPDATE and DELETE, which stops
mistakes; the chain finds what someone with rights over the database did all the same.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from types import ModuleType
from typing import Any

import sqlalchemy as sa

from services.common.canonical import canonical
from services.common.db import UtcDateTime

TABLE = "audit_log"
HEAD = "audit_head"
GENESIS = "0" * 64


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(200), nullable=False),
        sa.Column("resource", sa.String(500), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    ]


def _head_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    ]


_METADATA = sa.MetaData()
_LOG = sa.Table(TABLE, _METADATA, *_columns())
_HEAD = sa.Table(HEAD, _METADATA, *_head_columns())

# Built once, for every write of every service runs them: building one costs more than SQLite takes to run it.
_READ_HEAD = sa.select(_HEAD.c.seq, _HEAD.c.hash).where(_HEAD.c.id == 1)
_ADD = sa.insert(_LOG)
_MOVE_HEAD = (
    sa.update(_HEAD).where(_HEAD.c.id == 1).values(seq=sa.bindparam("new_seq"), hash=sa.bindparam("new_hash"))
)


# On PostgreSQL several transactions append, one after the other: each makes the others wait for one statement
# and its commit alone, for the database computes the link.
_CHAIN = sa.text(
    f"""
    WITH moved AS (
        UPDATE {HEAD} SET seq = seq + 1, hash = encode(sha256(convert_to(
            :before || hash || :between || CAST(seq + 1 AS text) || '}}', 'UTF8')), 'hex')
        WHERE id = 1 RETURNING seq, hash
    )
    INSERT INTO {TABLE} (seq, at, actor, action, resource, reason, digest, hash)
    SELECT seq, :at, :actor, :action, :resource, :reason, :digest, hash FROM moved
    RETURNING seq
    """  # noqa: S608 - names of this module
).bindparams(sa.bindparam("at", type_=UtcDateTime))


def create_table(op: ModuleType) -> None:
    """Create the log, its head and the triggers that keep it append-only; call it in a service's first
    migration.
    """
    op.create_table(TABLE, *_columns())
    op.create_table(HEAD, *_head_columns())
    op.execute(sa.insert(_HEAD).values(id=1, seq=0, hash=GENESIS))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()"
        )
        return
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_log_no_{deed.lower()} BEFORE {deed} ON {TABLE} "
            "BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
        )


def append(
    conn: sa.Connection, *, actor: str, action: str, resource: str, reason: str, digest: bytes, at: datetime
) -> int:
    """Append an entry in ``conn``'s transaction and return its number, counted from 1 without gaps.

    ``digest`` is the SHA-256 of what was decided on, usually of the request. Append last in a transaction:
    from here to the commit no other transaction can append.
    """
    entry = {
        "at": at,
        "actor": actor,
        "action": action,
        "resource": resource,
        "reason": reason,
        "digest": digest.hex(),
    }
    if conn.dialect.name == "postgresql":
        return int(conn.execute(_CHAIN, {**entry, **_parts(entry)}).scalar_one())
    head = conn.execute(_READ_HEAD).one()
    entry["seq"] = head.seq + 1
    link = _link(head.hash, entry)
    conn.execute(_ADD, {**entry, "hash": link})
    conn.execute(_MOVE_HEAD, {"new_seq": entry["seq"], "new_hash": link})
    return int(head.seq) + 1


def entries_since(conn: sa.Connection, after: int, action: str, since: datetime) -> tuple[int, int]:
    """The number of the last entry after entry ``after``, ``after`` itself if there is none, and how many of
    those are of ``action`` and were written at ``since`` or later.
    """
    last, count = conn.execute(
        sa.select(
            sa.func.max(_LOG.c.seq), sa.func.count().filter(_LOG.c.action == action, _LOG.c.at >= since)
        ).where(_LOG.c.seq > after)
    ).one()
    return int(last or after), int(count)


def verify(conn: sa.Connection) -> int | None:
    """The number of the first entry that is missing or does not fit the chain; ``None`` when all hold."""
    link, expected = GENESIS, 1
    entries = sa.select(_LOG).order_by(_LOG.c.seq)
    with conn.execute(entries, execution_options={"yield_per": 1000}) as rows:
        for row in rows:
            entry = dict(row._mapping)
            found = entry.pop("hash")
            link = _link(link, entry)
            if row.seq != expected or found != link:
                return expected
            expected += 1
    head = conn.execute(sa.select(_HEAD).where(_HEAD.c.id == 1)).first()
    if head is None or head.seq != expected - 1 or head.hash != link:
        return expected
    return None


def _link(previous: str, entry: dict[str, Any]) -> str:
    content = {**entry, "at": _moment(entry["at"]), "previous": previous}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _parts(entry: dict[str, Any]) -> dict[str, str]:
    """What :func:`_link` hashes, its keys sorted: ``before`` the hash of the entry before, and ``between``
    that and the number, which ends it.
    """
    first = {name: entry[name] for name in ("action", "actor", "digest")} | {"at": _moment(entry["at"])}
    then = {name: entry[name] for name in ("reason", "resource")}
    return {
        "before": f'{canonical(first)[:-1]},"previous":"',
        "between": f'",{canonical(then)[1:-1]},"seq":',
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
