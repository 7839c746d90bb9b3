"""The request-id store, the audit log, and a table to write into."""

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
        "entry",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("amount", sa.Integer, sa.CheckConstraint("amount >= 0"), nullable=False),
        sa.Column("at", UtcDateTime),
    )
