"""What a card printer does, and what can go wrong with one."""

# Named as gRPC names its errors.
# ruff: noqa: N818
from __future__ import annotations

from typing import Protocol

from services.cardperso.face.render import Faces
from services.common.errors import FailedPrecondition, TunggalError, Unavailable


class CardPrinter(Protocol):
    """Prints both faces of a card."""

    @property
    def dpi(self) -> int:
        """Dots per inch that it wants."""

    def check(self) -> None:
        """See that a card could be printed now, before anything is spent on one.

        Raises:
            PrinterFault: see there.
        """

    def print(self, name: str, faces: Faces) -> None:
        """Print a card and wait until it is done. The same name is printed once only, however often it is
        asked for: a second card of one person must not come out because an answer was lost.

        Raises:
            PrinterFault: see there; the same name may be printed again, and is where it was not.
        """

    def kept(self) -> list[str]:
        """Names of the cards of which it keeps something."""

    def forget(self, name: str) -> None:
        """Keep nothing of a card any more: it has left the house."""


class NoPrinter:
    """Prints nothing: cards whose faces somebody else prints, from the pictures that the service keeps."""

    dpi = 300

    def check(self) -> None:
        """There is nothing that could be missing."""

    def print(self, name: str, faces: Faces) -> None:
        """Nothing to do."""

    def kept(self) -> list[str]:
        """It keeps nothing."""
        return []

    def forget(self, name: str) -> None:
        """Nothing to do."""


class PrinterFault(TunggalError):
    """Any of the faults below; `printer` names where."""


class PrinterOffline(PrinterFault, Unavailable):
    """The printer, or the print service, does not answer."""

    def __init__(self, printer: str, detail: str) -> None:
        super().__init__(
            "PRINTER_OFFLINE",
            f"The printer {printer} is offline: {detail}.",
            remedy="Switch it on, look at its cable and at the print service.",
            metadata={"printer": printer},
            retry_after=5,
        )


class RibbonOut(PrinterFault, Unavailable):
    """The ribbon is used up."""

    def __init__(self, printer: str) -> None:
        super().__init__(
            "RIBBON_OUT",
            f"The printer {printer} has no ribbon left.",
            remedy="Put a new ribbon in.",
            metadata={"printer": printer},
            retry_after=5,
        )


class CardsOut(PrinterFault, Unavailable):
    """The hopper is empty."""

    def __init__(self, printer: str) -> None:
        super().__init__(
            "CARDS_OUT",
            f"The printer {printer} has no card in its hopper.",
            remedy="Put the blank in.",
            metadata={"printer": printer},
            retry_after=5,
        )


class PrinterStopped(PrinterFault, Unavailable):
    """The printer waits for somebody: cover open, card jammed, queue paused."""

    def __init__(self, printer: str, detail: str) -> None:
        super().__init__(
            "PRINTER_STOPPED",
            f"The printer {printer} has stopped: {detail}.",
            remedy="See to the printer, then resume its queue.",
            metadata={"printer": printer},
            retry_after=5,
        )


class PrinterUnknown(PrinterFault, FailedPrecondition):
    """The print service knows no such queue."""

    def __init__(self, printer: str, known: list[str]) -> None:
        super().__init__(
            "PRINTER_UNKNOWN",
            f"There is no printer {printer}.",
            remedy=f"Name one of: {', '.join(known) or 'none is set up'}.",
            metadata={"printer": printer},
        )


class PrintFailed(PrinterFault, FailedPrecondition):
    """The print service gave the job up; whether a card came out is for somebody to look."""

    def __init__(self, printer: str, detail: str) -> None:
        super().__init__(
            "PRINT_FAILED",
            f"The printer {printer} did not print the card: {detail}.",
            remedy="Look whether a card came out before it is printed again.",
            metadata={"printer": printer},
        )
