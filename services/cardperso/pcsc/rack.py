"""All readers of this host, behind one pcscd or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from services.cardperso.pcsc.errors import PcscUnavailable, ReaderGone
from services.cardperso.pcsc.port import Port, ReaderState
from services.cardperso.pcsc.remote import Helper
from services.cardperso.pcsc.scard import LocalPort
from services.cardperso.pcsc.watchdog import CallTimeoutError
from services.common.errors import ConfigurationError

SEPARATOR = "/"
"""Between the name of an instance and that of a reader."""


class Rack:
    """The readers of this host.

    Args:
        sockets: sockets of several pcscd by a name each, which begins the names of its readers ("hall/ACS
            ACR1552 00 00"). Empty for the one pcscd that every PC/SC program finds, whose readers keep their
            names.
    """

    def __init__(self, sockets: Mapping[str, Path] | None = None) -> None:
        self._helpers: dict[str, Helper] = {}
        self.use(sockets or {})

    def use(self, sockets: Mapping[str, Path]) -> None:
        """Use these pcscd from now on; sessions with others are over."""
        before, self._helpers = self._helpers, {name: Helper(path) for name, path in sockets.items()}
        for helper in before.values():
            helper.close()

    @property
    def instances(self) -> tuple[str, ...]:
        """Names of the pcscd instances; one empty name for the system's."""
        return tuple(self._helpers) or ("",)

    @property
    def helper_pids(self) -> dict[str, int | None]:
        """Process of each instance's helper; None where it was not needed yet."""
        return {name: helper.pid for name, helper in self._helpers.items()}

    def connect(self, instance: str) -> Port:
        """A connection to one pcscd.

        Raises:
            PcscUnavailable: it does not answer.
        """
        return self._helpers[instance].port() if self._helpers else LocalPort()

    def find(self, reader: str) -> tuple[str, str]:
        """Instance of a reader, and its name there.

        Raises:
            ReaderGone: there is no such instance.
        """
        if not self._helpers:
            return "", reader
        instance, separator, name = reader.partition(SEPARATOR)
        if not separator or instance not in self._helpers:
            raise ReaderGone(reader)
        return instance, name

    def full_name(self, instance: str, reader: str) -> str:
        """How a reader is called outside of its instance."""
        return f"{instance}{SEPARATOR}{reader}" if self._helpers else reader

    def states(self) -> list[ReaderState]:
        """All readers and what lies on them. Those of an instance that does not answer are left out.

        Raises:
            PcscUnavailable: none answers.
        """
        found: list[ReaderState] = []
        failed: list[PcscUnavailable] = []
        for instance in self.instances:
            try:
                found += self.states_of(instance)
            except PcscUnavailable as error:
                failed.append(error)
        if len(failed) == len(self.instances):
            raise failed[0]
        return found

    def states_of(self, instance: str) -> list[ReaderState]:
        """The readers of one instance.

        Raises:
            PcscUnavailable: it does not answer.
        """
        line = self.connect(instance)
        try:
            return [
                ReaderState(self.full_name(instance, state.name), state.atr, state.flags)
                for state in line.states()
            ]
        except CallTimeoutError:
            raise PcscUnavailable from None
        finally:
            line.close()

    def close(self) -> None:
        """End the helpers; open sessions fail. A later use starts them again."""
        for helper in self._helpers.values():
            helper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse_sockets(text: str) -> dict[str, Path]:
    """Sockets of several pcscd from "hall=/run/hall/pcscd.comm,annex=/run/annex/pcscd.comm".

    Raises:
        ConfigurationError: it is not such a list.
    """
    sockets: dict[str, Path] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, separator, path = (part.strip() for part in entry.partition("="))
        if not separator or not name or SEPARATOR in name or not Path(path).is_absolute() or name in sockets:
            raise ConfigurationError(
                f"TUNGGAL_PCSC_SOCKETS: {entry!r} is not NAME=/path/to/pcscd.comm with a name of its own."
            )
        sockets[name] = Path(path)
    return sockets


SYSTEM = Rack()
"""The readers of the system's pcscd, or of the one that PCSCLITE_CSOCK_NAME names, until a service is told
of others: one a process, as libpcsclite has it.
"""
