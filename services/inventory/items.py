"""The catalogue of what is kept in stock: blank cards, ribbon, film and whatever a programme adds."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.errors import AlreadyExists, FailedPrecondition, NotFound


@dataclass(frozen=True)
class Item:
    """A kind of stock. Each unit of a ``serialised`` item has a number of its own; one unit is enough for
    ``cards_per_unit`` cards.
    """

    item_id: str
    name: str
    unit: str
    serialised: bool
    cards_per_unit: int


def unknown(item_id: str) -> NotFound:
    """The refusal of an item that the catalogue does not have."""
    return NotFound(
        "ITEM_UNKNOWN",
        f"There is no item {item_id!r}.",
        field="item",
        remedy="Find it with ListItems, or add it with AddItem.",
    )


def exists(item_id: str) -> AlreadyExists:
    """The refusal of a second item under one id."""
    return AlreadyExists(
        "ITEM_EXISTS",
        f"The catalogue has an item {item_id}.",
        field="item.item_id",
        remedy="Use the one there is, or choose another id.",
    )


def serials_needed(item_id: str) -> FailedPrecondition:
    """The refusal to book units of a serialised item as if one were as good as another."""
    return FailedPrecondition(
        "SERIALS_NEEDED",
        f"Each {item_id} has a serial number; this booking names none.",
        field="item",
        remedy="Use ReserveBlank with ConsumeBlank or SpoilBlank, or name the serials.",
    )


def miscounted(item_id: str, quantity: int, named: int, field: str) -> FailedPrecondition:
    """The refusal of a quantity and of serial numbers that tell different counts."""
    return FailedPrecondition(
        "SERIALS_NEEDED",
        f"Of {quantity} {item_id} {named} are named by their serial numbers.",
        field=field,
        remedy="Name the serials of all of them; the quantity follows from them.",
        metadata={"quantity": str(quantity), "serials": str(named)},
    )


def serials_unwanted(item_id: str, field: str) -> FailedPrecondition:
    """The refusal of serial numbers for an item that has none."""
    return FailedPrecondition(
        "SERIALS_UNWANTED",
        f"The units of {item_id} have no serial numbers.",
        field=field,
        remedy="Send the quantity and leave the serials out.",
    )
