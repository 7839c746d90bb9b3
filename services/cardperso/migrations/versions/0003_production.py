"""Stations, batches, and who has found a card good or bad.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = {
    "batch_id": 36,
    "station_name": 63,
    "checked_by": 200,
    "rejected_by": 200,
    "reject_reason": 300,
    "reviewed_by": 200,
}


def upgrade() -> None:
    for name, size in _COLUMNS.items():
        op.add_column("card_job", sa.Column(name, sa.String(size), nullable=False, server_default=""))
    op.create_index("card_job_of_batch", "card_job", ["batch_id", "state"])
    op.create_index("card_job_of_station", "card_job", ["station_name", "entry"])
    op.create_table(
        "card_station",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("reader", sa.String(200), nullable=False),
        sa.Column("printer", sa.String(200), nullable=False),
        sa.Column("printer_state", sa.String(16), nullable=False),
        sa.Column("paused", sa.String(500), nullable=False),
        sa.Column("lease_time", UtcDateTime, nullable=False),
        sa.Index("card_station_of_reader", "host", "reader", unique=True),
    )
    op.create_table(
        "card_batch",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("batch_id", sa.String(36), nullable=False, unique=True),
        sa.Column("region", sa.String(5), nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("operator", sa.String(200), nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Index("card_batch_of_state", "state", "entry"),
    )
