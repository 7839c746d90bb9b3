"""What a keystore does, whether it is a file or a token: keys are used inside of it and never come out.

A key has a name and a version. The version of a card master is the key version number of the cards that have
their keys from it, so a card says itself which master is its own, and old versions stay for the cards in the
field when a new one comes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from services.cardperso.keys.diversify import Scheme, chip_keys
from services.cardperso.keys.errors import KeyMismatch, KeyNotFound
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import KEY_SIZES, Algorithm, SoftwareKey, SymmetricKey

FIRST_VERSION, LAST_VERSION = 0x01, 0x7F
"""Key version numbers that a card takes (GlobalPlatform 2.3.1, 11.8.2)."""


class KeyKind(Enum):
    """What a key is and may be used for; a key of one kind does nothing of the others."""

    AES_MASTER = "aes-master"
    """CMAC and encryption, for the keys of chips that speak SCP03."""
    TDES_MASTER = "tdes-master"
    """The same for SCP02."""
    WRAPPING = "wrapping"
    """AES-256; protects other keys on their way."""
    SIGNING = "signing"
    """ECDSA on P-256 with SHA-256."""

    @property
    def algorithm(self) -> Algorithm:
        """Block cipher of the key.

        Raises:
            KeyMismatch: it is none.
        """
        if self is KeyKind.SIGNING:
            raise KeyMismatch("A signing key is no block cipher key.")
        return "TDES" if self is KeyKind.TDES_MASTER else "AES"

    def check_size(self, size: int) -> None:
        """Raise `KeyMismatch` where a key of this kind cannot have `size` bytes."""
        allowed = (32,) if self is KeyKind.WRAPPING else KEY_SIZES[self.algorithm]
        if size not in allowed:
            raise KeyMismatch(
                f"A key of the kind {self.value} has {' or '.join(map(str, allowed))} bytes, not {size}."
            )


@dataclass(frozen=True, order=True)
class KeyRef:
    """Name and version of a key.

    Raises:
        KeyMismatch: the name is empty or has a slash, or the version is not 1 to 127.
    """

    name: str
    version: int

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or not FIRST_VERSION <= self.version <= LAST_VERSION:
            raise KeyMismatch(f"{self.name!r} with version {self.version} names no key.")

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class KeyInfo:
    """What may be known of a key. `check_value` is the key check value of a block cipher key and begins the
    SHA-256 of the public key of a signing key; three bytes.
    """

    ref: KeyRef
    kind: KeyKind
    size: int
    check_value: bytes


class Keystore(Protocol):
    """Keys by reference. Every method raises `KeyNotFound` for a key that is not there, `KeyMismatch` for one
    of another kind, and `KeystoreUnavailable` where the store itself is not.
    """

    def contents(self) -> list[KeyInfo]:
        """All keys, by name and version."""

    def symmetric(self, ref: KeyRef) -> SymmetricKey:
        """A master key, to be used and not to be seen."""

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        """ECDSA signature with SHA-256 (FIPS 186-5), in DER."""

    def public_key(self, ref: KeyRef) -> EllipticCurvePublicKey:
        """Public half of a signing key."""

    def wrap(self, ref: KeyRef, key: SoftwareKey) -> bytes:
        """A chip's key encrypted for its way (AES key wrap, RFC 3394) under a wrapping key."""

    def import_key(self, ref: KeyRef, kind: KeyKind, value: bytes) -> KeyInfo:
        """Take in a block cipher key. Raises `KeyExists` if there is one of that name and version."""

    def import_wrapped(self, wrapping: KeyRef, wrapped: bytes, ref: KeyRef, kind: KeyKind) -> KeyInfo:
        """Take in a block cipher key that comes under a wrapping key. Raises `KeyExists`, too."""

    def generate(self, ref: KeyRef, kind: KeyKind, size: int = 32) -> KeyInfo:
        """Make a random key; `size` in bytes does not matter for a signing key. Raises `KeyExists`, too."""

    def destroy(self, ref: KeyRef) -> None:
        """Delete a key. The cards that depend on it are lost with it."""

    def close(self) -> None:
        """Log out and forget."""


def versions(store: Keystore, name: str) -> list[KeyInfo]:
    """All versions of a key, oldest first."""
    return sorted(
        (info for info in store.contents() if info.ref.name == name), key=lambda info: info.ref.version
    )


def newest(store: Keystore, name: str) -> KeyInfo:
    """The version that new cards get.

    Raises:
        KeyNotFound: there is none.
    """
    found = versions(store, name)
    if not found:
        raise KeyNotFound(name)
    return found[-1]


def rotate(store: Keystore, name: str) -> KeyInfo:
    """Make the next version of a key, of the same kind and size. The old ones stay for their cards.

    Raises:
        KeyNotFound: there is no version to follow.
        KeyMismatch: the versions are used up.
    """
    last = newest(store, name)
    return store.generate(KeyRef(name, last.ref.version + 1), last.kind, last.size)


def card_keys(store: Keystore, ref: KeyRef, scheme: Scheme, data: bytes) -> KeySet[SoftwareKey]:
    """The key set of one chip from the master `ref`; see `diversify.chip_keys` for `data`."""
    return chip_keys(store.symmetric(ref), ref.version, scheme, data)


def random_key(kind: KeyKind, size: int) -> bytes:
    """Bytes of a new block cipher key.

    Raises:
        KeyMismatch: the kind has no keys of this size.
    """
    kind.check_size(size)
    return secrets.token_bytes(size)
