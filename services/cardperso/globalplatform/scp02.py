"""Secure Channel Protocol 02 (GlobalPlatform Card Specification 2.3.1, Appendix E) for cards of older stock.

Options i = 15 and 55: three keys, explicit start, C-MAC over the changed command with an encrypted initial
vector, no R-MAC. They differ in how the card makes its challenge, which the host need not care about.
"""

from __future__ import annotations

from dataclasses import replace

from services.cardperso.globalplatform.errors import TooLong
from services.cardperso.globalplatform.messaging import SECURE_MESSAGING, SecurityLevel
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey, SymmetricKey, pad
from services.cardperso.pcsc.apdu import MAX_SHORT_DATA, CommandApdu, ResponseApdu

BLOCK = 8
MAC = 8

# Derivation constants (E.4.1).
_C_MAC, _R_MAC, _DEK, _ENC = b"\x01\x01", b"\x01\x02", b"\x01\x81", b"\x01\x82"


def session_key(key: SymmetricKey, constant: bytes, sequence_counter: bytes) -> SoftwareKey:
    """Session key (E.4.1): two blocks of constant, counter and zeros under the static key."""
    return SoftwareKey("TDES", key.encrypt(constant + sequence_counter + bytes(12)))


def full_mac(key: SoftwareKey, message: bytes) -> bytes:
    """MAC by triple DES throughout (B.1.2.1), for cryptograms."""
    return key.encrypt(pad(message, BLOCK))[-BLOCK:]


def retail_mac(key: SoftwareKey, message: bytes, initial: bytes) -> bytes:
    """MAC by single DES with triple DES at the end (B.1.2.2; ISO/IEC 9797-1 algorithm 3)."""
    padded = pad(message, BLOCK)
    head, last = padded[:-BLOCK], padded[-BLOCK:]
    if head:
        initial = _single_des(key).encrypt_cbc(head, initial)[-BLOCK:]
    return key.encrypt_cbc(last, initial)


def _single_des(key: SoftwareKey) -> SoftwareKey:
    return SoftwareKey("TDES", key.value[:8] * 3)


class Scp02:
    """One session.

    Args:
        keys: the card's static triple-DES keys.
        host_challenge: ours, 8 bytes.
        sequence_counter: the card's, 2 bytes.
        challenge: the card's, 6 bytes.
    """

    def __init__(
        self, keys: KeySet[SymmetricKey], host_challenge: bytes, sequence_counter: bytes, challenge: bytes
    ) -> None:
        self.s_enc = session_key(keys.enc, _ENC, sequence_counter)
        self.s_mac = session_key(keys.mac, _C_MAC, sequence_counter)
        self.s_rmac = session_key(keys.mac, _R_MAC, sequence_counter)
        self.s_dek = session_key(keys.dek, _DEK, sequence_counter)
        card = sequence_counter + challenge
        self.card_cryptogram = full_mac(self.s_enc, host_challenge + card)
        self.host_cryptogram = full_mac(self.s_enc, card + host_challenge)
        self._level = SecurityLevel.C_MAC
        self._last_mac: bytes | None = None

    @property
    def key_algorithm(self) -> Algorithm:
        """Triple DES."""
        return "TDES"

    def begin(self, level: SecurityLevel) -> CommandApdu:
        """EXTERNAL AUTHENTICATE (E.5.2); commands after it are protected as `level` says."""
        command = CommandApdu("EXTERNAL AUTHENTICATE", 0x80, 0x82, level, 0x00, self.host_cryptogram)
        wrapped = self.wrap(command)
        self._level = level
        return wrapped

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """Append the C-MAC of the plain command (E.4.4), then encrypt the data (E.4.6), as the level says.

        Raises:
            TooLong: SCP02 has no extended length fields.
        """
        limit = self.longest(MAX_SHORT_DATA)
        if len(command.data) > limit:
            raise TooLong(command.name, len(command.data), limit)
        cla = command.cla | SECURE_MESSAGING
        header = bytes([cla, command.ins, command.p1, command.p2, len(command.data) + MAC])
        initial = _single_des(self.s_mac).encrypt(self._last_mac) if self._last_mac else bytes(BLOCK)
        self._last_mac = retail_mac(self.s_mac, header + command.data, initial)
        data = command.data
        if self._level & SecurityLevel.C_DECRYPTION and data:
            data = self.s_enc.encrypt(pad(data, BLOCK))
        return replace(command, cla=cla, data=data + self._last_mac)

    def unwrap(self, response: ResponseApdu) -> bytes:
        """The data as it came: these options do not protect responses."""
        return response.data

    def encrypt_sensitive(self, blocks: bytes) -> bytes:
        """Whole blocks under the session DEK, each for itself (E.4.7)."""
        parts = (blocks[at : at + BLOCK] for at in range(0, len(blocks), BLOCK))
        return b"".join(self.s_dek.encrypt(part) for part in parts)

    def longest(self, limit: int) -> int:
        """Bytes of plain data in a command whose wrapped data has at most `limit` bytes."""
        room = min(limit, MAX_SHORT_DATA) - MAC
        return room // BLOCK * BLOCK - 1 if self._level & SecurityLevel.C_DECRYPTION else room
