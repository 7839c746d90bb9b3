"""The tables of contracts: terms, history, steps, what is due, what is attached, what the vendor left."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, METADATA, PERSON, REASON, entry

_CONTRACT = sa.String(64)
_SHA256 = sa.String(64)


def _of_contract() -> sa.Column[str]:
    return sa.Column("contract_id", sa.ForeignKey("contract.contract_id"), nullable=False, index=True)


# Terms as they are now; what they were before each amendment is in the changes.
contract = sa.Table(
    "contract",
    METADATA,
    entry(),
    sa.Column("contract_id", _CONTRACT, nullable=False, unique=True),
    sa.Column("supplier", sa.String(200), nullable=False),
    # Units of `item` to be delivered; 0 for a contract that delivers none.
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("create_time", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default="blanks"),
    sa.Column("state", sa.String(16), nullable=False, server_default="active"),
    # What it delivers: `blank`, `ribbon` and so on; NULL for licences and maintenance.
    sa.Column("item", sa.String(32)),
    # ISO 4217, and the whole price in its smallest unit.
    sa.Column("currency", sa.String(3), nullable=False, server_default="IDR"),
    sa.Column("price", sa.BigInteger, nullable=False, server_default="0"),
    # Both days included; NULL is open.
    sa.Column("valid_from", sa.Date),
    sa.Column("valid_until", sa.Date),
    # Ceilings of an ABIS licence; 0 means that the contract sets none.
    sa.Column("max_people", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("max_searches_per_day", sa.BigInteger, nullable=False, server_default="0"),
    # The contract of the vendor whom this one follows.
    sa.Column("succeeds", _CONTRACT),
)

# What happened to a contract, written once.
contract_event = sa.Table(
    "contract_event",
    METADATA,
    entry(),
    _of_contract(),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("person", PERSON, nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

# A step that one person proposes and a second one approves: sign, activate, amend, close, terminate.
contract_change = sa.Table(
    "contract_change",
    METADATA,
    entry(),
    sa.Column("change_id", ID, nullable=False, unique=True),
    _of_contract(),
    sa.Column("kind", sa.String(16), nullable=False),
    # What an amendment changes, as JSON: field -> new value.
    sa.Column("terms", sa.Text, nullable=False),
    # What it replaces, written alike; empty for changes from before this was kept.
    sa.Column("terms_before", sa.Text, nullable=False, server_default="{}"),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_by", PERSON, nullable=False),
    sa.Column("propose_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", PERSON),
    sa.Column("decide_time", UtcDateTime),
)

contract_delivery = sa.Table(
    "contract_delivery",
    METADATA,
    entry(),
    _of_contract(),
    sa.Column("due", sa.Date, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.CheckConstraint("quantity > 0", name="contract_delivery_quantity"),
)

contract_attachment = sa.Table(
    "contract_attachment",
    METADATA,
    entry(),
    _of_contract(),
    sa.Column("sha256", _SHA256, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("person", PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("contract_id", "sha256", name="contract_attachment_once"),
)

# What a vendor has to leave behind, attested or missing; the newest row of a kind and name counts.
exit_item = sa.Table(
    "exit_item",
    METADATA,
    entry(),
    _of_contract(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("evidence", _SHA256, nullable=False),
    sa.Column("note", REASON, nullable=False),
    sa.Column("person", PERSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

# Lots whose receipt was taken back; no serial of theirs is in stock by it.
reversed_lot = sa.Table(
    "reversed_lot",
    METADATA,
    entry(),
    sa.Column("lot_id", ID, nullable=False, unique=True),
    _of_contract(),
    sa.Column("delivery_note", sa.String(64), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False, index=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("receive_time", UtcDateTime, nullable=False),
    # The transfer that took it back.
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("reverse_time", UtcDateTime, nullable=False),
)

# What the ABIS last reported on each day.
licence_use = sa.Table(
    "licence_use",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
    sa.Column("time", UtcDateTime, nullable=False),
)

# Deliveries of items that have no serials; those that have them are lots.
supply = sa.Table(
    "supply",
    METADATA,
    entry(),
    sa.Column("supply_id", ID, nullable=False, unique=True),
    _of_contract(),
    sa.Column("delivery_note", sa.String(64), nullable=False),
    sa.Column("item", sa.String(32), nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("receive_time", UtcDateTime, nullable=False),
)
