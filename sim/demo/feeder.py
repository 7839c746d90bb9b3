"""The hand that lays a fresh blank on the reader for each card job, and now and then a faulty one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sim.card import Faults
from sim.card.globalplatform import VirtualGlobalPlatformCard

DIES_AT_APDU = 14
"""A faulty blank loses power here: its data are on their way, long before they are complete."""


class CardFeeder:
    """Lays blank virtual cards on one reader, one after the other.

    Args:
        port: of the virtual reader.
        directory: where the cards' EEPROM images are kept; each card keeps its own.
        seed: of the chip UIDs.
    """

    def __init__(self, port: int, directory: Path, seed: int) -> None:
        self._port = port
        self._directory = directory
        self._seed = seed
        self._laid = 0
        self._card: VirtualGlobalPlatformCard | None = None
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def uid(self) -> str:
        """UID of the card on the reader, upper-case hexadecimal."""
        assert self._card is not None
        return self._card.uid

    def lay(self, *, faulty: bool = False) -> None:
        """Take away what lies there and lay the next blank; a faulty one dies while it is written."""
        if self._card is not None:
            self.take()
        digest = hashlib.sha256(f"{self._seed}/{self._laid}".encode()).digest()
        uid = b"\x04" + digest[:6]
        faults = Faults(die_at=DIES_AT_APDU) if faulty else None
        image = self._directory / f"{self._laid + 1:04}-{uid.hex().upper()}.card"
        self._card = VirtualGlobalPlatformCard(image, self._port, uid=uid, faults=faults).insert()
        self._laid += 1

    def take(self) -> Path:
        """Take the card from the reader; gives its image."""
        assert self._card is not None
        image = self._card.memory.path
        self._card.close()
        self._card = None
        return image
