"""Keys of cards and of the issuer: keystores, diversification, ceremonies."""

from services.cardperso.keys.diversify import Scheme, chip_keys
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.keystore import (
    KeyInfo,
    KeyKind,
    KeyRef,
    Keystore,
    card_keys,
    newest,
    rotate,
    versions,
)
from services.cardperso.keys.symmetric import SoftwareKey, SymmetricKey, check_value
from services.cardperso.keys.token import TokenKeystore

__all__ = [
    "FileKeystore",
    "KeyInfo",
    "KeyKind",
    "KeyRef",
    "KeySet",
    "Keystore",
    "Scheme",
    "SoftwareKey",
    "SymmetricKey",
    "TokenKeystore",
    "card_keys",
    "check_value",
    "chip_keys",
    "newest",
    "rotate",
    "versions",
]
