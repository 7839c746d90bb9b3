"""Block cipher keys by what they can do, not by their bytes: a key may sit in a token that never shows it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

Algorithm = Literal["AES", "TDES"]

KEY_SIZES: dict[Algorithm, tuple[int, ...]] = {"AES": (16, 24, 32), "TDES": (16, 24)}
"""Bytes of a key of each algorithm."""
BLOCK_SIZES: dict[Algorithm, int] = {"AES": 16, "TDES": 8}
"""Bytes of a block of each algorithm."""
_KCV_INPUT: dict[Algorithm, bytes] = {"AES": b"\x01" * 16, "TDES": bytes(8)}


class SymmetricKey(Protocol):
    """An AES or triple-DES key that encrypts and authenticates without being seen."""

    @property
    def algorithm(self) -> Algorithm:
        """Which cipher."""

    @property
    def size(self) -> int:
        """Bytes of the key."""

    def cmac(self, message: bytes) -> bytes:
        """CMAC of `message` (NIST SP 800-38B), a whole block."""

    def encrypt(self, blocks: bytes) -> bytes:
        """Whole blocks in CBC mode from an initial vector of zeros."""


@dataclass(frozen=True)
class SoftwareKey:
    """A key whose bytes are in our memory: the key of one chip, never a master. Its `repr` does not show
    them.

    Raises:
        ValueError: the algorithm has no keys of this size.
    """

    algorithm: Algorithm
    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) not in KEY_SIZES[self.algorithm]:
            raise ValueError(f"{self.algorithm} has no keys of {len(self.value)} bytes")

    @property
    def size(self) -> int:
        """Bytes of the key."""
        return len(self.value)

    def cmac(self, message: bytes) -> bytes:
        """CMAC of `message`, a whole block."""
        context = CMAC(self._cipher())
        context.update(message)
        return context.finalize()

    def encrypt(self, blocks: bytes) -> bytes:
        """Whole blocks in CBC mode from an initial vector of zeros."""
        return self.encrypt_cbc(blocks, bytes(BLOCK_SIZES[self.algorithm]))

    def encrypt_cbc(self, blocks: bytes, initial: bytes) -> bytes:
        """Whole blocks in CBC mode from the given initial vector."""
        encryptor = Cipher(self._cipher(), modes.CBC(initial)).encryptor()
        return encryptor.update(blocks) + encryptor.finalize()

    def decrypt_cbc(self, blocks: bytes, initial: bytes) -> bytes:
        """The plain text of whole blocks in CBC mode."""
        decryptor = Cipher(self._cipher(), modes.CBC(initial)).decryptor()
        return decryptor.update(blocks) + decryptor.finalize()

    def _cipher(self) -> AES | TripleDES:
        if self.algorithm == "AES":
            return AES(self.value)
        return TripleDES(self.value if len(self.value) == 24 else self.value + self.value[:8])


def check_value(key: SymmetricKey) -> bytes:
    """Key check value of three bytes: of 16 bytes 01 under AES, of 8 bytes 00 under triple
    DES (GlobalPlatform 2.3.1, Appendix B).
    """
    return key.encrypt(_KCV_INPUT[key.algorithm])[:3]


def same(left: bytes, right: bytes) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(left, right)


def pad(message: bytes, block: int) -> bytes:
    """Append 80 and as few 00 as fill the last block (ISO/IEC 9797-1 method 2; GlobalPlatform 2.3.1,
    Appendix B).
    """
    return message + b"\x80" + bytes(-(len(message) + 1) % block)


def unpad(padded: bytes) -> bytes | None:
    """The message that was padded, or None where there is no such padding."""
    message = padded.rstrip(b"\0")
    return message[:-1] if message.endswith(b"\x80") else None
