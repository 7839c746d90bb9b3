"""The tables of ledger and custody, as the newest migration leaves them; other packages have tables of their
own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.common.db import UtcDateTime

METADATA = sa.MetaData()

#: Contract numbers have up to 64 characters, items up to 32, conditions up to 11.
CODE = sa.String(110)
ID = sa.String(36)
PLACE = sa.String(64)
ITEM = sa.String(32)
PERSON = sa.String(200)
REASON = sa.String(500)


def entry() -> sa.Column[Any]:
    """A number that rises with each row; SQLite numbers rows of its own accord only as INTEGER."""
    return sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


# What is kept in stock. `cards_per_unit`: for how many cards one unit is enough, hundreds for a roll.
item = sa.Table(
    "item",
    METADATA,
    entry(),
    sa.Column("item_id", sa.String(32), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("unit", sa.String(32), nullable=False),
    sa.Column("serialised", sa.Boolean, nullable=False),
    sa.Column("cards_per_unit", sa.BigInteger, nullable=False),
)

# Balance of each account. The row is the lock of the account and of all its holdings. No day up to
# `closed_through` can be booked on any more; `closed_balance` is the balance at its end. `last_time` is when
# it was last booked on: nothing is booked on it before that.
account = sa.Table(
    "account",
    METADATA,
    sa.Column("code", CODE, primary_key=True),
    sa.Column("place", sa.String(64), nullable=False, index=True),
    sa.Column("item", sa.String(32), nullable=False),
    sa.Column("condition", sa.String(16), nullable=False),
    sa.Column("balance", sa.BigInteger, nullable=False),
    sa.Column("closed_through", sa.Date),
    sa.Column("closed_balance", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_time", UtcDateTime),
    sa.CheckConstraint(
        "(condition IN ('contracted', 'found', 'borrowed') AND balance <= 0) "
        "OR (condition NOT IN ('contracted', 'found', 'borrowed') AND balance >= 0)",
        name="account_never_overdrawn",
    ),
)

# What was booked; written once. A line without serials moves a promise, not blanks.
transfer = sa.Table(
    "transfer",
    METADATA,
    entry(),
    sa.Column("transfer_id", ID, nullable=False, unique=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("book_time", UtcDateTime, nullable=False),
    # The transfer that this one takes back; each can be taken back once.
    sa.Column("reverses", ID),
    # All transfers that were booked together, or not at all, have the same batch.
    sa.Column("batch", ID, index=True),
    sa.Index("transfer_reverses", "reverses", unique=True),
)
# Transfers into cards or spoilage that take nothing out of a stock. Forecasts look for these few among all.
IS_NO_USE = sa.text("kind IN ('card.voided', 'conveyance.received', 'receipt.damaged', 'stock.reversed')")
sa.Index(
    "transfer_no_use",
    transfer.c.book_time,
    transfer.c.entry,
    transfer.c.kind,
    sqlite_where=IS_NO_USE,
    postgresql_where=IS_NO_USE,
)
# Transfers that were booked later than they happened.
late_event = sa.Table(
    "late_event",
    METADATA,
    sa.Column("entry", sa.BigInteger, sa.ForeignKey("transfer.entry"), primary_key=True, autoincrement=False),
    sa.Column("event_time", UtcDateTime, nullable=False, index=True),
)
line = sa.Table(
    "transfer_line",
    METADATA,
    sa.Column("entry", sa.BigInteger, sa.ForeignKey("transfer.entry"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("source", CODE, nullable=False),
    sa.Column("target", CODE, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("first", sa.BigInteger),
    sa.Column("last", sa.BigInteger),
    # Bits of (last - first). Of each width class only ranges that begin within 2^width of a serial can
    # contain it, so the index finds the lines of one serial without reading those of its neighbours.
    sa.Column("width", sa.SmallInteger),
    sa.CheckConstraint("quantity > 0", name="transfer_line_moves_something"),
    sa.CheckConstraint("quantity = last - first + 1", name="transfer_line_counts_its_serials"),
    sa.Index("transfer_line_serials", "width", "first"),
    # The movements of one account in their order, for its balance at any moment.
    sa.Index("transfer_line_out", "source", "entry"),
    sa.Index("transfer_line_in", "target", "entry"),
)

# Days that can no longer be booked on (local days of Jakarta). All entries up to `floor_entry` were booked by
# the end of the day; none after `last_entry` was.
ledger_day = sa.Table(
    "ledger_day",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("floor_entry", sa.BigInteger, nullable=False),
    sa.Column("last_entry", sa.BigInteger, nullable=False),
    sa.Column("transfers", sa.BigInteger, nullable=False),
    sa.Column("close_time", UtcDateTime, nullable=False),
)
# Balance of each account at the end of each closed day on which it moved, and what came in and went out.
account_day = sa.Table(
    "account_day",
    METADATA,
    sa.Column("code", CODE, primary_key=True),
    sa.Column("day", sa.Date, sa.ForeignKey("ledger_day.day"), primary_key=True),
    sa.Column("balance", sa.BigInteger, nullable=False),
    sa.Column("added", sa.BigInteger, nullable=False),
    sa.Column("removed", sa.BigInteger, nullable=False),
    # What the whole country had at the end of a day.
    sa.Index("account_day_of_day", "day", "code", "balance"),
    # Rows lie in the order of their key, without a second copy of it as an index.
    sqlite_with_rowid=False,
)

# The first half of a two-phase transfer: `quantity` waits in `held` until it is posted to `target`, voided
# back to `source`, or voids itself at `expire_time`.
pending = sa.Table(
    "pending",
    METADATA,
    entry(),
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False, unique=True),
    sa.Column("source", CODE, nullable=False),
    sa.Column("target", CODE, nullable=False),
    sa.Column("held", CODE, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("expire_time", UtcDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("end_time", UtcDateTime),
    sa.Index("pending_due", "state", "expire_time"),
)

# Who has which serials now: disjoint ranges that together cover every delivered serial.
holding = sa.Table(
    "holding",
    METADATA,
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("account", sa.ForeignKey("account.code"), nullable=False),
    # Allocation or reservation that the range is set aside for.
    sa.Column("holder", ID),
    sa.CheckConstraint("first <= last", name="holding_is_a_range"),
    sa.Index("holding_of_account", "account", "first"),
)

lot = sa.Table(
    "lot",
    METADATA,
    entry(),
    sa.Column("lot_id", ID, nullable=False, unique=True),
    sa.Column("contract_id", sa.ForeignKey("contract.contract_id"), nullable=False, index=True),
    sa.Column("delivery_note", sa.String(64), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False, unique=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("receive_time", UtcDateTime, nullable=False),
)
allocation = sa.Table(
    "allocation",
    METADATA,
    entry(),
    sa.Column("allocation_id", ID, nullable=False, unique=True),
    sa.Column("source", sa.String(64), nullable=False, index=True),
    sa.Column("target", sa.String(64), nullable=False, index=True),
    sa.Column("item", sa.String(32), nullable=False, server_default="blank"),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # The transfer whose lines have the serials.
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Column("dispatch_time", UtcDateTime),
    sa.Column("receive_time", UtcDateTime),
    # What the receiver found otherwise than sent.
    sa.Column("missing", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("damaged", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("surplus", sa.BigInteger, nullable=False, server_default="0"),
    # The loan that it lends or gives back.
    sa.Column("loan_id", ID, index=True),
    # What is under way, among all that ever was.
    sa.Index("allocation_by_state", "state", "entry"),
)
reservation = sa.Table(
    "reservation",
    METADATA,
    entry(),
    sa.Column("reservation_id", ID, nullable=False, unique=True),
    sa.Column("serial", sa.BigInteger, nullable=False, index=True),
    sa.Column("location", sa.String(64), nullable=False),
    sa.Column("purpose", sa.String(100), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reserve_time", UtcDateTime, nullable=False),
    sa.Column("end_time", UtcDateTime),
    sa.Column("end_reason", sa.String(500), nullable=False),
    sa.Index("reservation_by_end", "end_time", "entry"),
)
# Chips outlive what is done with their cards: a row is never changed.
chip = sa.Table(
    "chip",
    METADATA,
    sa.Column("chip_uid", sa.String(20), primary_key=True),
    sa.Column("serial", sa.BigInteger, nullable=False, unique=True),
    sa.Column("bind_time", UtcDateTime, nullable=False),
)
