"""The balances at the end of a day, found without a search for each account.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("account_day_of_day", "account_day", ["day", "code", "balance"])
