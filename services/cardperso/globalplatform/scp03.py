"""Secure Channel Protocol 03 (GlobalPlatform Card Specification 2.3, Amendment D, versions 1.1.2 and 1.2)."""

from __future__ import annotations

from dataclasses import replace

from services.cardperso.globalplatform.messaging import SECURE_MESSAGING, ForgedError, SecurityLevel
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey, SymmetricKey, pad, same, unpad
from services.cardperso.pcsc.apdu import MAX_SHORT_DATA, MAX_SHORT_RESPONSE, CommandApdu, ResponseApdu

BLOCK = 16

# Derivation constants (4.1.5).
_CARD_CRYPTOGRAM, _HOST_CRYPTOGRAM, _CARD_CHALLENGE = 0x00, 0x01, 0x02
_S_ENC, _S_MAC, _S_RMAC = 0x04, 0x06, 0x07

_RESPONSE_COUNTER = 0x80
"""First byte of the counter block for responses (6.2.7)."""


def derive(key: SymmetricKey, constant: int, context: bytes, bits: int) -> bytes:
    """Data derivation (4.1.5): NIST SP 800-108 in counter mode with CMAC."""
    label = bytes(11) + bytes([constant])
    length = bits.to_bytes(2, "big")
    blocks = (
        key.cmac(label + b"\0" + length + bytes([counter]) + context)
        for counter in range(1, -(-bits // 128) + 1)
    )
    return b"".join(blocks)[: bits // 8]


def card_challenge(enc: SymmetricKey, sequence_counter: bytes, aid: bytes, size: int) -> bytes:
    """The pseudo-random card challenge of `size` bytes (6.2.2) that the application `aid` must give."""
    return derive(enc, _CARD_CHALLENGE, sequence_counter + aid, 8 * size)


class Scp03:
    """One session.

    Args:
        keys: the card's static AES keys.
        host_challenge: ours, 8 or 16 bytes.
        challenge: the card's, as long as ours; its length is that of cryptograms and MACs (S8 and S16).
    """

    def __init__(self, keys: KeySet[SymmetricKey], host_challenge: bytes, challenge: bytes) -> None:
        context = host_challenge + challenge
        self._size = len(challenge)
        self._dek = keys.dek
        self.s_enc = SoftwareKey("AES", derive(keys.enc, _S_ENC, context, 8 * keys.enc.size))
        self.s_mac = SoftwareKey("AES", derive(keys.mac, _S_MAC, context, 8 * keys.mac.size))
        self.s_rmac = SoftwareKey("AES", derive(keys.mac, _S_RMAC, context, 8 * keys.mac.size))
        self.card_cryptogram = derive(self.s_mac, _CARD_CRYPTOGRAM, context, 8 * self._size)
        self.host_cryptogram = derive(self.s_mac, _HOST_CRYPTOGRAM, context, 8 * self._size)
        self._level = SecurityLevel.C_MAC
        self._chaining = bytes(BLOCK)
        self._counter = 0

    @property
    def key_algorithm(self) -> Algorithm:
        """AES."""
        return "AES"

    def begin(self, level: SecurityLevel) -> CommandApdu:
        """EXTERNAL AUTHENTICATE (7.1.2); commands after it are protected as `level` says."""
        command = CommandApdu("EXTERNAL AUTHENTICATE", 0x80, 0x82, level, 0x00, self.host_cryptogram)
        wrapped = self._with_mac(command)
        self._level = level
        return wrapped

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """Encrypt the data (6.2.6) and append the C-MAC (6.2.4), as the level says."""
        self._counter += 1
        if self._level & SecurityLevel.C_DECRYPTION and command.data:
            command = replace(command, data=self.s_enc.encrypt_cbc(pad(command.data, BLOCK), self._vector(0)))
        return self._with_mac(command)

    def unwrap(self, response: ResponseApdu) -> bytes:
        """Check the R-MAC (6.2.5) and decrypt the data (6.2.7), as the level says.

        An error status comes without data and without MAC; that is not a fault.

        Raises:
            ForgedError: MAC or padding is wrong.
        """
        data = response.data
        if not self._level & SecurityLevel.R_MAC:
            return data
        if response.sw != 0x9000 and response.sw >> 8 not in (0x62, 0x63):
            if data:
                raise ForgedError
            return b""
        if len(data) < self._size:
            raise ForgedError
        data, mac = data[: -self._size], data[-self._size :]
        expected = self.s_rmac.cmac(self._chaining + data + response.sw.to_bytes(2, "big"))
        if not same(mac, expected[: self._size]):
            raise ForgedError
        if not self._level & SecurityLevel.R_ENCRYPTION or not data:
            return data
        if len(data) % BLOCK:
            raise ForgedError
        plain = unpad(self.s_enc.decrypt_cbc(data, self._vector(_RESPONSE_COUNTER)))
        if plain is None:
            raise ForgedError
        return plain

    def encrypt_sensitive(self, blocks: bytes) -> bytes:
        """Whole blocks under the static DEK, CBC from zero (6.2.8)."""
        return self._dek.encrypt(blocks)

    def longest(self, limit: int) -> int:
        """Bytes of plain data in a command whose wrapped data has at most `limit` bytes."""
        room = limit - self._size
        return room // BLOCK * BLOCK - 1 if self._level & SecurityLevel.C_DECRYPTION else room

    def _vector(self, first: int) -> bytes:
        """Initial vector: the encrypted counter of commands (6.2.6), its first byte set for responses."""
        return self.s_enc.encrypt(bytes([first]) + self._counter.to_bytes(BLOCK - 1, "big"))

    def _with_mac(self, command: CommandApdu) -> CommandApdu:
        # Lc is authenticated in the form in which it is sent: in three bytes where the command is extended.
        cla = command.cla | SECURE_MESSAGING
        size = len(command.data) + self._size
        short = size <= MAX_SHORT_DATA and command.ne <= MAX_SHORT_RESPONSE
        lc = bytes([size]) if short else b"\0" + size.to_bytes(2, "big")
        header = bytes([cla, command.ins, command.p1, command.p2])
        self._chaining = self.s_mac.cmac(self._chaining + header + lc + command.data)
        return replace(command, cla=cla, data=command.data + self._chaining[: self._size])
