"""The few transfers that a forecast takes off from what was used, found without reading all transfers.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_IS_NO_USE = sa.text("kind IN ('card.voided', 'conveyance.received', 'receipt.damaged', 'stock.reversed')")


def upgrade() -> None:
    op.create_index(
        "transfer_no_use",
        "transfer",
        ["book_time", "entry", "kind"],
        sqlite_where=_IS_NO_USE,
        postgresql_where=_IS_NO_USE,
    )
