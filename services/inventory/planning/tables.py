"""The tables of planning: who waits, what a location has beside stock, plans, coverage."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, METADATA, entry

_PLACE, _ITEM = sa.String(64), sa.String(32)
_PERSON, _REASON = sa.String(200), sa.String(500)

# What was last reported of each location on each day.
demand_report = sa.Table(
    "demand_report",
    METADATA,
    sa.Column("location", _PLACE, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("undeduplicated", sa.BigInteger, nullable=False),
    sa.Column("print_ready", sa.BigInteger, nullable=False),
    sa.Column("suket_debt", sa.BigInteger, nullable=False),
    sa.Column("arrivals", sa.BigInteger, nullable=False),
    sa.Column("duplicates", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("time", UtcDateTime, nullable=False),
)
# Zeros are unknown.
capacity = sa.Table(
    "capacity",
    METADATA,
    sa.Column("location", _PLACE, primary_key=True),
    sa.Column("printers", sa.Integer, nullable=False),
    sa.Column("cards_per_printer_day", sa.Integer, nullable=False),
    sa.Column("lead_days", sa.Integer, nullable=False),
)
# `shares` and `moves` are JSON: what was proposed does not change, and nobody asks for a part of it.
plan = sa.Table(
    "plan",
    METADATA,
    entry(),
    sa.Column("plan_id", ID, nullable=False, unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("scope", _PLACE, nullable=False),
    sa.Column("source", _PLACE, nullable=False),
    sa.Column("item", _ITEM, nullable=False),
    sa.Column("available", sa.BigInteger, nullable=False),
    sa.Column("lot", sa.BigInteger, nullable=False),
    sa.Column("minimum", sa.BigInteger, nullable=False),
    sa.Column("lending", sa.Boolean, nullable=False),
    sa.Column("left_over", sa.BigInteger, nullable=False),
    sa.Column("days_before", sa.Float, nullable=False),
    sa.Column("days_after", sa.Float, nullable=False),
    sa.Column("reason", _REASON, nullable=False),
    sa.Column("proposed_by", _PERSON, nullable=False),
    sa.Column("propose_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", _PERSON),
    sa.Column("decide_time", UtcDateTime),
    sa.Column("decision", _REASON, nullable=False, server_default=""),
    sa.Column("carried_out_by", _PERSON),
    sa.Column("carry_out_time", UtcDateTime),
    sa.Column("shares", sa.Text, nullable=False),
    sa.Column("moves", sa.Text, nullable=False),
    sa.Column("allocation_ids", sa.Text, nullable=False),
)
# Written once: a new denominator is a new row.
coverage = sa.Table(
    "coverage",
    METADATA,
    entry(),
    sa.Column("location", _PLACE, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("recorded", sa.BigInteger, nullable=False),
    sa.Column("obliged", sa.BigInteger, nullable=False),
    sa.Column("source", sa.String(200), nullable=False),
    sa.Column("entry_time", UtcDateTime, nullable=False),
    sa.Index("coverage_of_place", "location", "entry"),
)
