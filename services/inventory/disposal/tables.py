"""The tables of what cannot be used any more: spoilage, cards that came back, their way and their end."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, ITEM, METADATA, PERSON, PLACE, REASON, entry

# What was spoiled, and what a second person says of it.
spoilage = sa.Table(
    "spoilage",
    METADATA,
    entry(),
    sa.Column("spoilage_id", ID, nullable=False, unique=True),
    sa.Column("location", PLACE, nullable=False),
    sa.Column("item", ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("person", PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("reviewed_by", PERSON),
    sa.Column("review_time", UtcDateTime),
    sa.Column("review", REASON, nullable=False, server_default=""),
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
    sa.Column("person", PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("review", REASON, nullable=False),
)

# A card that came back from its holder and is held at `location`. Written once: what became of it is custody.
withdrawal = sa.Table(
    "withdrawal",
    METADATA,
    entry(),
    sa.Column("withdrawal_id", ID, nullable=False, unique=True),
    sa.Column("serial", sa.BigInteger, nullable=False, index=True),
    sa.Column("chip_uid", sa.String(20), nullable=False),
    sa.Column("made_at", PLACE, nullable=False),
    sa.Column("location", PLACE, nullable=False, index=True),
    sa.Column("cause", sa.String(16), nullable=False),
    sa.Column("note", REASON, nullable=False),
    sa.Column("taken_by", PERSON, nullable=False),
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
    sa.Column("location", PLACE, nullable=False, index=True),
    sa.Column("item", ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("ranges", sa.Text, nullable=False),
    sa.Column("method", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("prepared_by", PERSON, nullable=False),
    sa.Column("prepare_time", UtcDateTime, nullable=False),
    sa.Column("witnessed_by", PERSON),
    sa.Column("witness_time", UtcDateTime),
    # The canonical JSON that was signed, the Ed25519 signature, and the key's id.
    sa.Column("protocol", sa.Text, nullable=False, server_default=""),
    sa.Column("signature", sa.LargeBinary),
    sa.Column("key_id", sa.String(64), nullable=False, server_default=""),
    # The canonical JSON that the witness vouches for.
    sa.Column("prepared", sa.Text, nullable=False, server_default=""),
    # Who let it go without a witness, and why.
    sa.Column("withdrawn_by", PERSON),
    sa.Column("withdraw_time", UtcDateTime),
    sa.Column("withdraw_reason", REASON, nullable=False, server_default=""),
)

# What is on its way to a destruction elsewhere. `ranges` were sent, `cards` of them are withdrawn cards,
# `remaining` have not arrived (JSON).
conveyance = sa.Table(
    "conveyance",
    METADATA,
    entry(),
    sa.Column("conveyance_id", ID, nullable=False, unique=True),
    sa.Column("source", PLACE, nullable=False, index=True),
    sa.Column("target", PLACE, nullable=False, index=True),
    sa.Column("item", ITEM, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("ranges", sa.Text, nullable=False),
    sa.Column("cards", sa.Text, nullable=False),
    sa.Column("remaining", sa.Text, nullable=False),
    sa.Column("under_way", sa.BigInteger, nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("sent_by", PERSON, nullable=False),
    sa.Column("send_time", UtcDateTime, nullable=False),
    sa.Column("received_by", PERSON),
    sa.Column("receive_time", UtcDateTime),
    sa.CheckConstraint("under_way >= 0", name="conveyance_under_way"),
)
