"""Reversals of two people, conveyances to a destruction elsewhere, what a witness vouches for.

Revision ID: 0008
Revises: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID, _PLACE, _REASON, _PERSON = sa.String(36), sa.String(64), sa.String(500), sa.String(200)


def _entry() -> sa.Column[Any]:
    return sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "reversal",
        _entry(),
        sa.Column("reversal_id", _ID, nullable=False, unique=True),
        sa.Column("transfer_id", _ID, sa.ForeignKey("transfer.transfer_id"), nullable=False),
        sa.Column("allocation_id", _ID),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", _PERSON, nullable=False),
        sa.Column("propose_time", UtcDateTime, nullable=False),
        sa.Column("decided_by", _PERSON),
        sa.Column("decide_time", UtcDateTime),
    )
    op.create_table(
        "conveyance",
        _entry(),
        sa.Column("conveyance_id", _ID, nullable=False, unique=True),
        sa.Column("source", _PLACE, nullable=False, index=True),
        sa.Column("target", _PLACE, nullable=False, index=True),
        sa.Column("item", sa.String(32), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.Column("cards", sa.Text, nullable=False),
        sa.Column("remaining", sa.Text, nullable=False),
        sa.Column("under_way", sa.BigInteger, nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sent_by", _PERSON, nullable=False),
        sa.Column("send_time", UtcDateTime, nullable=False),
        sa.Column("received_by", _PERSON),
        sa.Column("receive_time", UtcDateTime),
        sa.CheckConstraint("under_way >= 0", name="conveyance_under_way"),
    )
    op.add_column("destruction", sa.Column("prepared", sa.Text, nullable=False, server_default=""))
    op.create_index("spoilage_subject", "spoilage", ["subject"])
