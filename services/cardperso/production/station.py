"""A station: a reader of some host, and the printer beside it, at a location."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum

from services.common.errors import NotFound


class Printer(StrEnum):
    """How a printer is."""

    NONE = "NONE"
    READY = "READY"
    OFFLINE = "OFFLINE"
    RIBBON_OUT = "RIBBON_OUT"
    ATTENTION = "ATTENTION"


_PRINTER_REASONS = {
    Printer.OFFLINE: "PRINTER_OFFLINE: the printer {printer} does not answer.",
    Printer.RIBBON_OUT: "RIBBON_OUT: ribbon or film of the printer {printer} is used up.",
    Printer.ATTENTION: "PRINTER_ATTENTION: the printer {printer} wants a hand.",
}


@dataclass(frozen=True)
class Station:
    """A station. `lease_time` is until when its host has promised to be there; `paused` says why it takes no
    cards, empty while it does.
    """

    name: str
    host: str
    location: str
    reader: str
    printer: str
    printer_state: Printer
    paused: str
    lease_time: dt.datetime

    def is_alive(self, now: dt.datetime) -> bool:
        """Whether its host is there."""
        return now < self.lease_time

    @property
    def obstacle(self) -> str:
        """Why it takes no cards; empty where nothing stands in the way."""
        reason = _PRINTER_REASONS.get(self.printer_state, "")
        return self.paused or reason.format(printer=self.printer)

    def with_pause(self, reason: str) -> Station:
        """Paused for a reason; an empty one resumes it."""
        return replace(self, paused=reason[:500])


def unknown(name: str) -> NotFound:
    """There is no such station."""
    return NotFound(
        "STATION_UNKNOWN",
        f"There is no station {name}.",
        field="name",
        remedy="Register it, or list the stations.",
    )
