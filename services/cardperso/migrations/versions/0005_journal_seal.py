"""The seal of the journal's end: who can write the database alone can no longer cut it unseen.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("card_session_head", sa.Column("key_id", sa.String(64)))
    op.add_column("card_session_head", sa.Column("seal", sa.LargeBinary))
