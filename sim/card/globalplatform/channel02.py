"""The card's end of SCP02 (GlobalPlatform Card Specification 2.3.1, Appendix E), options i = 15 and 55."""

from __future__ import annotations

import hmac

from sim.card.apdu import Command
from sim.card.globalplatform import primitives
from sim.card.globalplatform.persistent import KeyRecord
from sim.card.globalplatform.session import C_DECRYPTION, C_MAC, ForgedCommandError

PSEUDO_RANDOM = 0x40


def session_key(key: bytes, constant: int, sequence: int) -> bytes:
    """E.4.1: constant, sequence counter and twelve zeros under the static key."""
    return primitives.des3_encrypt(key, constant.to_bytes(2, "big") + sequence.to_bytes(2, "big") + bytes(12))


class Channel02:
    """One session.

    Args:
        keys: the key set asked for.
        host: host challenge of 8 bytes.
        card: card challenge of 6 bytes.
        sequence: sequence counter of this session.
    """

    def __init__(self, keys: KeyRecord, host: bytes, card: bytes, sequence: int) -> None:
        self.level = 0
        self._mac = session_key(keys.mac, 0x0101, sequence)
        self._enc = session_key(keys.enc, 0x0182, sequence)
        self._dek = session_key(keys.dek, 0x0181, sequence)
        self._own = sequence.to_bytes(2, "big") + card
        self._host = host
        self._icv = bytes(8)

    def update_response(self) -> bytes:
        """Sequence counter, challenge and cryptogram (E.5.1)."""
        return self._own + self._cryptogram(self._host + self._own)

    def offers(self, level: int) -> bool:
        """No R-MAC with these options."""
        return level in (0x00, 0x01, 0x03)

    def authenticate(self, command: Command) -> bool:
        """EXTERNAL AUTHENTICATE (E.5.2)."""
        try:
            given = self._verify(command, command.data[:-8], command.data[-8:])
        except ForgedCommandError:
            return False
        if not hmac.compare_digest(given, self._cryptogram(self._own + self._host)):
            return False
        self.level = command.p1
        return True

    def unwrap(self, command: Command) -> bytes:
        """Decryption (E.4.6), then C-MAC over the plain command (E.4.4)."""
        if not self.level & C_MAC:
            return command.data
        data, mac = command.data[:-8], command.data[-8:]
        if self.level & C_DECRYPTION and data:
            if len(data) % 8:
                raise ForgedCommandError
            try:
                data = primitives.remove_padding(primitives.des3_decrypt(self._enc, data))
            except primitives.PaddingError:
                raise ForgedCommandError from None
        return self._verify(command, data, mac)

    def _verify(self, command: Command, data: bytes, mac: bytes) -> bytes:
        header = bytes([command.cla & 0xFC, command.ins, command.p1, command.p2, len(data) + 8 & 0xFF])
        expected = primitives.des_mac(self._mac, header + data, self._icv)
        if not hmac.compare_digest(expected, mac):
            raise ForgedCommandError
        self._icv = primitives.des_encrypt(self._mac[:8], expected)
        return data

    def wrap(self, data: bytes, _sw: int) -> bytes:
        """As it is: these options have no R-MAC."""
        return data

    def decrypt_sensitive(self, data: bytes) -> bytes:
        """Under the session DEK, block by block (E.4.7)."""
        blocks = (data[at : at + 8] for at in range(0, len(data), 8))
        return b"".join(primitives.des3_decrypt(self._dek, block) for block in blocks)

    def _cryptogram(self, message: bytes) -> bytes:
        return primitives.des3_encrypt(self._enc, primitives.add_padding(message, 8))[-8:]
