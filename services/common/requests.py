"""The request-id store: a request that arrives twice is done once and answered twice (AIP-155).

The claim, the work and the stored answer share one transaction: after ``kill -9`` either all of it happened
or none. A failed request leaves no claim, so the same id may try again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects import postgresql, sqlite

from services.common.clock import Clock
from services.common.db import UtcDateTime
from services.common.errors import AlreadyExists, InvalidArgument

R = TypeVar("R", bound=Message)

TABLE = "request_log"


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("method", sa.String(200), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        # Empty only inside of the transaction that does the work.
        sa.Column("response", sa.LargeBinary),
        sa.Column("created_at", UtcDateTime, nullable=False),
    ]


def create_table(op: ModuleType) -> None:
    """Create the table; call it in a service's first migration with ``alembic.op``."""
    op.create_table(TABLE, *_columns())


def table(metadata: sa.MetaData) -> sa.Table:
    """The table, for a service that wants it in its own metadata."""
    return sa.Table(TABLE, metadata, *_columns())


_LOG = table(sa.MetaData())


def _claim_statement(dialect: ModuleType) -> sa.Insert:
    claim: sa.Insert = dialect.insert(_LOG).on_conflict_do_nothing().returning(_LOG.c.request_id)
    return claim


# Built once, for every write of every service runs them.
_CLAIM = {"postgresql": _claim_statement(postgresql), "sqlite": _claim_statement(sqlite)}
_ANSWER = (
    sa.update(_LOG)
    .where(_LOG.c.request_id == sa.bindparam("of_id"))
    .values(response=sa.bindparam("new_response"))
)
_FIRST = sa.select(_LOG).where(_LOG.c.request_id == sa.bindparam("of_id"))


def digest_of(request: Message) -> bytes:
    """SHA-256 of the deterministic serialisation of ``request``."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def once(
    conn: sa.Connection,
    method: str,
    request: Message,
    response_type: type[R],
    work: Callable[[], R],
    *,
    digest: bytes | None = None,
    clock: Clock,
) -> R:
    """The answer of ``work``, done at most once for ``request.request_id`` and kept in ``conn``'s
    transaction.

    ``digest`` stands for the body where the request is a stream. A second caller with the same id waits for
    the first one's transaction. Raises :class:`AlreadyExists` when the id was used for another body or
    method.
    """
    request_id = _id_of(request)
    digest = digest_of(request) if digest is None else digest
    claim = {"request_id": request_id, "method": method, "digest": digest, "created_at": clock.now()}
    if conn.execute(_CLAIM[conn.dialect.name], claim).first() is None:
        first = _first_answer(conn, request_id, method, digest, response_type)
        if first is None:
            raise RuntimeError(f"request {request_id} was claimed twice in one transaction")
        return first
    response = work()
    answer = response.SerializeToString(deterministic=True)
    conn.execute(_ANSWER, {"of_id": request_id, "new_response": answer})
    return response


def stored(
    conn: sa.Connection, method: str, request: Message, response_type: type[R], *, digest: bytes | None = None
) -> R | None:
    """The first answer to this request, if it was answered before; raises as :func:`once` does.

    A look before expensive work outside of the transaction; :func:`once` still decides.
    """
    digest = digest_of(request) if digest is None else digest
    return _first_answer(conn, _id_of(request), method, digest, response_type)


def _first_answer(
    conn: sa.Connection, request_id: str, method: str, digest: bytes, response_type: type[R]
) -> R | None:
    row = conn.execute(_FIRST, {"of_id": request_id}).first()
    if row is None:
        return None
    if row.method != method or bytes(row.digest) != digest:
        raise AlreadyExists(
            "REQUEST_ID_REUSED",
            f"The request id {request_id} was used for another request.",
            field="request_id",
            remedy="Make a new UUID for each new request; repeat an id only with the very same body.",
            metadata={"first_method": row.method},
        )
    return None if row.response is None else response_type.FromString(bytes(row.response))


def _id_of(request: Message) -> str:
    request_id = str(getattr(request, "request_id", "")).lower()
    if not request_id:
        raise InvalidArgument(
            "REQUEST_ID_MISSING",
            "The request has no request_id.",
            field="request_id",
            remedy="Make a UUID for each new request and repeat it when you retry.",
        )
    return request_id
