"""Units of an item at a place, as a request names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.inventory import items
from services.inventory.desk import Desk
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location


@dataclass(frozen=True)
class Goods:
    """Units of an item at a location; their serials where it has them."""

    location: Location
    item: str
    quantity: int
    serials: Sequence[SerialRange]

    def counted(self, desk: Desk) -> tuple[tuple[SerialRange, ...], int]:
        """The serials in order and how many units there are; raises :class:`InvalidArgument` for none."""
        desk.item(self.item)
        serials, quantity = desk.counted(self.item, self.quantity, self.serials, "serials")
        if quantity:
            return serials, quantity
        if desk.serialised(self.item):
            raise items.serials_needed(self.item)
        raise InvalidArgument(
            "QUANTITY_MISSING",
            f"How many units of {self.item}?",
            field="quantity",
            remedy="Send the quantity.",
        )
