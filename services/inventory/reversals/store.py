"""The SQL of reversals that two people agree on, over one open transaction."""

from __future__ import annotations

import sqlalchemy as sa

from services.inventory.records import Records
from services.inventory.reversals import tables
from services.inventory.reversals.reversal import Reversal, ReversalState


class ReversalStore:
    """Reversals that were proposed."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.reversals: Records[Reversal] = Records(
            connection, tables.reversal, Reversal, "reversal_id", {"state": ReversalState}
        )
