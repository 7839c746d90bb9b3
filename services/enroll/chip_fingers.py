"""The fingers on the chip: which ones, and how much room each has."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import DataLoss
from services.enroll.vault import ChipFinger

#: The chip has 400 bytes a finger: 24 of record header, 4 of finger header, 6 a minutia, 2 of extended data
#: length (ISO/IEC 19794-2:2005, clause 8).
CHIP_RECORD_BYTES = 400
CHIP_MINUTIAE = (CHIP_RECORD_BYTES - 30) // 6
CHIP_FINGERS = 2


def best_fingers(fingers: Sequence[ChipFinger]) -> list[ChipFinger]:
    """Chooses the fingers for the chip: the two of best quality, best first.

    Raises:
        DataLoss: ``CHIP_FINGERS_MISSING`` or ``CHIP_RECORD_TOO_LONG``: the ABIS did not do what it was
            asked to.
    """
    if not fingers:
        raise DataLoss("CHIP_FINGERS_MISSING", "The ABIS made no minutiae record of any finger.")
    for finger in fingers:
        if len(finger.record) > CHIP_RECORD_BYTES:
            raise DataLoss(
                "CHIP_RECORD_TOO_LONG",
                f"The ABIS made a minutiae record of {len(finger.record)} bytes; the chip has room for"
                f" {CHIP_RECORD_BYTES}.",
            )
    return sorted(fingers, key=lambda finger: (-finger.quality, finger.position))[:CHIP_FINGERS]
