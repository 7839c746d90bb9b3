"""The tables of statements and of the keys that signed them."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import METADATA, entry

# Written once. `digest` is the SHA-256 of `content`, which the next statement of the location carries.
statement = sa.Table(
    "statement",
    METADATA,
    entry(),
    sa.Column("location", sa.String(64), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.UniqueConstraint("location", "day", name="statement_once_a_day"),
)

# The public half of every key that signed a statement or a protocol: what it signed outlives it.
signing_key = sa.Table(
    "statement_key",
    METADATA,
    entry(),
    sa.Column("key_id", sa.String(64), nullable=False, unique=True),
    sa.Column("public_pem", sa.Text, nullable=False),
    sa.Column("first_use", UtcDateTime, nullable=False),
)
