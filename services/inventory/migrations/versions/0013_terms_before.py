"""What an amendment replaces, beside what it says.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contract_change", sa.Column("terms_before", sa.Text, nullable=False, server_default="{}"))
