"""Basic access control: chip and reader prove to each other that they know the same keys (ICAO Doc 9303-11,
4.3.3; ISO/IEC 11770-2, mechanism 6).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Protocol

from services.cardperso.chip.access import AccessKeys, from_seed
from services.cardperso.globalplatform.scp02 import retail_mac
from services.cardperso.keys.symmetric import SoftwareKey
from services.cardperso.pcsc.apdu import CommandApdu, ResponseApdu
from services.cardperso.verify.secure_messaging import SecureMessaging

NONCE = 8
_KEY = 16
_MAC = 8


class Line(Protocol):
    """A card on some reader. Faults of the line are raised, status words are returned."""

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        """Send a command and collect its whole response."""


class AccessRefusedError(Exception):
    """Chip and reader do not have the same keys; `sw` is the chip's answer, 9000 where its own proof is
    wrong.
    """

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


def authenticate(
    line: Line, candidates: Sequence[AccessKeys], random: Callable[[int], bytes]
) -> SecureMessaging:
    """Open a session with the first keys that the chip accepts. Chips do not count failed attempts.

    Args:
        line: to the selected application.
        candidates: keys that the chip may have.
        random: source of nonces and keys.

    Raises:
        AccessRefusedError: none of them fits.
    """
    last = 0x6300
    for keys in candidates:
        try:
            return _attempt(line, keys, random)
        except AccessRefusedError as refused:
            last = refused.sw
    raise AccessRefusedError(last)


def _attempt(line: Line, keys: AccessKeys, random: Callable[[int], bytes]) -> SecureMessaging:
    enc, mac = SoftwareKey("TDES", keys.enc), SoftwareKey("TDES", keys.mac)
    challenge = _command(line, CommandApdu("GET CHALLENGE", 0x00, 0x84, 0x00, 0x00, ne=NONCE), NONCE)
    nonce, share = random(NONCE), random(_KEY)
    proof = enc.encrypt(nonce + challenge + share)
    data = proof + retail_mac(mac, proof, bytes(NONCE))
    command = CommandApdu("EXTERNAL AUTHENTICATE", 0x00, 0x82, 0x00, 0x00, data, len(data))
    answer = _command(line, command, len(data))
    cryptogram, checksum = answer[:-_MAC], answer[-_MAC:]
    plain = enc.decrypt_cbc(cryptogram, bytes(NONCE))
    genuine = hmac.compare_digest(retail_mac(mac, cryptogram, bytes(NONCE)), checksum)
    if not genuine or plain[: 2 * NONCE] != challenge + nonce:
        raise AccessRefusedError(0x9000)
    seed = bytes(a ^ b for a, b in zip(share, plain[2 * NONCE :], strict=True))
    return SecureMessaging(from_seed(seed), int.from_bytes(challenge[4:] + nonce[4:], "big"))


def _command(line: Line, command: CommandApdu, size: int) -> bytes:
    response = line.transmit(command)
    if response.sw != 0x9000 or len(response.data) != size:
        raise AccessRefusedError(response.sw)
    return response.data
