"""The files of a card, read from its EEPROM image: no reader, no command, no host code in between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.card import CardMemory
from sim.card.filesystem import OPERATIONAL, FileSystem


@dataclass(frozen=True)
class Eeprom:
    """What lies on a card.

    Attributes:
        uid: of the chip, upper-case hexadecimal.
        sealed: whether its application was activated, after which nobody writes to it.
        files: content by file identifier.
    """

    uid: str
    sealed: bool
    files: dict[int, bytes]


def read_eeprom(image: Path, application: bytes) -> Eeprom:
    """Read the application with this name from a card's image; an absent one has no files."""
    memory = CardMemory(image)
    try:
        system = FileSystem(memory)
        directory = system.find_name(application)
        if directory is None:
            return Eeprom(memory.uid.hex().upper(), sealed=False, files={})
        files = {
            file.fid: system.read(file, 0, file.size)
            for file in system.files()
            if file.parent == directory.fid and not file.is_df
        }
        return Eeprom(memory.uid.hex().upper(), directory.life_cycle == OPERATIONAL, files)
    finally:
        memory.close()
