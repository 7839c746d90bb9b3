"""Keys of one chip from a master key that stays where it is.

The variants are those that card makers deliver: NXP's AN10922, VISA2 and EMV CPS 1.1 (by encryption under a
triple-DES master) and KDF3 (NIST SP 800-108 in counter mode, under an AES master), as GlobalPlatformPro names
them. All of them need nothing of the master but CMAC and encryption, so it may be in a token.
"""

from __future__ import annotations

from enum import Enum

from services.cardperso.keys.errors import KeyMismatch
from services.cardperso.keys.keyset import KeySet, Purpose
from services.cardperso.keys.symmetric import BLOCK_SIZES, SoftwareKey, SymmetricKey

KDD_BYTES = 10
"""Bytes of key diversification data in the answer to INITIALIZE UPDATE (GlobalPlatform 2.3.1, E.5.1)."""
_AES_CONSTANTS = {16: (b"\x01",), 24: (b"\x11", b"\x12"), 32: (b"\x41", b"\x42")}
_TDES_CONSTANTS = {16: (b"\x21", b"\x22"), 24: (b"\x31", b"\x32", b"\x33")}


class Scheme(Enum):
    """How the keys of a chip follow from the master key."""

    AN10922 = "an10922"
    VISA2 = "visa2"
    EMV = "emv"
    KDF3 = "kdf3"


def chip_keys(master: SymmetricKey, version: int, scheme: Scheme, data: bytes) -> KeySet[SoftwareKey]:
    """The key set of one chip.

    Args:
        master: the key that all chips of this version come from.
        version: its key version number.
        scheme: how.
        data: what distinguishes the chip. VISA2, EMV and KDF3: the 10 bytes of key diversification data from
            INITIALIZE UPDATE. AN10922: the chip's serial number, up to 30 bytes.

    Raises:
        KeyMismatch: the scheme needs a master of the other algorithm, or data of another length.
    """
    enc, mac, dek = (_derive(master, scheme, data, purpose) for purpose in Purpose)
    return KeySet(version, enc, mac, dek)


def _derive(master: SymmetricKey, scheme: Scheme, data: bytes, purpose: Purpose) -> SoftwareKey:
    if scheme is Scheme.AN10922:
        return an10922(master, data + bytes([purpose]))
    if len(data) != KDD_BYTES:
        raise KeyMismatch(
            f"{scheme.name} needs {KDD_BYTES} bytes of key diversification data, not {len(data)}."
        )
    if scheme is Scheme.KDF3:
        return kdf3(master, data, purpose)
    head = data[:2] + data[4:8] if scheme is Scheme.VISA2 else data[4:]
    return _by_encryption(master, scheme, head, purpose)


def _by_encryption(master: SymmetricKey, scheme: Scheme, serial: bytes, purpose: Purpose) -> SoftwareKey:
    """VISA2 and EMV CPS 1.1, clause 5.4: both halves of the key are encryptions of the serial number."""
    if master.algorithm != "TDES":
        raise KeyMismatch(f"{scheme.name} needs a triple-DES master key.")
    halves = (serial + bytes([mark, purpose]) for mark in (0xF0, 0x0F))
    return SoftwareKey("TDES", b"".join(master.encrypt(half) for half in halves))


def kdf3(master: SymmetricKey, data: bytes, purpose: Purpose) -> SoftwareKey:
    """NIST SP 800-108 in counter mode with CMAC: one byte of counter, four of purpose, 00, the data."""
    if master.algorithm != "AES":
        raise KeyMismatch("KDF3 needs an AES master key.")
    fixed = int(purpose).to_bytes(4, "big") + b"\0" + data
    blocks = (master.cmac(bytes([counter]) + fixed) for counter in range(1, master.size // 16 + 2))
    return SoftwareKey("AES", b"".join(blocks)[: master.size])


def an10922(master: SymmetricKey, m: bytes, key_version: int | None = None) -> SoftwareKey:
    """NXP AN10922, clauses 2.2 to 2.6: key of the same kind as the master for the diversification input `m`.

    Args:
        master: AES or triple-DES key.
        m: 1 to 31 bytes under AES, 1 to 15 under triple DES.
        key_version: under triple DES, the byte whose bits replace the parity bits of the first 8 bytes;
            None leaves them as they come.

    Raises:
        KeyMismatch: `m` is empty or too long.
    """
    longest = BLOCK_SIZES[master.algorithm] * 2 - 1
    if not 1 <= len(m) <= longest:
        raise KeyMismatch(f"AN10922 takes 1 to {longest} bytes with {master.algorithm}, not {len(m)}.")
    table = _AES_CONSTANTS if master.algorithm == "AES" else _TDES_CONSTANTS
    parts = [_an10922_mac(master, constant + m) for constant in table[master.size]]
    if master.algorithm == "AES":
        if master.size == 24:
            # Two 16-byte results overlap to 24 bytes: the middle is the sum of both.
            a, b = parts
            return SoftwareKey("AES", a[:8] + _xor(a[8:], b[:8]) + b[8:])
        return SoftwareKey("AES", b"".join(parts))
    key = b"".join(parts)
    if key_version is not None:
        bits = (key_version >> n & 1 for n in range(7, -1, -1))
        key = bytes(byte & 0xFE | bit for byte, bit in zip(key[:8], bits, strict=True)) + key[8:]
    return SoftwareKey("TDES", key)


def _an10922_mac(master: SymmetricKey, message: bytes) -> bytes:
    """CMAC over exactly two blocks. The padding, and with it the subkey, goes by two blocks even where one
    would do, so a token's own CMAC cannot be used.
    """
    size = BLOCK_SIZES[master.algorithm]
    subkey = _double(master.encrypt(bytes(size)))
    if len(message) < 2 * size:
        subkey = _double(subkey)
        message += b"\x80" + bytes(2 * size - len(message) - 1)
    return master.encrypt(message[:size] + _xor(message[size:], subkey))[size:]


def _double(block: bytes) -> bytes:
    """Multiply by x in the field of the block (NIST SP 800-38B, 6.1)."""
    bits = 8 * len(block)
    doubled = int.from_bytes(block, "big") << 1
    if doubled >> bits:
        doubled ^= 1 << bits | (0x87 if bits == 128 else 0x1B)
    return doubled.to_bytes(len(block), "big")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
