"""Finding what waits for a second person without reading all jobs.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_UNREVIEWED = sa.text("review <> 'ACCEPTED' AND (state = 'SPOILED' OR state = 'VOID' OR rejected_by <> '')")


def upgrade() -> None:
    op.create_index(
        "card_job_unreviewed", "card_job", ["entry"], sqlite_where=_UNREVIEWED, postgresql_where=_UNREVIEWED
    )
