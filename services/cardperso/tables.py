"""Tables of card personalization."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime

METADATA = sa.MetaData()

JOBS = sa.Table(
    "card_job",
    METADATA,
    sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("job_id", sa.String(36), nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("region", sa.String(5), nullable=False),
    sa.Column("location", sa.String(64), nullable=False),
    sa.Column("station", sa.String(200), nullable=False),
    sa.Column("reader", sa.String(200), nullable=False),
    sa.Column("issue_date", sa.Date, nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Column("update_time", UtcDateTime, nullable=False),
    sa.Column("claim_id", sa.String(36), nullable=False),
    sa.Column("record_id", sa.String(36), nullable=False),
    sa.Column("reservation_id", sa.String(36), nullable=False),
    sa.Column("blank_serial", sa.BigInteger, nullable=False),
    sa.Column("chip_uid", sa.String(20), nullable=False),
    sa.Column("consumed", sa.Boolean, nullable=False),
    sa.Column("apdu_count", sa.Integer, nullable=False),
    sa.Column("chip_seconds", sa.Float, nullable=False),
    sa.Column("readback_mismatches", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(16)),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("operator", sa.String(200), nullable=False, server_default=""),
    sa.Column("batch_id", sa.String(36), nullable=False, server_default=""),
    sa.Column("station_name", sa.String(63), nullable=False, server_default=""),
    sa.Column("checked_by", sa.String(200), nullable=False, server_default=""),
    sa.Column("rejected_by", sa.String(200), nullable=False, server_default=""),
    sa.Column("reject_reason", sa.String(300), nullable=False, server_default=""),
    sa.Column("reviewed_by", sa.String(200), nullable=False, server_default=""),
    sa.Column("review", sa.String(16), nullable=False, server_default=""),
    sa.Column("review_note", sa.String(200), nullable=False, server_default=""),
    sa.Column("spoilage_id", sa.String(36), nullable=False, server_default=""),
    sa.Column("errand", sa.String(16), nullable=False, server_default=""),
    sa.Column("errand_note", sa.String(500), nullable=False, server_default=""),
    sa.Column("sent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("card_time", UtcDateTime),
    sa.Column("loss_time", UtcDateTime),
    sa.Index("card_job_of_batch", "batch_id", "state"),
    sa.Index("card_job_of_station", "station_name", "entry"),
    sa.Index("card_job_of_reader", "station", "state", "entry"),
    sa.Index("card_job_of_chip", "chip_uid"),
    sa.Index("card_job_of_record", "record_id"),
    sa.Index("card_job_by_card_time", "card_time"),
)

# Nearly all jobs have nothing left to tell.
ERRANDS = JOBS.c.errand != sa.literal_column("''")
sa.Index("card_job_errand", JOBS.c.entry, sqlite_where=ERRANDS, postgresql_where=ERRANDS)
# Rejected, spoiled and void cards that no second person has accepted yet.
UNREVIEWED = sa.and_(
    JOBS.c.review != sa.literal_column("'ACCEPTED'"),
    sa.or_(
        JOBS.c.state == sa.literal_column("'SPOILED'"),
        JOBS.c.state == sa.literal_column("'VOID'"),
        JOBS.c.rejected_by != sa.literal_column("''"),
    ),
)
sa.Index("card_job_unreviewed", JOBS.c.entry, sqlite_where=UNREVIEWED, postgresql_where=UNREVIEWED)

# Few blanks are lost.
LOST = JOBS.c.loss_time.is_not(None)
sa.Index("card_job_by_loss_time", JOBS.c.loss_time, sqlite_where=LOST, postgresql_where=LOST)

FACES = sa.Table(
    "card_face",
    METADATA,
    sa.Column("job_id", sa.String(36), sa.ForeignKey("card_job.job_id"), primary_key=True),
    sa.Column("side", sa.String(8), primary_key=True),
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.Column("blob", sa.LargeBinary, nullable=False),
)

# Sessions in a row that failed with a chip.
ATTEMPTS = sa.Table(
    "chip_attempt",
    METADATA,
    sa.Column("chip_uid", sa.String(20), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_time", UtcDateTime, nullable=False),
)

# What was said to cards, a row a session; see `services.cardperso.journal`.
SESSIONS = sa.Table(
    "card_session",
    METADATA,
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
SESSION_HEAD = sa.Table(
    "card_session_head",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("key_id", sa.String(64)),
    sa.Column("seal", sa.LargeBinary),
)

STATIONS = sa.Table(
    "card_station",
    METADATA,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("location", sa.String(64), nullable=False),
    sa.Column("reader", sa.String(200), nullable=False),
    sa.Column("printer", sa.String(200), nullable=False),
    sa.Column("printer_state", sa.String(16), nullable=False),
    sa.Column("paused", sa.String(500), nullable=False),
    sa.Column("lease_time", UtcDateTime, nullable=False),
    sa.Index("card_station_of_reader", "host", "reader", unique=True),
)
BATCHES = sa.Table(
    "card_batch",
    METADATA,
    sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("batch_id", sa.String(36), nullable=False, unique=True),
    sa.Column("region", sa.String(5), nullable=False),
    sa.Column("location", sa.String(64), nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("operator", sa.String(200), nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Index("card_batch_of_state", "state", "entry"),
)
