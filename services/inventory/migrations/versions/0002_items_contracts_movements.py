"""Items, closed days, two-phase transfers; contracts of every kind; requisitions, loans, sites, counts,
spoilage, destruction, refusals.

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from services.common.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CODE, _ID = sa.String(110), sa.String(36)
_PERSON, _REASON, _SHA256 = sa.String(200), sa.String(500), sa.String(64)
_PLACE, _ITEM = sa.String(64), sa.String(32)


def upgrade() -> None:
    _accounts()
    _ledger()
    _contracts()
    _movements()
    _counts_and_spoilage()


def _entry() -> sa.Column[Any]:
    return sa.Column("entry", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _accounts() -> None:
    """SQLite cannot change a rule of a table, and holdings point at accounts: both are written anew."""
    op.drop_index("ix_account_place", "account")
    op.drop_index("holding_of_account", "holding")
    op.rename_table("account", "account_before")
    op.rename_table("holding", "holding_before")
    op.create_table(
        "account",
        sa.Column("code", _CODE, primary_key=True),
        sa.Column("place", _PLACE, nullable=False),
        sa.Column("item", _ITEM, nullable=False),
        sa.Column("condition", sa.String(16), nullable=False),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.Column("closed_through", sa.Date),
        sa.Column("closed_balance", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint(
            "(condition IN ('contracted', 'found', 'borrowed') AND balance <= 0) "
            "OR (condition NOT IN ('contracted', 'found', 'borrowed') AND balance >= 0)",
            name="account_never_overdrawn",
        ),
    )
    op.create_table(
        "holding",
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("account", _CODE, sa.ForeignKey("account.code"), nullable=False),
        sa.Column("holder", _ID),
        sa.CheckConstraint("first <= last", name="holding_is_a_range"),
    )
    op.execute(
        "INSERT INTO account (code, place, item, condition, balance) "
        "SELECT code, place, 'blank', condition, balance FROM account_before"
    )
    op.execute(
        "INSERT INTO holding (first, last, account, holder) "
        "SELECT first, last, account, holder FROM holding_before"
    )
    op.drop_table("holding_before")
    op.drop_table("account_before")
    op.create_index("ix_account_place", "account", ["place"])
    op.create_index("holding_of_account", "holding", ["account", "first"])


def _ledger() -> None:
    items = op.create_table(
        "item",
        _entry(),
        sa.Column("item_id", _ITEM, nullable=False, unique=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("serialised", sa.Boolean, nullable=False),
        sa.Column("cards_per_unit", sa.BigInteger, nullable=False),
    )
    columns = ("item_id", "name", "unit", "serialised", "cards_per_unit")
    op.bulk_insert(
        items,
        [
            dict(zip(columns, row, strict=True))
            for row in (
                ("blank", "Blank card", "card", True, 1),
                ("ribbon", "Colour ribbon", "roll", False, 500),
                ("film", "Retransfer film", "roll", False, 1000),
                ("cleaning-kit", "Printer cleaning kit", "kit", False, 5000),
            )
        ],
    )
    op.add_column("transfer", sa.Column("reverses", _ID))
    op.add_column("transfer", sa.Column("batch", _ID))
    op.create_index("transfer_reverses", "transfer", ["reverses"], unique=True)
    op.create_index("ix_transfer_batch", "transfer", ["batch"])
    for column in ("source", "target"):
        with op.batch_alter_table("transfer_line") as change:
            change.alter_column(column, type_=_CODE, existing_nullable=False)
    op.create_index("transfer_line_out", "transfer_line", ["source", "entry"])
    op.create_index("transfer_line_in", "transfer_line", ["target", "entry"])
    op.create_table(
        "late_event",
        sa.Column(
            "entry", sa.BigInteger, sa.ForeignKey("transfer.entry"), primary_key=True, autoincrement=False
        ),
        sa.Column("event_time", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "ledger_day",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("floor_entry", sa.BigInteger, nullable=False),
        sa.Column("last_entry", sa.BigInteger, nullable=False),
        sa.Column("transfers", sa.BigInteger, nullable=False),
        sa.Column("close_time", UtcDateTime, nullable=False),
    )
    op.create_table(
        "account_day",
        sa.Column("code", _CODE, primary_key=True),
        sa.Column("day", sa.Date, sa.ForeignKey("ledger_day.day"), primary_key=True),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.Column("added", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pending",
        _entry(),
        sa.Column("transfer_id", _ID, sa.ForeignKey("transfer.transfer_id"), nullable=False, unique=True),
        sa.Column("source", _CODE, nullable=False),
        sa.Column("target", _CODE, nullable=False),
        sa.Column("held", _CODE, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("expire_time", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("end_time", UtcDateTime),
        sa.Index("pending_due", "state", "expire_time"),
    )


def _of_contract() -> sa.Column[Any]:
    return sa.Column("contract_id", _PLACE, sa.ForeignKey("contract.contract_id"), nullable=False, index=True)


def _contracts() -> None:
    for column in (
        sa.Column("kind", sa.String(16), nullable=False, server_default="blanks"),
        sa.Column("state", sa.String(16), nullable=False, server_default="active"),
        sa.Column("item", _ITEM),
        sa.Column("currency", sa.String(3), nullable=False, server_default="IDR"),
        sa.Column("price", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("valid_from", sa.Date),
        sa.Column("valid_until", sa.Date),
        sa.Column("max_people", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("max_searches_per_day", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("succeeds", _PLACE),
    ):
        op.add_column("contract", column)
    op.execute("UPDATE contract SET item = 'blank'")
    op.create_table(
        "contract_event",
        _entry(),
        _of_contract(),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("person", _PERSON, nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "contract_change",
        _entry(),
        sa.Column("change_id", _ID, nullable=False, unique=True),
        _of_contract(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", _PERSON, nullable=False),
        sa.Column("propose_time", UtcDateTime, nullable=False),
        sa.Column("decided_by", _PERSON),
        sa.Column("decide_time", UtcDateTime),
    )
    op.create_table(
        "contract_delivery",
        _entry(),
        _of_contract(),
        sa.Column("due", sa.Date, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.CheckConstraint("quantity > 0", name="contract_delivery_quantity"),
    )
    op.create_table(
        "contract_attachment",
        _entry(),
        _of_contract(),
        sa.Column("sha256", _SHA256, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("person", _PERSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("contract_id", "sha256", name="contract_attachment_once"),
    )
    op.create_table(
        "exit_item",
        _entry(),
        _of_contract(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("evidence", _SHA256, nullable=False),
        sa.Column("note", _REASON, nullable=False),
        sa.Column("person", _PERSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "supply",
        _entry(),
        sa.Column("supply_id", _ID, nullable=False, unique=True),
        _of_contract(),
        sa.Column("delivery_note", sa.String(64), nullable=False),
        sa.Column("item", _ITEM, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("receive_time", UtcDateTime, nullable=False),
    )


def _movements() -> None:
    op.add_column("allocation", sa.Column("item", _ITEM, nullable=False, server_default="blank"))
    for name in ("missing", "damaged", "surplus"):
        op.add_column("allocation", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("allocation", sa.Column("loan_id", _ID))
    op.create_index("ix_allocation_loan_id", "allocation", ["loan_id"])
    op.create_table(
        "requisition",
        _entry(),
        sa.Column("requisition_id", _ID, nullable=False, unique=True),
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
        sa.Column("granted", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("allocation_id", _ID),
    )
    op.create_table(
        "loan",
        _entry(),
        sa.Column("loan_id", _ID, nullable=False, unique=True),
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
    )
    op.create_table(
        "site",
        sa.Column("location", _PLACE, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("opens", sa.Date, nullable=False),
        sa.Column("closes", sa.Date, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_by", _PERSON, nullable=False),
        sa.Column("open_time", UtcDateTime, nullable=False),
        sa.Column("close_time", UtcDateTime),
    )
    op.create_table(
        "refusal",
        _entry(),
        sa.Column("refusal_id", _ID, nullable=False, unique=True),
        sa.Column("location", _PLACE, nullable=False),
        sa.Column("item", _ITEM, nullable=False),
        sa.Column("people", sa.Integer, nullable=False),
        sa.Column("reason", _REASON, nullable=False),
        sa.Column("event_time", UtcDateTime, nullable=False),
        sa.Column("book_time", UtcDateTime, nullable=False),
        sa.Column("person", _PERSON, nullable=False),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Index("refusal_of_place", "location", "event_time"),
    )


def _counts_and_spoilage() -> None:
    op.create_table(
        "stock_count",
        _entry(),
        sa.Column("count_id", _ID, nullable=False, unique=True),
        sa.Column("location", _PLACE, nullable=False, index=True),
        sa.Column("item", _ITEM, nullable=False),
        sa.Column("entry_seen", sa.BigInteger, nullable=False),
        sa.Column("expected", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("begun_by", _PERSON, nullable=False),
        sa.Column("begin_time", UtcDateTime, nullable=False),
        sa.Column("decided_by", _PERSON),
        sa.Column("decide_time", UtcDateTime),
        sa.Column("decision", _REASON, nullable=False, server_default=""),
    )
    op.create_table(
        "count_sheet",
        _entry(),
        sa.Column("count_id", _ID, sa.ForeignKey("stock_count.count_id"), nullable=False, index=True),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.Column("person", _PERSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("count_id", "round", name="count_sheet_round"),
    )
    op.create_table(
        "spoilage",
        _entry(),
        sa.Column("spoilage_id", _ID, nullable=False, unique=True),
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
        sa.Index("spoilage_of_place", "location", "item", "state"),
    )
    op.execute(
        "INSERT INTO spoilage (spoilage_id, location, item, quantity, reason, state, person, at) "
        "SELECT reservation_id, location, 'blank', 1, end_reason, 'booked', 'unknown', end_time "
        "FROM reservation WHERE state = 'spoiled'"
    )
    op.create_table(
        "destruction",
        _entry(),
        sa.Column("destruction_id", _ID, nullable=False, unique=True),
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
        sa.Column("protocol", sa.Text, nullable=False, server_default=""),
        sa.Column("signature", sa.LargeBinary),
        sa.Column("key_id", _SHA256, nullable=False, server_default=""),
    )
