"""The SQL of what cannot be used any more, over one open transaction."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.inventory.disposal import tables
from services.inventory.disposal.conveyance import Conveyance, ConveyanceState
from services.inventory.disposal.spoilage import (
    Destruction,
    DestructionState,
    Review,
    Spoilage,
    SpoilageState,
)
from services.inventory.disposal.withdrawal import Cause, Withdrawal
from services.inventory.location import Location
from services.inventory.records import RANGES, Records


class DisposalStore:
    """What is known of spoilage, cards that came back, conveyances and destructions, beside the books."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.spoilages: Records[Spoilage] = Records(
            connection, tables.spoilage, Spoilage, "spoilage_id", {"state": SpoilageState}
        )
        self.destructions: Records[Destruction] = Records(
            connection,
            tables.destruction,
            Destruction,
            "destruction_id",
            {"state": DestructionState, "ranges": RANGES},
        )
        self.withdrawals: Records[Withdrawal] = Records(
            connection, tables.withdrawal, Withdrawal, "withdrawal_id", {"cause": Cause}
        )
        self.reviews: Records[Review] = Records(
            connection, tables.spoilage_review, Review, "spoilage_id", {"state": SpoilageState}
        )
        self.conveyances: Records[Conveyance] = Records(
            connection,
            tables.conveyance,
            Conveyance,
            "conveyance_id",
            {"state": ConveyanceState, "ranges": RANGES, "cards": RANGES, "remaining": RANGES},
        )

    def reviews_of(self, spoilage_ids: Sequence[str]) -> dict[str, list[Review]]:
        """Every word said of each of these spoilages, oldest first."""
        found: dict[str, list[Review]] = {spoilage_id: [] for spoilage_id in spoilage_ids}
        for review in self.reviews.where(tables.spoilage_review.c.spoilage_id.in_(spoilage_ids)):
            found[review.spoilage_id].append(review)
        return found

    def unaccepted(self, location: Location, item: str) -> int:
        """Spoiled units of a location that no reviewer has accepted."""
        spoilage = tables.spoilage
        total = self.connection.scalar(
            sa.select(sa.func.sum(spoilage.c.quantity)).where(
                spoilage.c.location == location,
                spoilage.c.item == item,
                spoilage.c.state.not_in((SpoilageState.ACCEPTED, SpoilageState.REVERSED)),
            )
        )
        return int(total or 0)
