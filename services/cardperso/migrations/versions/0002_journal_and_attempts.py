"""The journal of sessions with cards, failed sessions by chip, and who ordered a card.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_GENESIS = "0" * 64


def upgrade() -> None:
    op.add_column("card_job", sa.Column("operator", sa.String(200), nullable=False, server_default=""))
    op.create_table(
        "chip_attempt",
        sa.Column("chip_uid", sa.String(20), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "card_session",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String(36), nullable=False, index=True),
        sa.Column("chip_uid", sa.String(20), nullable=False, index=True),
        sa.Column("reader", sa.String(200), nullable=False),
        sa.Column("station", sa.String(200), nullable=False),
        sa.Column("operator", sa.String(200), nullable=False),
        sa.Column("begin_time", UtcDateTime, nullable=False),
        sa.Column("end_time", UtcDateTime, nullable=False),
        sa.Column("outcome", sa.String(500), nullable=False),
        sa.Column("apdus", sa.Integer, nullable=False),
        sa.Column("salt", sa.String(32), nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "card_session_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.execute(sa.insert(head).values(id=1, seq=0, hash=_GENESIS))
    _append_only()


def _append_only() -> None:
    """Mistakes are stopped here; what is done all the same, the chain shows."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION card_session_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'card_session is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER card_session_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON card_session "
            "FOR EACH STATEMENT EXECUTE FUNCTION card_session_is_append_only()"
        )
        return
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER card_session_no_{deed.lower()} BEFORE {deed} ON card_session "
            "BEGIN SELECT RAISE(ABORT, 'card_session is append-only'); END"
        )
