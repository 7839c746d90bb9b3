"""Subjects, their sealed finger references, and the log of changes that replicas follow.

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
        "subject",
        sa.Column("subject_id", sa.String(64), primary_key=True),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False, unique=True),
    )
    op.create_table(
        "finger_reference",
        sa.Column(
            "subject_id",
            sa.String(64),
            sa.ForeignKey("subject.subject_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("ordinal", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("template", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "gallery_change",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("inserted", sa.Boolean, nullable=False),
    )
