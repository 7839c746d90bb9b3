"""What the secure channel protocols have in common: levels, and what a protocol does for a session."""

from __future__ import annotations

from enum import IntFlag
from typing import Protocol

from services.cardperso.keys.symmetric import Algorithm
from services.cardperso.pcsc.apdu import CommandApdu, ResponseApdu

SECURE_MESSAGING = 0x04
"""Bit of the class byte: GlobalPlatform's own secure messaging (GlobalPlatform 2.3.1, 11.1.4)."""


class SecurityLevel(IntFlag):
    """P1 of EXTERNAL AUTHENTICATE (GlobalPlatform 2.3.1, E.5.2; Amendment D 1.2, 7.1.2)."""

    C_MAC = 0x01
    C_DECRYPTION = 0x02
    R_MAC = 0x10
    R_ENCRYPTION = 0x20

    C_MAC_AND_C_DECRYPTION = C_MAC | C_DECRYPTION
    C_MAC_AND_R_MAC = C_MAC | R_MAC
    C_DECRYPTION_AND_R_MAC = C_MAC | C_DECRYPTION | R_MAC
    ALL = C_MAC | C_DECRYPTION | R_MAC | R_ENCRYPTION


SCP02_LEVELS = frozenset({SecurityLevel.C_MAC, SecurityLevel.C_MAC_AND_C_DECRYPTION})
"""01 and 03: what SCP02 offers without R-MAC (i = 15, 55)."""
SCP03_LEVELS = SCP02_LEVELS | {
    SecurityLevel.C_MAC_AND_R_MAC,
    SecurityLevel.C_DECRYPTION_AND_R_MAC,
    SecurityLevel.ALL,
}
"""01, 03, 11, 13 and 33: the sensible combinations (Amendment D 1.2, 7.1.2)."""


class ForgedError(Exception):
    """A response does not carry the MAC that it should."""


class SecureMessaging(Protocol):
    """The state of one open session. Commands and responses pass it in the order in which they are sent."""

    @property
    def card_cryptogram(self) -> bytes:
        """What the card must have answered."""

    @property
    def host_cryptogram(self) -> bytes:
        """What proves to the card that we have its keys."""

    @property
    def key_algorithm(self) -> Algorithm:
        """Algorithm of the keys that PUT KEY brings through this protocol."""

    def begin(self, level: SecurityLevel) -> CommandApdu:
        """EXTERNAL AUTHENTICATE; commands after it are protected as `level` says."""

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """The command as it is to be sent."""

    def unwrap(self, response: ResponseApdu) -> bytes:
        """The data of the response to the command wrapped last.

        Raises:
            ForgedError: it was changed on its way.
        """

    def encrypt_sensitive(self, blocks: bytes) -> bytes:
        """Whole blocks of keys or secrets under the key encryption key, besides what `wrap` does."""

    def longest(self, limit: int) -> int:
        """Bytes of plain data in a command whose wrapped data has at most `limit` bytes."""
