"""The line to a PC/SC service: in this process, or through a helper of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

PRESENT, MUTE = 0x0020, 0x0200
"""SCARD_STATE_PRESENT and SCARD_STATE_MUTE (PC/SC part 5, 3.2.4)."""


class ReaderBusyError(Exception):
    """Another program holds the reader exclusively."""


@dataclass(frozen=True)
class ReaderState:
    """A reader and the card on it: `atr` is empty without a card."""

    name: str
    atr: bytes
    flags: int

    @property
    def card_present(self) -> bool:
        """Whether a card lies on it."""
        return bool(self.flags & PRESENT)

    @property
    def card_mute(self) -> bool:
        """Whether that card does not answer a reset."""
        return bool(self.flags & MUTE)


class Port(Protocol):
    """One connection to a PC/SC service, and at most one card on it; for one thread at a time.

    Every method may raise a `PcscFault`, and `CallTimeoutError` after which only `close` is left.
    """

    def states(self) -> list[ReaderState]:
        """The readers in PC/SC's order, and what lies on them now."""

    def wait(self, known: Sequence[ReaderState], seconds: float) -> None:
        """Wait until a reader comes or goes or its state differs from `known`, but no longer than so."""

    def connect(self, reader: str, seconds: float) -> bytes:
        """Power the card, hold it exclusively, begin a transaction; its answer to reset.

        Raises:
            ReaderBusyError: another program has it.
        """

    def exchange(self, command: bytes, seconds: float) -> bytes:
        """Send a command APDU; the response APDU."""

    def power_cycle(self, seconds: float) -> bytes:
        """Take the card's power away and give it back: all that it does not keep in its EEPROM is gone.

        Returns the answer to reset of the card that is there now.
        """

    def disconnect(self) -> None:
        """End the transaction and take the card's power away; nothing without a card."""

    def close(self) -> None:
        """Let go of everything. Never raises."""
