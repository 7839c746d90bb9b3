"""What can go wrong with a card, on demand."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sim.card.memory import PowerLossError, WriteError


@dataclass(frozen=True)
class Faults:
    """Faults of one card; the defaults are a good card.

    Counts begin at 1 and run over the life of the `VirtualCard` object, over removals and resets.

    Args:
        die_at: the card loses power during this APDU, in the middle of what it programs, and leaves the
            field.
        slow: seconds that every APDU takes, beside what the simulation itself needs.
        slow_at: seconds are only taken by this APDU; 0 for every one.
        write_error_at: programming this page of EEPROM fails (6581).
        corrupt_at: this page is programmed with one bit wrong and no error: only reading back shows it.
    """

    die_at: int = 0
    slow: float = 0.0
    slow_at: int = 0
    write_error_at: int = 0
    corrupt_at: int = 0


@dataclass(frozen=True)
class Pace:
    """How long a real chip takes, at least: what the simulation needs is part of it.

    Args:
        apdu: seconds for every APDU.
        byte: seconds for each byte of command and response on top: the bit rate.
    """

    apdu: float = 0.0
    byte: float = 0.0


class FaultInjector:
    """Counts APDUs and pages, strikes where `Faults` says, and keeps the pace."""

    def __init__(self, faults: Faults, pace: Pace | None = None) -> None:
        self.faults = faults
        self.pace = pace or Pace()
        self.apdus = 0
        self.pages = 0
        self.gone = threading.Event()
        self._dying = False
        self._pages_of_apdu = 0
        self._due = 0.0

    def before_apdu(self, size: int = 0) -> None:
        """Called when an APDU of `size` bytes has arrived; takes its time on a slow card unless the card is
        removed meanwhile.
        """
        self.apdus += 1
        self._pages_of_apdu = 0
        self._dying = self.apdus == self.faults.die_at
        self._due = time.monotonic() + self.pace.apdu + size * self.pace.byte
        if self.faults.slow and self.faults.slow_at in (0, self.apdus):
            self.gone.wait(self.faults.slow)

    def before_page(self) -> bool:
        """Called before a page is programmed; whether the page comes out with a wrong bit."""
        self.pages += 1
        self._pages_of_apdu += 1
        if self._dying and self._pages_of_apdu > 1:
            raise PowerLossError
        if self.pages == self.faults.write_error_at:
            raise WriteError
        return self.pages == self.faults.corrupt_at

    def before_response(self, size: int = 0) -> None:
        """Called before the answer of `size` bytes leaves; a dying card never sends it."""
        if self._dying:
            raise PowerLossError
        left = self._due + size * self.pace.byte - time.monotonic()
        if left > 0:
            self.gone.wait(left)
