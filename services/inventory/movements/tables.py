"""The tables of movements: requisitions, loans, sites, refusals."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, ITEM, METADATA, PERSON, PLACE, REASON, entry

# A location asks for stock; a second person approves it, which allocates it.
requisition = sa.Table(
    "requisition",
    METADATA,
    entry(),
    sa.Column("requisition_id", ID, nullable=False, unique=True),
    sa.Column("location", PLACE, nullable=False, index=True),
    sa.Column("item", ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("needed_by", sa.Date),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("requested_by", PERSON, nullable=False),
    sa.Column("request_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", PERSON),
    sa.Column("decide_time", UtcDateTime),
    sa.Column("decision", REASON, nullable=False, server_default=""),
    # What was approved, from where, and the allocation that carries it out.
    sa.Column("granted", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("allocation_id", ID),
    sa.Index("requisition_by_state", "state", "entry"),
)

# Stock that one location lends to another. `owed` rises with each receipt by the borrower and falls with each
# receipt of what comes back.
loan = sa.Table(
    "loan",
    METADATA,
    entry(),
    sa.Column("loan_id", ID, nullable=False, unique=True),
    sa.Column("lender", PLACE, nullable=False, index=True),
    sa.Column("borrower", PLACE, nullable=False, index=True),
    sa.Column("item", ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("owed", sa.BigInteger, nullable=False),
    sa.Column("due", sa.Date, nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_by", PERSON, nullable=False),
    sa.Column("propose_time", UtcDateTime, nullable=False),
    sa.Column("approved_by", PERSON),
    sa.Column("approve_time", UtcDateTime),
    sa.CheckConstraint("owed >= 0", name="loan_owed"),
    sa.Index("loan_by_state", "state", "entry"),
)

# A place of an event with stock and printers of its own. What it prints is charged to it.
site = sa.Table(
    "site",
    METADATA,
    sa.Column("location", PLACE, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("opens", sa.Date, nullable=False),
    sa.Column("closes", sa.Date, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("opened_by", PERSON, nullable=False),
    sa.Column("open_time", UtcDateTime, nullable=False),
    sa.Column("close_time", UtcDateTime),
)

# Somebody was sent away for want of stock; what the books said at that moment stands beside it.
refusal = sa.Table(
    "refusal",
    METADATA,
    entry(),
    sa.Column("refusal_id", ID, nullable=False, unique=True),
    sa.Column("location", PLACE, nullable=False),
    sa.Column("item", ITEM, nullable=False),
    sa.Column("people", sa.Integer, nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("event_time", UtcDateTime, nullable=False),
    sa.Column("book_time", UtcDateTime, nullable=False),
    sa.Column("person", PERSON, nullable=False),
    # Free stock at `event_time`, by the books.
    sa.Column("on_hand", sa.BigInteger, nullable=False),
    sa.Index("refusal_of_place", "location", "event_time"),
    sa.Index("refusal_told", "book_time"),
)
