"""Reported demand, capacity, plans, coverage; signed statements.

Revision ID: 0003
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID, _PLACE, _ITEM = sa.String(36), sa.String(64), sa.String(32)
_PERSON, _REASON, _SHA256 = sa.String(200), sa.String(500), sa.String(64)


def upgrade() -> None:
    op.create_table(
        "demand_report",
        sa.Column("location", _PLACE, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("undeduplicated", sa.BigInteger, nullable=False),
        sa.Column("print_ready", sa.BigInteger, nullable=False),
        sa.Column("suket_debt", sa.BigInteger, nullable=False),
        sa.Column("arrivals", sa.BigInteger, nullable=False),
        sa.Column("time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "capacity",
        sa.Column("location", _PLACE, primary_key=True),
        sa.Column("printers", sa.Integer, nullable=False),
        sa.Column("cards_per_printer_day", sa.Integer, nullable=False),
        sa.Column("lead_days", sa.Integer, nullable=False),
    )
    op.create_table(
        "plan",
        _entry(),
        sa.Column("plan_id", _ID, nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("scope", _PLACE, nullable=False),
        sa.Column("source", _PLACE, nullable=False),
        sa.Column("item", _ITEM, nullable=False),
        sa.Column("available", sa.BigInteger, nullable=False),
        sa.Column("lot", sa.BigInteger, nullable=False),
        sa.Column("minimum", sa.BigInteger, nullable=False),
        sa.Column("lending", sa.Boolean, nullable=False),
        sa.Column("left_over", sa.BigInteger, nullable=False),
        sa.Column("days_before", sa.Float, nullable=False),
        sa.Column("days_after", sa.Float, nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("proposed_by", _PERSON, nullable=False),
        sa.Column("propose_time", UtcDateTime, nullable=False),
        sa.Column("decided_by", _PERSON),
        sa.Column("decide_time", UtcDateTime),
        sa.Column("decision", _REASON, nullable=False, server_default=""),
        sa.Column("carried_out_by", _PERSON),
        sa.Column("carry_out_time", UtcDateTime),
        sa.Column("shares", sa.Text, nullable=False),
        sa.Column("moves", sa.Text, nullable=False),
        sa.Column("allocation_ids", sa.Text, nullable=False),
    )
    op.create_table(
        "coverage",
        _entry(),
        sa.Column("location", _PLACE, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("obliged", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("entry_time", UtcDateTime, nullable=False),
        sa.Index("coverage_of_place", "location", "entry"),
    )
    op.create_table(
        "statement",
        _entry(),
        sa.Column("location", _PLACE, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("digest", _SHA256, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("key_id", _SHA256, nullable=False),
        sa.UniqueConstraint("location", "day", name="statement_once_a_day"),
    )


def _entry() -> sa.Column[Any]:
    return sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
