"""The three keys with which a security domain of a card is reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from services.cardperso.keys.symmetric import SymmetricKey

Key_co = TypeVar("Key_co", bound=SymmetricKey, covariant=True)


class Purpose(IntEnum):
    """What a key of a set is for (GlobalPlatform 2.3.1, E.1 and 11.8); the number is the key identifier."""

    ENC = 1
    MAC = 2
    DEK = 3


@dataclass(frozen=True)
class KeySet(Generic[Key_co]):
    """The three keys of a security domain and their key version number (1 to 127; 255 for a card's factory
    keys).
    """

    version: int
    enc: Key_co
    mac: Key_co
    dek: Key_co
