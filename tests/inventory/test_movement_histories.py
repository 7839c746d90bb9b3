"""Random histories of all movements against a tiny model: conserved, never negative, repeatable, remembered.

The model has a row per blank and a counter of rolls. Every request is sent twice; what the books said at any
moment they must still say at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.common.clock import FixedClock
from tests.inventory.histories import MovementHistory, live
from tests.inventory.inventory_office import Office


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 20), ("postgresql", 6)])
def test_random_histories_of_all_movements_keep_the_books(
    kind: str, examples: int, new_database: Callable[[str], str], clock: FixedClock, as_operator: None
) -> None:
    live(
        MovementHistory,
        lambda at: Office(new_database(kind), at),
        clock.now(),
        examples=examples,
        steps=30,
    )
