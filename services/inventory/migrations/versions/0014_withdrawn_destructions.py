"""Prepared destructions that were withdrawn: who let them go, when, why.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("destruction", sa.Column("withdrawn_by", sa.String(200)))
    op.add_column("destruction", sa.Column("withdraw_time", UtcDateTime))
    op.add_column(
        "destruction", sa.Column("withdraw_reason", sa.String(500), nullable=False, server_default="")
    )
