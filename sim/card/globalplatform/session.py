"""The card's end of a secure channel, whatever the protocol."""

from __future__ import annotations

from typing import Protocol

from sim.card.apdu import Command

C_MAC, C_DECRYPTION, R_MAC, R_ENCRYPTION = 0x01, 0x02, 0x10, 0x20


class ForgedCommandError(Exception):
    """The command's MAC or padding is wrong: the card answers 6982 and ends the session."""


class CardSession(Protocol):
    """Keys, counters and level of one session."""

    level: int

    def update_response(self) -> bytes:
        """What follows the key information in the answer to INITIALIZE UPDATE."""

    def offers(self, level: int) -> bool:
        """Whether this card has the security level."""

    def authenticate(self, command: Command) -> bool:
        """Whether EXTERNAL AUTHENTICATE carries the right MAC and host cryptogram; if so, its level, one that
        this card offers, is in force.
        """

    def unwrap(self, command: Command) -> bytes:
        """Plain data of a protected command.

        Raises:
            ForgedCommandError: it was changed, replayed or left out.
        """

    def wrap(self, data: bytes, sw: int) -> bytes:
        """Protected data of a response."""

    def decrypt_sensitive(self, data: bytes) -> bytes:
        """Data that was encrypted under the key encryption key; ValueError when it is not whole blocks."""
