"""Card printers by CUPS (RFC 8011 for states and their reasons; pycups)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cups

from services.cardperso.face import pdf
from services.cardperso.face.render import Faces
from services.cardperso.printing.printer import (
    CardsOut,
    PrinterFault,
    PrinterOffline,
    PrinterStopped,
    PrinterUnknown,
    PrintFailed,
    RibbonOut,
)

_STOPPED = 5
"""printer-state (RFC 8011, 5.4.11)."""
_COMPLETED, _ABORTED, _CANCELED = 9, 8, 7
"""job-state (RFC 8011, 5.3.7)."""
_RIBBON = ("marker-supply-empty", "marker-ribbon-empty", "toner-empty")
_CARDS = ("media-empty", "media-needed", "input-tray-missing")
_AWAY = ("offline", "connecting-to-device", "timed-out", "shutdown")
_SEVERITIES = ("-error", "-warning", "-report")
_OPTIONS = {"media": "Custom.85.6x53.98mm", "sides": "two-sided-long-edge", "print-scaling": "none"}
_LOOK_SECONDS = 0.25
_PIECE = 1 << 16
_lock = threading.Lock()
"""libcups keeps the server's address per process."""


class CupsPrinter:
    """The queue `queue` of the print service at `server`: a socket's path or host:port, empty for the
    system's own.

    Args:
        queue: name.
        server: of the print service.
        ledger: directory in which sent cards are written down.
        dpi: dots per inch of the printer.
        seconds: time for a card, then the printer counts as stopped.
        stop: ends a wait early.
    """

    def __init__(
        self,
        queue: str,
        server: str,
        ledger: Path,
        *,
        dpi: int,
        seconds: float,
        stop: threading.Event | None = None,
    ) -> None:
        self._queue = queue
        self._server = server
        self._ledger = ledger
        self._dpi = dpi
        self._seconds = seconds
        self._stop = stop or threading.Event()

    @property
    def dpi(self) -> int:
        """Dots per inch that it wants."""
        return self._dpi

    def check(self) -> None:
        """See that the queue takes jobs and that its printer prints.

        Raises:
            PrinterFault: see there.
        """
        self._check(self._connect())

    def print(self, name: str, faces: Faces) -> None:
        """Print a card, or wait for the job in which it was sent before.

        Raises:
            PrinterFault: see there.
        """
        line = self._connect()
        job = self._remembered(line, name)
        if job is None:
            self._check(line)
            job = self._submit(line, name, pdf.document([faces.front, faces.back]))
        self._await(line, job)

    def kept(self) -> list[str]:
        """Cards of which it is written down in which job they were sent."""
        return sorted(path.name for path in self._ledger.glob("*")) if self._ledger.is_dir() else []

    def forget(self, name: str) -> None:
        """Strike a card out."""
        (self._ledger / name).unlink(missing_ok=True)

    def _connect(self) -> Any:
        """A connection of this thread's own."""
        host, _, port = self._server.rpartition(":")
        try:
            if not self._server or self._server.startswith("/"):
                with _lock:
                    cups.setServer(self._server)
                    return cups.Connection()
            return cups.Connection(host=host, port=int(port))
        except (RuntimeError, ValueError):
            raise PrinterOffline(self._queue, "the print service does not answer") from None

    def _check(self, line: Any) -> None:
        wanted = [
            "printer-state",
            "printer-state-reasons",
            "printer-state-message",
            "printer-is-accepting-jobs",
        ]
        try:
            found = line.getPrinterAttributes(self._queue, requested_attributes=wanted)
        except cups.IPPError as error:
            if error.args[0] == cups.IPP_NOT_FOUND:
                raise PrinterUnknown(self._queue, sorted(line.getPrinters())) from None
            raise PrinterOffline(self._queue, str(error.args[1])) from None
        if found["printer-state"] != _STOPPED and found["printer-is-accepting-jobs"]:
            # Reasons of a printer that is not stopped are what the last job left behind.
            return
        reasons = [reason for reason in found["printer-state-reasons"] if reason != "none"]
        detail = found["printer-state-message"] or ", ".join(reasons) or "its queue is paused"
        raise _fault(self._queue, reasons) or PrinterStopped(self._queue, detail.rstrip("."))

    def _remembered(self, line: Any, name: str) -> int | None:
        """The job in which this card was sent, if the service still has it and has not given it up."""
        try:
            number, uuid, *_ = (self._ledger / name).read_text().split()
            job = int(number)
            wanted = ["job-state", "job-uuid", "number-of-documents"]
            found = line.getJobAttributes(job, requested_attributes=wanted)
            if found["job-uuid"] != uuid or found["job-state"] in (_ABORTED, _CANCELED):
                # A service that was set up anew counts from 1 again.
                return None
            if not found.get("number-of-documents"):
                # We ended between announcing the card and sending it.
                line.cancelJob(job, purge_job=True)
                return None
        except (OSError, ValueError):
            return None
        except cups.IPPError as error:
            if error.args[0] == cups.IPP_NOT_FOUND:
                return None
            raise PrinterOffline(self._queue, str(error.args[1])) from None
        return job

    def _submit(self, line: Any, name: str, document: bytes) -> int:
        """Send a card. Its job is written down before there is anything in it to print."""
        try:
            job = int(line.createJob(self._queue, name, _OPTIONS))
            uuid = line.getJobAttributes(job, requested_attributes=["job-uuid"])["job-uuid"]
            self._remember(name, f"{job} {uuid}\n")
            line.startDocument(self._queue, job, name, "application/pdf", 1)
            for at in range(0, len(document), _PIECE):
                piece = document[at : at + _PIECE]
                line.writeRequestData(piece, len(piece))
            line.finishDocument(self._queue)
        except cups.IPPError as error:
            raise PrinterOffline(self._queue, str(error.args[1])) from None
        return job

    def _remember(self, name: str, text: str) -> None:
        try:
            self._ledger.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._ledger / name
            unfinished = path.with_suffix(".new")
            with unfinished.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            raise PrinterOffline(self._queue, f"{self._ledger}: {error.strerror}") from None

    def _await(self, line: Any, job: int) -> None:
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                found = line.getJobAttributes(
                    job, requested_attributes=["job-state", "job-printer-state-message"]
                )
            except cups.IPPError as error:
                raise PrinterOffline(self._queue, str(error.args[1])) from None
            state = found["job-state"]
            if state == _COMPLETED:
                return
            if state in (_ABORTED, _CANCELED):
                detail = found.get("job-printer-state-message") or "the print service gave it up"
                raise PrintFailed(self._queue, detail.rstrip("."))
            self._check(line)
            if time.monotonic() > deadline or self._stop.wait(_LOOK_SECONDS):
                raise PrinterStopped(self._queue, f"a card took more than {self._seconds:.0f} seconds")


def _fault(queue: str, reasons: Iterable[str]) -> PrinterFault | None:
    """What the reasons mean; warnings and reports stop nobody."""
    for reason in reasons:
        name, severity = reason, ""
        for ending in _SEVERITIES:
            if reason.endswith(ending):
                name, severity = reason.removesuffix(ending), ending
        if severity in ("-warning", "-report"):
            continue
        if name in _RIBBON:
            return RibbonOut(queue)
        if name in _CARDS:
            return CardsOut(queue)
        if name in _AWAY:
            return PrinterOffline(queue, name)
        if name != "paused" and severity == "-error":
            return PrinterStopped(queue, name)
    return None
