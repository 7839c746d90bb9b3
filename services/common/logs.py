"""Structured logs: one event per line on standard output, with the trace and RPC it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

if TYPE_CHECKING:
    from services.common.settings import ServiceSettings


def configure(settings: ServiceSettings) -> None:
    """Send this process's logs, those of libraries included, to standard output in the configured format."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(settings.service),
    ]
    render: list[Processor] = (
        [structlog.processors.format_exc_info, _as_json]
        if settings.log_format == "json"
        # The default traceback prints local variables: biodata, images.
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Output,
        cache_logger_on_first_use=False,
    )
    handler = _Records()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[_without_meta, *render], foreign_pre_chain=shared)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries talk at info about what is no news; a service's own lines do not pass through here.
    root.setLevel(max(level, logging.WARNING))


def get_logger() -> FilteringBoundLogger:
    """A logger whose calls take an event name and key-value pairs: ``log.info("lot_received", lot=name)``."""
    return cast(FilteringBoundLogger, structlog.get_logger())


# Made once: json.dumps makes a new one for every line that may hold more than plain values.
_JSON = json.JSONEncoder(default=repr)


class _Output:
    """Where lines go. A full disk or a closed pipe must not fail the work that a line tells about."""

    def __init__(self, *_: object) -> None:
        self._stream = sys.stdout

    def msg(self, line: str) -> None:
        """Write one line."""
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


class _Records(logging.Handler):
    """Writes the records of libraries to the same place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        _Output().msg(self.format(record))


def _as_json(_: object, __: str, event: structlog.typing.EventDict) -> str:
    return _JSON.encode(event)


def _service(name: str) -> Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", name)
        return event

    return add


def _without_meta(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event
