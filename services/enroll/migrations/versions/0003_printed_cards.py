"""The cards of some days, found without reading all events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PRINTED = sa.text("status = 12")


def upgrade() -> None:
    op.create_index(
        "record_event_printed",
        "record_event",
        ["event_time"],
        sqlite_where=_PRINTED,
        postgresql_where=_PRINTED,
    )
