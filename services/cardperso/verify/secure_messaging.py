"""Secure messaging after basic access control: triple DES, retail MAC, a counter over both directions (ICAO
Doc 9303-11, 9.8; ISO/IEC 7816-4:2020, 10).
"""

from __future__ import annotations

import hmac

from services.cardperso import tlv
from services.cardperso.chip.access import AccessKeys
from services.cardperso.globalplatform.scp02 import retail_mac
from services.cardperso.keys.symmetric import SoftwareKey, pad, unpad
from services.cardperso.pcsc.apdu import MAX_SHORT_RESPONSE, CommandApdu, ResponseApdu

BLOCK = 8
_PROTECTED = 0x0C
_CRYPTOGRAM, _LENGTH, _STATUS, _MAC = 0x87, 0x97, 0x99, 0x8E
_PADDED = b"\x01"
OVERHEAD = 5 + 4 + 10
"""Bytes of a protected response beside the padded data: head of the cryptogram, status, MAC."""


class ForgedResponseError(Exception):
    """A response does not carry the MAC that it should."""


class SecureMessaging:
    """Keys and counter of one session."""

    def __init__(self, keys: AccessKeys, counter: int) -> None:
        self._enc, self._mac = SoftwareKey("TDES", keys.enc), SoftwareKey("TDES", keys.mac)
        self._counter = counter

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """The protected command."""
        header = bytes([command.cla | _PROTECTED, command.ins, command.p1, command.p2])
        body = b""
        if command.data:
            cryptogram = self._enc.encrypt(pad(command.data, BLOCK))
            body += tlv.encode(_CRYPTOGRAM, _PADDED + cryptogram)
        if command.ne:
            body += tlv.encode(_LENGTH, _le(command.ne))
        checksum = self._checksum(pad(header, BLOCK) + body)
        body += tlv.encode(_MAC, checksum)
        # Le is "all there is": the response is longer than what was asked for, by what protects it.
        longest = MAX_SHORT_RESPONSE if command.ne <= room(MAX_SHORT_RESPONSE) else 65536
        return CommandApdu(command.name, header[0], command.ins, command.p1, command.p2, body, longest)

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        """The plain response. One without protection is what the card says when it has ended the session.

        Raises:
            ForgedResponseError: the MAC is wrong, or the status is another one.
        """
        try:
            parts = list(tlv.decode(response.data))
        except tlv.TlvError:
            raise ForgedResponseError from None
        given = dict(parts)
        status = given.get(_STATUS, b"")
        if not parts and response.sw != 0x9000:
            return response
        covered = b"".join(tlv.encode(tag, value) for tag, value in parts if tag != _MAC)
        expected = self._checksum(covered)
        if not hmac.compare_digest(expected, given.get(_MAC, b"")) or len(status) != 2:
            raise ForgedResponseError
        data = b""
        if _CRYPTOGRAM in given:
            cryptogram = given[_CRYPTOGRAM]
            if cryptogram[:1] != _PADDED or len(cryptogram) % BLOCK != 1:
                raise ForgedResponseError
            plain = unpad(self._enc.decrypt_cbc(cryptogram[1:], bytes(BLOCK)))
            if plain is None:
                raise ForgedResponseError
            data = plain
        return ResponseApdu(data, int.from_bytes(status, "big"))

    def _checksum(self, message: bytes) -> bytes:
        self._counter += 1
        return retail_mac(self._mac, self._counter.to_bytes(BLOCK, "big") + message, bytes(BLOCK))


def room(longest: int) -> int:
    """Bytes of plain data in a protected response whose data field has at most `longest` bytes."""
    return (longest - OVERHEAD) // BLOCK * BLOCK - 1


def _le(ne: int) -> bytes:
    return bytes([ne & 0xFF]) if ne <= MAX_SHORT_RESPONSE else (ne & 0xFFFF).to_bytes(2, "big")
