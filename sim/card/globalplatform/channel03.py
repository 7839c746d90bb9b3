"""The card's end of SCP03 (GlobalPlatform Amendment D 1.2)."""

from __future__ import annotations

import hmac

from sim.card.apdu import Command
from sim.card.globalplatform import primitives
from sim.card.globalplatform.persistent import KeyRecord
from sim.card.globalplatform.session import C_DECRYPTION, C_MAC, R_ENCRYPTION, R_MAC, ForgedCommandError

PSEUDO_RANDOM, WITH_R_MAC, WITH_R_ENCRYPTION, S16 = 0x10, 0x20, 0x40, 0x01


def kdf(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """Key derivation (4.1.5): 11 zeros, constant, 00, length in bits, counter, context under CMAC."""
    output = b""
    counter = 0
    while 8 * len(output) < bits:
        counter += 1
        output += primitives.aes_cmac(
            key, bytes(11), bytes([constant, 0x00]), bits.to_bytes(2, "big"), bytes([counter]), context
        )
    return output[: bits // 8]


class Channel03:
    """One session.

    Args:
        keys: the key set asked for.
        i: the card's options.
        host: host challenge.
        card: card challenge, as long as the host's.
        sequence: sequence counter of this session.
    """

    def __init__(self, keys: KeyRecord, i: int, host: bytes, card: bytes, sequence: int) -> None:
        self.level = 0
        self._i = i
        self._dek = keys.dek
        self._card = card
        self._sequence = sequence
        bits = 8 * len(keys.enc)
        context = host + card
        self._enc = kdf(keys.enc, 0x04, context, bits)
        self._mac = kdf(keys.mac, 0x06, context, bits)
        self._rmac = kdf(keys.mac, 0x07, context, bits)
        self._length = 16 if i & S16 else 8
        self._card_cryptogram = kdf(self._mac, 0x00, context, 8 * self._length)
        self._host_cryptogram = kdf(self._mac, 0x01, context, 8 * self._length)
        self._chain = bytes(16)
        self._count = 0

    def update_response(self) -> bytes:
        """Challenge, cryptogram and, where the challenge follows from it, the sequence counter (7.1.1)."""
        counter = self._sequence.to_bytes(3, "big") if self._i & PSEUDO_RANDOM else b""
        return bytes([self._i]) + self._card + self._card_cryptogram + counter

    def offers(self, level: int) -> bool:
        """The levels of 7.1.2, as far as the options go."""
        if level not in (0x00, 0x01, 0x03, 0x11, 0x13, 0x33):
            return False
        return not (level & R_MAC and not self._i & WITH_R_MAC) and not (
            level & R_ENCRYPTION and not self._i & WITH_R_ENCRYPTION
        )

    def authenticate(self, command: Command) -> bool:
        """EXTERNAL AUTHENTICATE (7.1.2)."""
        try:
            cryptogram = self._verify(command)
        except ForgedCommandError:
            return False
        if not hmac.compare_digest(cryptogram, self._host_cryptogram):
            return False
        self.level = command.p1
        return True

    def unwrap(self, command: Command) -> bytes:
        """C-MAC (6.2.4), then decryption (6.2.6): the counter runs also over commands without data."""
        self._count += 1
        if not self.level & C_MAC:
            return command.data
        data = self._verify(command)
        if not self.level & C_DECRYPTION or not data:
            return data
        if len(data) % 16:
            raise ForgedCommandError
        try:
            return primitives.remove_padding(primitives.aes_decrypt(self._enc, data, self._iv(0x00)))
        except primitives.PaddingError:
            raise ForgedCommandError from None

    def _verify(self, command: Command) -> bytes:
        if len(command.data) < self._length:
            raise ForgedCommandError
        data, mac = command.data[: -self._length], command.data[-self._length :]
        size = len(command.data)
        lc = b"\0" + size.to_bytes(2, "big") if command.extended else bytes([size])
        header = bytes([command.cla & 0xFC, command.ins, command.p1, command.p2])
        chain = primitives.aes_cmac(self._mac, self._chain, header, lc, data)
        if not hmac.compare_digest(chain[: self._length], mac):
            raise ForgedCommandError
        self._chain = chain
        return data

    def wrap(self, data: bytes, sw: int) -> bytes:
        """R-ENC (6.2.7), then R-MAC (6.2.5)."""
        if not self.level & R_MAC:
            return data
        if self.level & R_ENCRYPTION and data:
            data = primitives.aes_encrypt(self._enc, primitives.add_padding(data, 16), self._iv(0x80))
        mac = primitives.aes_cmac(self._rmac, self._chain, data, sw.to_bytes(2, "big"))
        return data + mac[: self._length]

    def decrypt_sensitive(self, data: bytes) -> bytes:
        """Under the static DEK, CBC from zero (6.2.8)."""
        return primitives.aes_decrypt(self._dek, data)

    def _iv(self, first: int) -> bytes:
        counter = bytearray(self._count.to_bytes(16, "big"))
        counter[0] |= first
        return primitives.aes_encrypt(self._enc, bytes(counter))
