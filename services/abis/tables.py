"""The tables of the ABIS, as the newest migration leaves them. Queries are in `store.py`."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime

METADATA = sa.MetaData()

subject = sa.Table(
    "subject",
    METADATA,
    sa.Column("subject_id", sa.String(64), primary_key=True),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False, unique=True),
)

# One enrolled finger; the template is sealed (AES-256-GCM) and bound to its row.
reference = sa.Table(
    "finger_reference",
    METADATA,
    sa.Column(
        "subject_id",
        sa.String(64),
        sa.ForeignKey("subject.subject_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("ordinal", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.Column("template", sa.LargeBinary, nullable=False),
)

# What happened to the gallery, in order of commit: replicas follow it.
change = sa.Table(
    "gallery_change",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("subject_id", sa.String(64), nullable=False),
    sa.Column("inserted", sa.Boolean, nullable=False),
)
