"""Who may read: the application's end of basic access control and of its secure messaging (ICAO Doc 9303-11,
4.3 and 9.8, triple DES).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import NoReturn

from sim.card.apdu import Command, StatusError
from sim.card.globalplatform.primitives import (
    PaddingError,
    add_padding,
    des3_decrypt,
    des3_encrypt,
    des_mac,
    remove_padding,
)
from sim.card.tlv import TlvError, objects, tlv

PROTECTED = 0x0C
"""Class of a command under secure messaging with its header authenticated."""
_NONE = bytes(8)
_KEY = 16


class ReaderAccess:
    """Authentication and secure messaging of one selection.

    Args:
        keys: encryption and authentication key of 16 bytes each.
        random: source of challenges and keys.
    """

    def __init__(self, keys: bytes, random: Callable[[int], bytes]) -> None:
        self._enc, self._mac = keys[:_KEY], keys[_KEY:]
        self._random = random
        self._challenge = b""
        self._session: tuple[bytes, bytes] | None = None
        self._counter = 0

    @property
    def open(self) -> bool:
        """Whether a reader has authenticated itself."""
        return self._session is not None

    def challenge(self, command: Command) -> bytes:
        """GET CHALLENGE."""
        if command.p1p2 or command.data or command.ne < len(_NONE):
            raise StatusError(0x6700)
        self._challenge = self._random(len(_NONE))
        return self._challenge

    def authenticate(self, command: Command) -> bytes:
        """EXTERNAL AUTHENTICATE, which is mutual here: the reader's proof in, the card's out."""
        challenge, self._challenge = self._challenge, b""
        if not challenge:
            raise StatusError(0x6985)
        if command.p1p2 or len(command.data) != 40:
            raise StatusError(0x6700)
        cryptogram, mac = command.data[:32], command.data[32:]
        plain = des3_decrypt(self._enc, cryptogram)
        theirs, echoed, their_key = plain[:8], plain[8:16], plain[16:]
        if not hmac.compare_digest(des_mac(self._mac, cryptogram, _NONE), mac) or echoed != challenge:
            raise StatusError(0x6300)
        my_key = self._random(_KEY)
        answer = des3_encrypt(self._enc, challenge + theirs + my_key)
        seed = bytes(a ^ b for a, b in zip(their_key, my_key, strict=True))
        self._session = (_session_key(seed, 1), _session_key(seed, 2))
        self._counter = int.from_bytes(challenge[4:] + theirs[4:], "big")
        return answer + des_mac(self._mac, answer, _NONE)

    def close(self) -> None:
        """Forget the session."""
        self._session = None

    def unwrap(self, command: Command) -> Command:
        """The plain command.

        Raises:
            StatusError: 6987 data objects are missing, 6988 they are wrong; the session is over.
        """
        if self._session is None:
            raise StatusError(0x6985)
        enc, mac = self._session
        header = bytes([command.cla, command.ins, command.p1, command.p2])
        try:
            parts = list(objects(command.data))
        except TlvError:
            self._fail(0x6988)
        given = dict(parts)
        if len(parts) != len(given) or not given.keys() <= {0x87, 0x97, 0x8E} or 0x8E not in given:
            self._fail(0x6987)
        covered = b"".join(tlv(tag, value) for tag, value in parts if tag != 0x8E)
        self._counter += 1
        message = self._counter.to_bytes(8, "big") + add_padding(header, 8) + covered
        if not hmac.compare_digest(des_mac(mac, message, _NONE), given[0x8E]):
            self._fail(0x6988)
        data, length = b"", given.get(0x97, b"")
        if 0x87 in given:
            cryptogram = given[0x87]
            if cryptogram[:1] != b"\x01" or len(cryptogram) % 8 != 1:
                self._fail(0x6988)
            try:
                data = remove_padding(des3_decrypt(enc, cryptogram[1:]))
            except PaddingError:
                self._fail(0x6988)
        everything = 256 if len(length) == 1 else 65536
        ne = (int.from_bytes(length, "big") or everything) if length else 0
        return Command(
            0,
            command.ins,
            command.p1,
            command.p2,
            data,
            ne,
            len(length) > 1,
            bool(length) and not any(length),
        )

    def wrap(self, data: bytes, sw: int) -> bytes:
        """Data field of the protected response."""
        if self._session is None:
            return data
        enc, mac = self._session
        self._counter += 1
        body = b""
        if data:
            body = tlv(0x87, b"\x01" + des3_encrypt(enc, add_padding(data, 8)))
        body += tlv(0x99, sw.to_bytes(2, "big"))
        message = self._counter.to_bytes(8, "big") + body
        return body + tlv(0x8E, des_mac(mac, message, _NONE))

    def _fail(self, sw: int) -> NoReturn:
        self._session = None
        raise StatusError(sw)


def _session_key(seed: bytes, purpose: int) -> bytes:
    """Key derivation for triple DES (9.7.1.1); the cipher does not look at parity bits."""
    return hashlib.sha1(seed + bytes([0, 0, 0, purpose]), usedforsecurity=False).digest()[:_KEY]
