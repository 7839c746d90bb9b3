"""Where the static keys of a card come from once it has said who it is."""

from __future__ import annotations

from services.cardperso.globalplatform.channel import FACTORY_KEYS, CardAnswer, KeySource
from services.cardperso.globalplatform.errors import KeyVersionUnknown
from services.cardperso.keys.diversify import Scheme
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.keystore import KeyRef, Keystore, card_keys
from services.cardperso.keys.symmetric import SymmetricKey


def from_master(store: Keystore, name: str, scheme: Scheme, serial: bytes = b"") -> KeySource:
    """Keys diversified from the master `name` in the version that the card reports.

    Args:
        store: where the master is.
        name: of the master key.
        scheme: of diversification.
        serial: chip serial number, for AN10922; the other schemes use what the card says.

    Raises, when used:
        KeyVersionUnknown: the card has its factory keys still.
        KeyNotFound, KeyMismatch, KeystoreUnavailable: the master is not there or does not fit.
    """

    def keys(card: CardAnswer) -> KeySet[SymmetricKey]:
        if card.key_version == FACTORY_KEYS:
            raise KeyVersionUnknown(f"The card has its factory keys, none of {name}.")
        data = serial if scheme is Scheme.AN10922 else card.diversification_data
        return card_keys(store, KeyRef(name, card.key_version), scheme, data)

    return keys


def fixed(keys: KeySet[SymmetricKey]) -> KeySource:
    """The same keys for every card: transport or factory keys."""
    return lambda _: keys
