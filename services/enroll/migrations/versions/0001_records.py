"""Records, their history, packets, and the queue for cards."""

import sqlalchemy as sa
from alembic import op

from services.common import audit, requests
from services.common.db import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    requests.create_table(op)
    audit.create_table(op)
    op.create_table(
        "counter",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO counter (name, value) VALUES ('arrival', 0), ('event', 0)")
    op.create_table(
        "record",
        sa.Column("record_id", sa.String(36), primary_key=True),
        sa.Column("arrival_number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("nik", sa.String(16), nullable=False),
        sa.Column("region", sa.String(5), nullable=False),
        sa.Column("biodata_key", sa.String(64), nullable=False),
        sa.Column("biodata", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("status_time", UtcDateTime, nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("faults", sa.Integer, nullable=False),
        sa.Column("next_attempt_time", UtcDateTime),
        sa.Column("matching_record_id", sa.String(64), nullable=False),
        sa.Column("match_score", sa.Double, nullable=False),
        sa.Column("chip_uid", sa.String(20), unique=True),
        sa.Column("lease_owner", sa.String(36)),
        sa.Column("lease_until", UtcDateTime),
    )
    op.create_index("record_by_nik", "record", ["nik", "arrival_number"])
    op.create_index("record_queue", "record", ["region", "status", "arrival_number"])
    op.create_index("record_funnel", "record", ["status", "status_time"])
    waiting = sa.text("status IN (1, 2, 3)")
    op.create_index(
        "record_pipeline", "record", ["arrival_number"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_table(
        "record_event",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
        sa.Column("region", sa.String(5), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("event_time", UtcDateTime, nullable=False),
    )
    op.create_index("record_event_by_record", "record_event", ["record_id", "sequence"])
    op.create_index("record_event_by_region", "record_event", ["region", "sequence"])
    op.create_table(
        "packet_image",
        sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("dpi", sa.Integer, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "chip_finger",
        sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "nik_holder",
        sa.Column("nik", sa.String(16), primary_key=True),
        sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
    )
    op.create_table(
        "gate",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "claim",
        sa.Column("claim_id", sa.String(36), primary_key=True),
        sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
        sa.Column("claimant", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("expire_time", UtcDateTime, nullable=False),
    )
    standing = sa.text("state = 'STANDING'")
    op.create_index(
        "claim_standing",
        "claim",
        ["record_id"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_index(
        "claim_lapsing", "claim", ["expire_time"], sqlite_where=standing, postgresql_where=standing
    )
