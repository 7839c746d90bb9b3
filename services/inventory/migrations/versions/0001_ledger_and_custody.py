"""Ledger, custody, contracts, lots, allocations, reservations; request ids and audit.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from services.common import audit, requests
from services.common.db import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    requests.create_table(op)
    audit.create_table(op)
    op.create_table(
        "account",
        sa.Column("code", sa.String(80), primary_key=True),
        sa.Column("place", sa.String(64), nullable=False, index=True),
        sa.Column("condition", sa.String(16), nullable=False),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "(condition = 'contracted' AND balance <= 0) OR (condition <> 'contracted' AND balance >= 0)",
            name="account_never_overdrawn",
        ),
    )
    op.create_table(
        "transfer",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("transfer_id", sa.String(36), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("book_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "transfer_line",
        sa.Column("entry", sa.BigInteger, sa.ForeignKey("transfer.entry"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger),
        sa.Column("last", sa.BigInteger),
        sa.Column("width", sa.SmallInteger),
        sa.CheckConstraint("quantity > 0", name="transfer_line_moves_something"),
        sa.CheckConstraint("quantity = last - first + 1", name="transfer_line_counts_its_serials"),
        sa.Index("transfer_line_serials", "width", "first"),
    )
    op.create_table(
        "holding",
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("account", sa.String(80), sa.ForeignKey("account.code"), nullable=False),
        sa.Column("holder", sa.String(36)),
        sa.CheckConstraint("first <= last", name="holding_is_a_range"),
        sa.Index("holding_of_account", "account", "first"),
    )
    op.create_table(
        "contract",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("contract_id", sa.String(64), nullable=False, unique=True),
        sa.Column("supplier", sa.String(200), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "lot",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("lot_id", sa.String(36), nullable=False, unique=True),
        sa.Column(
            "contract_id", sa.String(64), sa.ForeignKey("contract.contract_id"), nullable=False, index=True
        ),
        sa.Column("delivery_note", sa.String(64), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False, unique=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("receive_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "allocation",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("allocation_id", sa.String(36), nullable=False, unique=True),
        sa.Column("source", sa.String(64), nullable=False, index=True),
        sa.Column("target", sa.String(64), nullable=False, index=True),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("transfer_id", sa.String(36), sa.ForeignKey("transfer.transfer_id"), nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("dispatch_time", UtcDateTime),
        sa.Column("receive_time", UtcDateTime),
    )
    op.create_table(
        "reservation",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("reservation_id", sa.String(36), nullable=False, unique=True),
        sa.Column("serial", sa.BigInteger, nullable=False, index=True),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reserve_time", UtcDateTime, nullable=False),
        sa.Column("end_time", UtcDateTime),
        sa.Column("end_reason", sa.String(500), nullable=False),
    )
    op.create_table(
        "chip",
        sa.Column("chip_uid", sa.String(20), primary_key=True),
        sa.Column("serial", sa.BigInteger, nullable=False, unique=True),
        sa.Column("bind_time", UtcDateTime, nullable=False),
    )
