"""The files of a card, read from its EEPROM image: no reader, no command, no host code in between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.card import CardMemory
from sim.card.globalplatform import FACTORY_KEYS
from sim.card.globalplatform.persistent import OP_READY, PERSONALIZED, SECURED, Persistent, Registry


@dataclass(frozen=True)
class Eeprom:
    """What lies on a card.

    Attributes:
        uid: of the chip, upper-case hexadecimal.
        personalized: whether its application has all its data, after which nobody writes to it.
        secured: whether the card is in the state in which cards are handed over.
        transport_keys: whether it still has the keys that it came with.
        files: content by file identifier.
    """

    uid: str
    personalized: bool
    secured: bool
    transport_keys: bool
    files: dict[int, bytes]


def read_eeprom(image: Path, application: bytes) -> Eeprom:
    """Read the application with this name from a card's image; an absent one has no files."""
    memory = CardMemory(image)
    try:
        card = Persistent(memory, Registry(OP_READY, 0, 0, (FACTORY_KEYS,)))
        instance = card.registry.find(application)
        return Eeprom(
            uid=memory.uid.hex().upper(),
            personalized=instance is not None and instance.state == PERSONALIZED,
            secured=card.registry.state == SECURED,
            transport_keys=any(keys.version == FACTORY_KEYS.version for keys in card.registry.keys),
            files={} if instance is None else {file.tag: card.read(file) for file in instance.files},
        )
    finally:
        memory.close()
