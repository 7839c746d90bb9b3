"""Data groups 4 and 5: finger minutiae records (ISO/IEC 19794-2:2005, 8.3), checked and taken over as they
are.
"""

from __future__ import annotations

from services.cardperso.chip.refusal import ChipRefusal, over_budget
from services.cardperso.holder import Finger

_MAGIC = b"FMR\0 20\0"
_MIN_BYTES = 28
"""Record header and the header of one finger view."""


def finger(given: Finger, field: str, budget: int) -> bytes:
    """Content of a finger's data group.

    Raises:
        ChipRefusal: no 19794-2:2005 record, a wrong length in its header, or over the budget.
    """
    record = given.template
    if len(record) > budget:
        raise over_budget(field, len(record), budget, "Keep the best minutiae only.")
    if (
        len(record) < _MIN_BYTES
        or not record.startswith(_MAGIC)
        or int.from_bytes(record[8:12], "big") != len(record)
    ):
        raise ChipRefusal(
            "FINGER_UNREADABLE",
            f"{field} is no ISO/IEC 19794-2:2005 finger minutiae record.",
            field=field,
            size=len(record),
            remedy="Send the record that the ABIS made.",
        )
    return record
