"""The blanks that were used on some days, found without reading all reservations.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("reservation_by_end", "reservation", ["end_time", "entry"])
