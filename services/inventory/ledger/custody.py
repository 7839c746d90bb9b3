"""The custody of a blank: every transfer that moved it, from the lot to now.

What was, is on the lines of the ledger's transfers, which name serials as ranges. What is, are holdings:
disjoint ranges that cover every delivered serial once. Neighbours in the same hands cost one row, however
many they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from services.inventory.ledger.entries import Account, Kind


class CustodyStep(NamedTuple):
    """One transfer that a blank went through."""

    transfer_id: str
    kind: Kind
    source: Account
    target: Account
    actor: str
    reason: str
    book_time: datetime
