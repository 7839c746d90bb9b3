"""The card's cipher unit (GlobalPlatform Card Specification 2.3.1, Appendix B; FIPS 197, SP 800-38B)."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC


class PaddingError(ValueError):
    """A padded message does not end in 80 00 … 00."""


def aes_encrypt(key: bytes, data: bytes, iv: bytes = bytes(16)) -> bytes:
    """AES in CBC mode."""
    unit = Cipher(AES(key), modes.CBC(iv)).encryptor()
    return unit.update(data) + unit.finalize()


def aes_decrypt(key: bytes, data: bytes, iv: bytes = bytes(16)) -> bytes:
    """AES in CBC mode."""
    unit = Cipher(AES(key), modes.CBC(iv)).decryptor()
    return unit.update(data) + unit.finalize()


def aes_cmac(key: bytes, *parts: bytes) -> bytes:
    """CMAC over the parts one after the other."""
    unit = CMAC(AES(key))
    for part in parts:
        unit.update(part)
    return unit.finalize()


def des3_encrypt(key: bytes, data: bytes, iv: bytes = bytes(8)) -> bytes:
    """Triple DES with a key of 16 bytes in CBC mode."""
    unit = Cipher(TripleDES(key + key[:8]), modes.CBC(iv)).encryptor()
    return unit.update(data) + unit.finalize()


def des3_decrypt(key: bytes, data: bytes, iv: bytes = bytes(8)) -> bytes:
    """Triple DES with a key of 16 bytes in CBC mode."""
    unit = Cipher(TripleDES(key + key[:8]), modes.CBC(iv)).decryptor()
    return unit.update(data) + unit.finalize()


def des_encrypt(key: bytes, block: bytes) -> bytes:
    """One block under single DES."""
    return des3_encrypt(key * 2, block)


def des_mac(key: bytes, message: bytes, iv: bytes) -> bytes:
    """Single DES plus final triple DES (B.1.2.2), one block after the other."""
    state = iv
    padded = add_padding(message, 8)
    for at in range(0, len(padded), 8):
        block = bytes(a ^ b for a, b in zip(state, padded[at : at + 8], strict=True))
        last = at + 8 == len(padded)
        state = des3_encrypt(key, block) if last else des_encrypt(key[:8], block)
    return state


def add_padding(message: bytes, size: int) -> bytes:
    """Append 80 and zeros up to a whole block (Appendix B)."""
    padded = bytearray(message) + b"\x80"
    while len(padded) % size:
        padded.append(0)
    return bytes(padded)


def remove_padding(padded: bytes) -> bytes:
    """Take 80 and zeros away.

    Raises:
        PaddingError: they are not there.
    """
    for at in range(len(padded) - 1, -1, -1):
        if padded[at] == 0x80:
            return padded[:at]
        if padded[at]:
            break
    raise PaddingError
