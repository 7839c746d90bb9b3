"""Duplicates among those who came, as enrolment reports them.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("demand_report", sa.Column("duplicates", sa.BigInteger, nullable=False, server_default="0"))
