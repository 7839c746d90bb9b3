"""The table of reversals that two people agree on."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.db import UtcDateTime
from services.inventory.tables import ID, METADATA, PERSON, REASON, entry

# One person wants a transfer, or the last step of a shipment, taken back; another approves.
reversal = sa.Table(
    "reversal",
    METADATA,
    entry(),
    sa.Column("reversal_id", ID, nullable=False, unique=True),
    sa.Column("transfer_id", sa.ForeignKey("transfer.transfer_id"), nullable=False),
    sa.Column("allocation_id", ID),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("reason", REASON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_by", PERSON, nullable=False),
    sa.Column("propose_time", UtcDateTime, nullable=False),
    sa.Column("decided_by", PERSON),
    sa.Column("decide_time", UtcDateTime),
)
