"""What is open among all allocations, requisitions, loans and counts, found without reading all of them.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("allocation", "requisition", "loan", "stock_count"):
        op.create_index(f"{table}_by_state", table, ["state", "entry"])
