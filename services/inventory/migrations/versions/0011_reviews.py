"""Every word that reviewers said of spoilage, not only the last one.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spoilage_review",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column(
            "spoilage_id", sa.String(36), sa.ForeignKey("spoilage.spoilage_id"), nullable=False, index=True
        ),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("review", sa.String(500), nullable=False),
    )
    op.execute(
        "INSERT INTO spoilage_review (spoilage_id, state, person, at, review) "
        "SELECT spoilage_id, state, reviewed_by, review_time, review FROM spoilage "
        "WHERE state IN ('accepted', 'questioned') ORDER BY entry"
    )
