"""When a blank became a card or was lost, which neither hand-over nor review changes afterwards.

Of jobs from before, it is the end of the last session with the chip.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LOST = sa.text("loss_time IS NOT NULL")
_JOB = sa.table("card_job", *map(sa.column, ("job_id", "state", "update_time", "card_time", "loss_time")))
_SESSION = sa.table("card_session", sa.column("job_id"), sa.column("end_time"))
_LAST = (
    sa.select(sa.func.max(_SESSION.c.end_time)).where(_SESSION.c.job_id == _JOB.c.job_id).scalar_subquery()
)


def upgrade() -> None:
    op.add_column("card_job", sa.Column("card_time", UtcDateTime))
    op.add_column("card_job", sa.Column("loss_time", UtcDateTime))
    over = sa.func.coalesce(_LAST, _JOB.c.update_time)
    op.execute(sa.update(_JOB).where(sa.text("consumed")).values(card_time=over))
    op.execute(sa.update(_JOB).where(_JOB.c.state == "SPOILED").values(loss_time=over))
    op.execute(sa.update(_JOB).where(_JOB.c.state == "VOID").values(loss_time=_JOB.c.update_time))
    op.create_index("card_job_by_card_time", "card_job", ["card_time"])
    op.create_index(
        "card_job_by_loss_time", "card_job", ["loss_time"], sqlite_where=_LOST, postgresql_where=_LOST
    )
