"""What a second person said of a spoiled card, and what the neighbours have yet to be told.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMNS = {"review": 16, "review_note": 200, "spoilage_id": 36, "errand": 16, "errand_note": 500}
_ERRANDS = sa.text("errand <> ''")


def upgrade() -> None:
    for name, size in _COLUMNS.items():
        op.add_column("card_job", sa.Column(name, sa.String(size), nullable=False, server_default=""))
    op.add_column("card_job", sa.Column("sent", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE card_job SET review = 'ACCEPTED' WHERE reviewed_by <> ''")
    op.execute("UPDATE card_job SET sent = (state IN ('PRINTED', 'HANDED_OVER', 'VOID'))")
    op.create_index(
        "card_job_errand", "card_job", ["entry"], sqlite_where=_ERRANDS, postgresql_where=_ERRANDS
    )
