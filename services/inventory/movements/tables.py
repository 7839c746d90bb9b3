"""The tables of movements: requisitions, loans, sites, counts, spoilage, destruction, refusals."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, METADATA, entry

_PLACE = sa.String(64)
_ITEM = sa.String(32)
_PERSON = sa.String(200)
_REASON = sa.String(500)

# A location asks for stock; a second person approves it, which allocates it.
requisition = sa.Table(
    "requisition",
    METADATA,
    entry(),
    sa.Column("requisition_id", ID, nullable=False, unique=True),
    sa.Column("location", _PLACE, nullable=False, index=True),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("needed_by", sa.Date),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("requested_by", _PERSON, nullable=False),
    sa.Column("request_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", _PERSON),
    sa.Column("decide_time", UtcDateTime),
    sa.Column("decision", _REASON, nullable=False, server_default=""),
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
    sa.Column("lender", _PLACE, nullable=False, index=True),
    sa.Column("borrower", _PLACE, nullable=False, index=True),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("owed", sa.BigInteger, nullable=False),
    sa.Column("due", sa.Date, nullable=False),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_by", _PERSON, nullable=False),
    sa.Column("propose_time", UtcDateTime, nullable=False),
    sa.Column("approved_by", _PERSON),
    sa.Column("approve_time", UtcDateTime),
    sa.CheckConstraint("owed >= 0", name="loan_owed"),
    sa.Index("loan_by_state", "state", "entry"),
)

# A place of an event with stock and printers of its own. What it prints is charged to it.
site = sa.Table(
    "site",
    METADATA,
    sa.Column("location", _PLACE, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("opens", sa.Date, nullable=False),
    sa.Column("closes", sa.Date, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("opened_by", _PERSON, nullable=False),
    sa.Column("open_time", UtcDateTime, nullable=False),
    sa.Column("close_time", UtcDateTime),
)

# A stock count: two people count blindly; a third approves what differs from the books of `entry_seen`.
stock_count = sa.Table(
    "stock_count",
    METADATA,
    entry(),
    sa.Column("count_id", ID, nullable=False, unique=True),
    sa.Column("location", _PLACE, nullable=False, index=True),
    sa.Column("item", _ITEM, nullable=False),
    # The last entry that moved the account when the count began, and the balance then.
    sa.Column("entry_seen", sa.BigInteger, nullable=False),
    sa.Column("expected", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("begun_by", _PERSON, nullable=False),
    sa.Column("begin_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", _PERSON),
    sa.Column("decide_time", UtcDateTime),
    sa.Column("decision", _REASON, nullable=False, server_default=""),
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
    sa.Column("person", _PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("count_id", "round", name="count_sheet_round"),
)

# What was spoiled, and what a second person says of it.
spoilage = sa.Table(
    "spoilage",
    METADATA,
    entry(),
    sa.Column("spoilage_id", ID, nullable=False, unique=True),
    sa.Column("location", _PLACE, nullable=False),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("person", _PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("reviewed_by", _PERSON),
    sa.Column("review_time", UtcDateTime),
    sa.Column("review", _REASON, nullable=False, server_default=""),
    # What spoiled it: a reservation, an allocation, a transfer.
    sa.Column("subject", sa.String(64), nullable=False, server_default=""),
    sa.Index("spoilage_of_place", "location", "item", "state"),
    sa.Index("spoilage_subject", "subject"),
)

# What reviewers said, each word written once; `spoilage` has the last one.
spoilage_review = sa.Table(
    "spoilage_review",
    METADATA,
    entry(),
    sa.Column("spoilage_id", sa.ForeignKey("spoilage.spoilage_id"), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("person", _PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("review", _REASON, nullable=False),
)

# A card that came back from its holder and is held at `location`. Written once: what became of it is custody.
withdrawal = sa.Table(
    "withdrawal",
    METADATA,
    entry(),
    sa.Column("withdrawal_id", ID, nullable=False, unique=True),
    sa.Column("serial", sa.BigInteger, nullable=False, index=True),
    sa.Column("chip_uid", sa.String(20), nullable=False),
    sa.Column("made_at", _PLACE, nullable=False),
    sa.Column("location", _PLACE, nullable=False, index=True),
    sa.Column("cause", sa.String(16), nullable=False),
    sa.Column("note", _REASON, nullable=False),
    sa.Column("taken_by", _PERSON, nullable=False),
    sa.Column("event_time", UtcDateTime, nullable=False),
    sa.Column("book_time", UtcDateTime, nullable=False),
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False),
)

# The protocol (berita acara) of a destruction: made by one, witnessed by another and signed, or withdrawn.
destruction = sa.Table(
    "destruction",
    METADATA,
    entry(),
    sa.Column("destruction_id", ID, nullable=False, unique=True),
    sa.Column("location", _PLACE, nullable=False, index=True),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("ranges", sa.Text, nullable=False),
    sa.Column("method", _REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("prepared_by", _PERSON, nullable=False),
    sa.Column("prepare_time", UtcDateTime, nullable=False),
    sa.Column("witnessed_by", _PERSON),
    sa.Column("witness_time", UtcDateTime),
    # The canonical JSON that was signed, the Ed25519 signature, and the key's id.
    sa.Column("protocol", sa.Text, nullable=False, server_default=""),
    sa.Column("signature", sa.LargeBinary),
    sa.Column("key_id", sa.String(64), nullable=False, server_default=""),
    # The canonical JSON that the witness vouches for.
    sa.Column("prepared", sa.Text, nullable=False, server_default=""),
    # Who let it go without a witness, and why.
    sa.Column("withdrawn_by", _PERSON),
    sa.Column("withdraw_time", UtcDateTime),
    sa.Column("withdraw_reason", _REASON, nullable=False, server_default=""),
)

# What is on its way to a destruction elsewhere. `ranges` were sent, `cards` of them are withdrawn cards,
# `remaining` have not arrived (JSON).
conveyance = sa.Table(
    "conveyance",
    METADATA,
    entry(),
    sa.Column("conveyance_id", ID, nullable=False, unique=True),
    sa.Column("source", _PLACE, nullable=False, index=True),
    sa.Column("target", _PLACE, nullable=False, index=True),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("ranges", sa.Text, nullable=False),
    sa.Column("cards", sa.Text, nullable=False),
    sa.Column("remaining", sa.Text, nullable=False),
    sa.Column("under_way", sa.BigInteger, nullable=False),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("sent_by", _PERSON, nullable=False),
    sa.Column("send_time", UtcDateTime, nullable=False),
    sa.Column("received_by", _PERSON),
    sa.Column("receive_time", UtcDateTime),
    sa.CheckConstraint("under_way >= 0", name="conveyance_under_way"),
)

# One person wants a transfer, or the last step of a shipment, taken back; another approves.
reversal = sa.Table(
    "reversal",
    METADATA,
    entry(),
    sa.Column("reversal_id", ID, nullable=False, unique=True),
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False),
    sa.Column("allocation_id", ID),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_by", _PERSON, nullable=False),
    sa.Column("propose_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", _PERSON),
    sa.Column("decide_time", UtcDateTime),
)

# Somebody was sent away for want of stock; what the books said at that moment stands beside it.
refusal = sa.Table(
    "refusal",
    METADATA,
    entry(),
    sa.Column("refusal_id", ID, nullable=False, unique=True),
    sa.Column("location", _PLACE, nullable=False),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("people", sa.Integer, nullable=False),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("event_time", UtcDateTime, nullable=False),
    sa.Column("book_time", UtcDateTime, nullable=False),
    sa.Column("person", _PERSON, nullable=False),
    # Free stock at `event_time`, by the books.
    sa.Column("on_hand", sa.BigInteger, nullable=False),
    sa.Index("refusal_of_place", "location", "event_time"),
    sa.Index("refusal_told", "book_time"),
)
