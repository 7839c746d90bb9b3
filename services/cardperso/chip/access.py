"""The two keys with which a reader and a chip prove themselves to each other.

Both kinds open the same protocol (basic access control, ICAO Doc 9303-11, 4.3). Either whoever sees the
machine readable zone has them, or only readers with a security module (SAM) that holds the master.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from services.cardperso.keys.diversify import an10922
from services.cardperso.keys.errors import KeyNotFound
from services.cardperso.keys.keystore import Keystore, versions
from services.cardperso.keys.symmetric import SymmetricKey

KEYS_BYTES = 32
"""Bytes of both keys of a chip."""
_ENCRYPTION, _AUTHENTICATION = 1, 2


class AccessSource(Enum):
    """Where the keys of a chip come from."""

    MRZ = "mrz"
    """From number, birth and expiry in the machine readable zone."""
    READER = "reader"
    """From a master key of the readers and the chip's UID."""


@dataclass(frozen=True)
class AccessKeys:
    """Triple-DES keys of one chip, 16 bytes each; the `repr` does not show them."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    def encode(self) -> bytes:
        """As the chip stores them: one after the other."""
        return self.enc + self.mac


ReaderKeys = Callable[[str], Sequence[AccessKeys]]
"""The keys that a chip with this UID may have, the likeliest first: those of new chips."""
READER_MASTER = "reader-master"
"""Master of the readers in a keystore."""


def from_mrz(information: str) -> AccessKeys:
    """Keys of a document (9303-11, 4.3.2 and Appendix D.2) from `Mrz.information`."""
    return from_seed(hashlib.sha1(information.encode(), usedforsecurity=False).digest()[:16])


def from_seed(seed: bytes) -> AccessKeys:
    """Both keys of a seed (9303-11, 9.7.1.1 and 9.7.2): for a document as for a session."""
    return AccessKeys(*(_derive(seed, counter) for counter in (_ENCRYPTION, _AUTHENTICATION)))


def from_master(master: SymmetricKey, chip_uid: str) -> AccessKeys:
    """Keys of a chip from the readers' master, of either algorithm, by AN10922 with the chip's UID and the
    key's purpose.

    Raises:
        KeyMismatch: the UID is too long for it.
    """
    uid = bytes.fromhex(chip_uid)
    enc, mac = (an10922(master, uid + bytes([n])).value[:16] for n in (_ENCRYPTION, _AUTHENTICATION))
    return AccessKeys(enc, mac)


def reader_keys(store: Keystore) -> ReaderKeys:
    """Keys from all versions of the readers' master in a keystore, the newest first.

    Raises, when used:
        KeyNotFound: there is no such master.
        KeystoreUnavailable: see there.
    """

    def find(chip_uid: str) -> list[AccessKeys]:
        masters = versions(store, READER_MASTER)
        if not masters:
            raise KeyNotFound(READER_MASTER)
        return [from_master(store.symmetric(info.ref), chip_uid) for info in reversed(masters)]

    return find


def _derive(seed: bytes, counter: int) -> bytes:
    digest = hashlib.sha1(seed + counter.to_bytes(4, "big"), usedforsecurity=False).digest()[:16]
    return bytes(byte & 0xFE | (byte.bit_count() + (byte & 1) + 1) % 2 for byte in digest)
