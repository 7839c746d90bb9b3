"""The tables of enrolment, as the newest migration leaves them."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.enroll.record import IN_PIPELINE, Status

METADATA = sa.MetaData()

#: One row a series of numbers. Taking a number locks the row until the commit, so that numbers of a series
#: become visible in their own order: who has seen number n has seen every smaller one that will ever be.
COUNTERS = sa.Table(
    "counter",
    METADATA,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

RECORDS = sa.Table(
    "record",
    METADATA,
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
    # Which process of the pipeline works on it, and until when that is believed.
    sa.Column("lease_owner", sa.String(36)),
    sa.Column("lease_until", UtcDateTime),
)
sa.Index("record_by_nik", RECORDS.c.nik, RECORDS.c.arrival_number)
sa.Index("record_queue", RECORDS.c.region, RECORDS.c.status, RECORDS.c.arrival_number)
sa.Index("record_funnel", RECORDS.c.status, RECORDS.c.status_time)
WAITING = RECORDS.c.status.in_([sa.literal_column(str(int(status))) for status in IN_PIPELINE])
sa.Index("record_pipeline", RECORDS.c.arrival_number, sqlite_where=WAITING, postgresql_where=WAITING)

EVENTS = sa.Table(
    "record_event",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
    sa.Column("region", sa.String(5), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("event_time", UtcDateTime, nullable=False),
)
sa.Index("record_event_by_record", EVENTS.c.record_id, EVENTS.c.sequence)
sa.Index("record_event_by_region", EVENTS.c.region, EVENTS.c.sequence)
PRINTED = EVENTS.c.status == sa.literal_column(str(int(Status.CARD_PRINTED)))
sa.Index("record_event_printed", EVENTS.c.event_time, sqlite_where=PRINTED, postgresql_where=PRINTED)

#: The files of a packet, encrypted.
IMAGES = sa.Table(
    "packet_image",
    METADATA,
    sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("dpi", sa.Integer, nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

#: The minutiae records for the chip, encrypted; best finger first.
CHIP_FINGERS = sa.Table(
    "chip_finger",
    METADATA,
    sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("quality", sa.Integer, nullable=False),
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

#: Which live record a NIK belongs to. The primary key decides between two that come at once.
NIK_HOLDERS = sa.Table(
    "nik_holder",
    METADATA,
    sa.Column("nik", sa.String(16), primary_key=True),
    sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
)

#: What holds up everybody, while it does: a row is there only as long as the gate is shut.
GATES = sa.Table(
    "gate",
    METADATA,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_time", UtcDateTime, nullable=False),
)

CLAIMS = sa.Table(
    "claim",
    METADATA,
    sa.Column("claim_id", sa.String(36), primary_key=True),
    sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
    sa.Column("claimant", sa.String(100), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Column("expire_time", UtcDateTime, nullable=False),
)
_STANDING = CLAIMS.c.state == sa.literal_column("'STANDING'")
# At most one claim of a record stands; also finds those that lapse next.
sa.Index(
    "claim_standing", CLAIMS.c.record_id, unique=True, sqlite_where=_STANDING, postgresql_where=_STANDING
)
sa.Index("claim_lapsing", CLAIMS.c.expire_time, sqlite_where=_STANDING, postgresql_where=_STANDING)

#: Cards that were rejected after they were booked; their chips stand for nobody any more.
VOID_CARDS = sa.Table(
    "void_card",
    METADATA,
    sa.Column("chip_uid", sa.String(20), primary_key=True),
    sa.Column("record_id", sa.String(36), sa.ForeignKey("record.record_id"), nullable=False),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("rejected_by", sa.String(64), nullable=False),
    sa.Column("reviewed_by", sa.String(64), nullable=False),
    sa.Column("void_time", UtcDateTime, nullable=False),
)
