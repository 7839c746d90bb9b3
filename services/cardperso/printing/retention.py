"""Nothing of a card stays with the printer once the card has left the house."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.cardperso.printing.printer import CardPrinter
from services.common.errors import NotFound, TunggalError
from services.common.logs import get_logger

_SECONDS = 30.0

_log = get_logger()


class Retention:
    """Sweeps what a printer of this host keeps; `is_over` says of a job whether its card is handed over or
    lost.
    """

    def __init__(self, printer: CardPrinter, is_over: Callable[[str], bool]) -> None:
        self._printer = printer
        self._is_over = is_over

    def run(self, stop: threading.Event) -> None:
        """Sweep now and then, until told to stop."""
        while not stop.is_set():
            try:
                self.sweep()
            except (TunggalError, OSError) as error:
                _log.warning("spool_not_swept", detail=str(error))
            stop.wait(_SECONDS)

    def sweep(self) -> None:
        """Forget every card that is over; what belongs to no job of ours is left alone."""
        for name in self._printer.kept():
            try:
                over = self._is_over(name)
            except NotFound:
                continue
            if over:
                self._printer.forget(name)
