"""Cards that were rejected after they were booked."""

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "void_card",
        sa.Column("chip_uid", sa.String(20), primary_key=True),
        sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("rejected_by", sa.String(64), nullable=False),
        sa.Column("reviewed_by", sa.String(64), nullable=False),
        sa.Column("void_time", UtcDateTime, nullable=False),
    )
