"""The tables of stock counts, and of the sheets that people hand in."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, ITEM, METADATA, PERSON, PLACE, REASON, entry

# A stock count: two people count blindly; a third approves what differs from the books of `entry_seen`.
stock_count = sa.Table(
    "stock_count",
    METADATA,
    entry(),
    sa.Column("count_id", ID, nullable=False, unique=True),
    sa.Column("location", PLACE, nullable=False, index=True),
    sa.Column("item", ITEM, nullable=False),
    # The last entry that moved the account when the count began, and the balance then.
    sa.Column("entry_seen", sa.BigInteger, nullable=False),
    sa.Column("expected", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("begun_by", PERSON, nullable=False),
    sa.Column("begin_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", PERSON),
    sa.Column("decide_time", UtcDateTime),
    sa.Column("decision", REASON, nullable=False, server_default=""),
    sa.Index("stock_count_by_state", "state", "entry"),
)
# What each person counted, written once; `ranges` are the serials as JSON, empty for items without serials.
count_sheet = sa.Table(
    "count_sheet",
    METADATA,
    entry(),
    sa.Column("count_id", sa.ForeignKey("stock_count.count_id"), nullable=False, index=True),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("ranges", sa.Text, nullable=False),
    sa.Column("person", PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("count_id", "round", name="count_sheet_round"),
)
