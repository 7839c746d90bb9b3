"""Lots that were taken back, cards that came back, what a spoilage belongs to, how much of a licence is used.

Revision ID: 0005
Revises: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID, _PLACE, _REASON, _PERSON = sa.String(36), sa.String(64), sa.String(500), sa.String(200)


def _entry() -> sa.Column[Any]:
    return sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "reversed_lot",
        _entry(),
        sa.Column("lot_id", _ID, nullable=False, unique=True),
        sa.Column(
            "contract_id", sa.String(64), sa.ForeignKey("contract.contract_id"), nullable=False, index=True
        ),
        sa.Column("delivery_note", sa.String(64), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False, index=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("receive_time", UtcDateTime, nullable=False),
        sa.Column("transfer_id", _ID, sa.ForeignKey("transfer.transfer_id"), nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("reverse_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "withdrawal",
        _entry(),
        sa.Column("withdrawal_id", _ID, nullable=False, unique=True),
        sa.Column("serial", sa.BigInteger, nullable=False, index=True),
        sa.Column("chip_uid", sa.String(20), nullable=False),
        sa.Column("made_at", _PLACE, nullable=False),
        sa.Column("location", _PLACE, nullable=False, index=True),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("note", _REASON, nullable=False),
        sa.Column("taken_by", _PERSON, nullable=False),
        sa.Column("event_time", UtcDateTime, nullable=False),
        sa.Column("book_time", UtcDateTime, nullable=False),
        sa.Column("transfer_id", _ID, sa.ForeignKey("transfer.transfer_id"), nullable=False),
    )
    op.create_table(
        "licence_use",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("people", sa.BigInteger, nullable=False),
        sa.Column("time", UtcDateTime, nullable=False),
    )
    op.add_column("spoilage", sa.Column("subject", sa.String(64), nullable=False, server_default=""))
