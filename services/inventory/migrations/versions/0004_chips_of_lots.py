"""The chips that came with each lot.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lot_chip",
        sa.Column("chip_uid", sa.String(20), primary_key=True),
        sa.Column("lot_id", sa.String(36), sa.ForeignKey("lot.lot_id"), nullable=False, index=True),
    )
