"""The tables of the inventory, as the newest migration leaves them. Queries are in ``books.py`` and
``store.py``.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.common.db import UtcDateTime

METADATA = sa.MetaData()

#: Contract numbers have up to 64 characters, conditions up to 11.
_CODE = sa.String(80)
_ID = sa.String(36)


def _entry() -> sa.Column[Any]:
    """A number that rises with each row; SQLite numbers rows of its own accord only as INTEGER."""
    return sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


# Balance of each account. The row is the lock of the account and of all its holdings.
account = sa.Table(
    "account",
    METADATA,
    sa.Column("code", _CODE, primary_key=True),
    sa.Column("place", sa.String(64), nullable=False, index=True),
    sa.Column("condition", sa.String(16), nullable=False),
    sa.Column("balance", sa.BigInteger, nullable=False),
    sa.CheckConstraint(
        "(condition = 'contracted' AND balance <= 0) OR (condition <> 'contracted' AND balance >= 0)",
        name="account_never_overdrawn",
    ),
)

# What was booked; written once. A line without serials moves a promise, not blanks.
transfer = sa.Table(
    "transfer",
    METADATA,
    _entry(),
    sa.Column("transfer_id", _ID, nullable=False, unique=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("book_time", UtcDateTime, nullable=False),
)
line = sa.Table(
    "transfer_line",
    METADATA,
    sa.Column("entry", sa.BigInteger, sa.ForeignKey("transfer.entry"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("source", _CODE, nullable=False),
    sa.Column("target", _CODE, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("first", sa.BigInteger),
    sa.Column("last", sa.BigInteger),
    # Bits of (last - first). Of each width class only ranges that begin within 2^width of a serial can
    # contain it, so the index finds the lines of one serial without reading those of its neighbours.
    sa.Column("width", sa.SmallInteger),
    sa.CheckConstraint("quantity > 0", name="transfer_line_moves_something"),
    sa.CheckConstraint("quantity = last - first + 1", name="transfer_line_counts_its_serials"),
    sa.Index("transfer_line_serials", "width", "first"),
)

# Who has which serials now: disjoint ranges that together cover every delivered serial.
holding = sa.Table(
    "holding",
    METADATA,
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("account", sa.ForeignKey("account.code"), nullable=False),
    # Allocation or reservation that the range is set aside for.
    sa.Column("holder", _ID),
    sa.CheckConstraint("first <= last", name="holding_is_a_range"),
    sa.Index("holding_of_account", "account", "first"),
)

contract = sa.Table(
    "contract",
    METADATA,
    _entry(),
    sa.Column("contract_id", sa.String(64), nullable=False, unique=True),
    sa.Column("supplier", sa.String(200), nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
)
lot = sa.Table(
    "lot",
    METADATA,
    _entry(),
    sa.Column("lot_id", _ID, nullable=False, unique=True),
    sa.Column("contract_id", sa.ForeignKey("contract.contract_id"), nullable=False, index=True),
    sa.Column("delivery_note", sa.String(64), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False, unique=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("receive_time", UtcDateTime, nullable=False),
)
allocation = sa.Table(
    "allocation",
    METADATA,
    _entry(),
    sa.Column("allocation_id", _ID, nullable=False, unique=True),
    sa.Column("source", sa.String(64), nullable=False, index=True),
    sa.Column("target", sa.String(64), nullable=False, index=True),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # The transfer whose lines have the serials.
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Column("dispatch_time", UtcDateTime),
    sa.Column("receive_time", UtcDateTime),
)
reservation = sa.Table(
    "reservation",
    METADATA,
    _entry(),
    sa.Column("reservation_id", _ID, nullable=False, unique=True),
    sa.Column("serial", sa.BigInteger, nullable=False, index=True),
    sa.Column("location", sa.String(64), nullable=False),
    sa.Column("purpose", sa.String(100), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reserve_time", UtcDateTime, nullable=False),
    sa.Column("end_time", UtcDateTime),
    sa.Column("end_reason", sa.String(500), nullable=False),
)
# Chips outlive what is done with their cards: a row is never changed.
chip = sa.Table(
    "chip",
    METADATA,
    sa.Column("chip_uid", sa.String(20), primary_key=True),
    sa.Column("serial", sa.BigInteger, nullable=False, unique=True),
    sa.Column("bind_time", UtcDateTime, nullable=False),
)
