"""The PC/SC calls that we need, with every result code turned into one of our errors.

pyscard's low-level module is used: its high-level one runs monitor threads that die when pcscd restarts
(LudovicRousseau/pyscard issue 82) and leak (37). Every session has a context of its own, so that a pcscd
that came back is simply used again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

import smartcard.scard as pcsc

from services.cardperso.pcsc.apdu import for_t0
from services.cardperso.pcsc.errors import (
    CardChanged,
    CardRemoved,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)
from services.cardperso.pcsc.port import ReaderBusyError, ReaderState
from services.cardperso.pcsc.watchdog import WATCHDOG, CallTimeoutError, Leash
from services.common.logs import get_logger

PROTOCOLS = pcsc.SCARD_PROTOCOL_T0 | pcsc.SCARD_PROTOCOL_T1
SHARING_VIOLATION = 0x8010000B
TIMEOUT = 0x8010000A
_READER = {0x80100009, 0x80100017, 0x8010002E}
"""Unknown reader, reader unavailable, no readers at all."""
_REMOVED = {0x8010000C, 0x80100016, 0x80100066, 0x80100067, 0x8010002F, 0x8010000F}
"""No card; not transacted (gone mid-APDU, then for ever); unresponsive; unpowered; communication error;
protocol mismatch."""
_CHANGED = {0x80100068, 0x80100069}
"""Reset by others; removed, and another one lies there."""

_ANY_READER = "\\\\?PnP?\\Notification"
"""Pseudo-reader whose state changes when readers come or go (pcsc-lite, SCardGetStatusChange)."""
_MAX_READERS = 16
"""pcscd has no more, and takes no longer list."""
_HOUSEKEEPING = 10.0
"""Seconds for calls that no card takes part in."""
_SOCKET_NAME = "pcscd.comm"
_establishing = threading.Lock()

_log = get_logger()


def fault(code: int, reader: str) -> PcscFault:
    """The error behind a result code."""
    if code in _READER:
        return ReaderGone(reader)
    if code in _REMOVED:
        return CardRemoved(reader)
    if code in _CHANGED:
        return CardChanged(reader)
    return PcscUnavailable(reader)


class LocalPort:
    """A context of the PC/SC service that libpcsclite knows in this process; see `Port`.

    A context is a connection of its own to pcscd. A call that takes too long is ended by shutting that
    connection: pcscd then takes the program for dead, and gives the card free when it answers at last.
    """

    def __init__(self) -> None:
        self._reader = ""
        self._handle: int | None = None
        self._sound = True
        self._control = 0
        self._wire: socket.socket | None = None
        self._leash = Leash(self._cut)
        self._before: frozenset[int] = frozenset()
        WATCHDOG.add(self._leash)
        try:
            with _establishing, self._leash.within(_HOUSEKEEPING):
                self._before = frozenset(_connections())
                code, self._context = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
                if _unsigned(code):
                    raise PcscUnavailable
                made = self._made()
                if len(made) == 1:
                    self._wire = socket.socket(fileno=os.dup(made[0]))
        except CallTimeoutError:
            WATCHDOG.remove(self._leash)
            raise PcscUnavailable from None
        except BaseException:
            WATCHDOG.remove(self._leash)
            raise
        if self._wire is None:
            # Without it no call could be ended in time.
            _log.error("pcscd_connection_not_found", expected=_SOCKET_NAME)
            self.close()
            raise PcscUnavailable

    def states(self) -> list[ReaderState]:
        """See `Port`."""
        with self._leash.within(_HOUSEKEEPING):
            code, names = pcsc.SCardListReaders(self._context, [])
            if _unsigned(code) in _READER:
                return []
            self._check(code, "")
            code, found = pcsc.SCardGetStatusChange(
                self._context, 0, [(name, pcsc.SCARD_STATE_UNAWARE) for name in names]
            )
        if _unsigned(code) in _READER:
            return []  # one went in between
        self._check(code, "")
        return [
            ReaderState(name, bytes(atr), flags)
            for name, flags, atr in found
            if not flags & (pcsc.SCARD_STATE_UNKNOWN | pcsc.SCARD_STATE_UNAVAILABLE)
        ]

    def wait(self, known: Sequence[ReaderState], seconds: float) -> None:
        """See `Port`."""
        watched = [(state.name, state.flags & ~pcsc.SCARD_STATE_CHANGED) for state in known]
        if len(watched) < _MAX_READERS:
            watched.append((_ANY_READER, pcsc.SCARD_STATE_UNAWARE))
        with self._leash.within(seconds + _HOUSEKEEPING):
            code, _ = pcsc.SCardGetStatusChange(self._context, int(1000 * seconds), watched)
        if _unsigned(code) != TIMEOUT and _unsigned(code) not in _READER:
            self._check(code, "")

    def connect(self, reader: str, seconds: float) -> bytes:
        """See `Port`."""
        self._reader, self._sound = reader, True
        with self._leash.within(seconds):
            code, handle, protocol = pcsc.SCardConnect(
                self._context, reader, pcsc.SCARD_SHARE_EXCLUSIVE, PROTOCOLS
            )
            if _unsigned(code) == SHARING_VIOLATION:
                raise ReaderBusyError
            self._check(code, reader)
            self._handle = handle
            self._use(protocol)
            self._check(pcsc.SCardBeginTransaction(handle), reader)
            return self._atr(handle)

    def exchange(self, command: bytes, seconds: float) -> bytes:
        """See `Port`."""
        handle = self._card()
        with self._leash.within(seconds):
            code, received = pcsc.SCardTransmit(handle, self._control, list(self._framed(command)))
            self._check(code, self._reader)
        if len(received) < 2:
            self._sound = False
            # pcscd reports success with nothing in it when the card goes in the middle of an APDU.
            raise CardRemoved(self._reader)
        return bytes(received)

    def power_cycle(self, seconds: float) -> bytes:
        """See `Port`."""
        handle = self._card()
        with self._leash.within(seconds):
            code, protocol = pcsc.SCardReconnect(
                handle, pcsc.SCARD_SHARE_EXCLUSIVE, PROTOCOLS, pcsc.SCARD_UNPOWER_CARD
            )
            self._check(code, self._reader)
            self._use(protocol)
            return self._atr(handle)

    def disconnect(self) -> None:
        """See `Port`.

        After a fault the power is left to pcscd: where it fails to switch off a card that is gone, it
        believes the reader empty and overlooks a card that is laid down before its next poll (0.4 s).
        """
        handle, self._handle = self._handle, None
        if handle is None or self._leash.expired:
            return
        with self._leash.within(_HOUSEKEEPING):
            pcsc.SCardEndTransaction(handle, pcsc.SCARD_LEAVE_CARD)
            pcsc.SCardDisconnect(handle, pcsc.SCARD_UNPOWER_CARD if self._sound else pcsc.SCARD_LEAVE_CARD)

    def close(self) -> None:
        """See `Port`."""
        with contextlib.suppress(CallTimeoutError):
            self.disconnect()
        # On a connection that was cut this returns at once.
        pcsc.SCardReleaseContext(self._context)
        WATCHDOG.remove(self._leash)
        if self._wire is not None:
            self._wire.close()

    def _card(self) -> int:
        if self._handle is None:
            raise CardRemoved(self._reader)
        return self._handle

    def _atr(self, handle: int) -> bytes:
        code, _, _, _, atr = pcsc.SCardStatus(handle)
        self._check(code, self._reader)
        return bytes(atr)

    def _framed(self, command: bytes) -> bytes:
        """The command as the protocol carries it: T=0 has one length byte (`apdu.for_t0`)."""
        return for_t0(command) if self._control == pcsc.SCARD_PCI_T0 else command

    def _use(self, protocol: int) -> None:
        self._control = pcsc.SCARD_PCI_T1 if protocol == pcsc.SCARD_PROTOCOL_T1 else pcsc.SCARD_PCI_T0

    def _check(self, code: int, reader: str) -> None:
        code = _unsigned(code)
        if code:
            self._sound = False
            raise fault(code, reader)

    def _cut(self) -> None:
        """Shut the connection, so that libpcsclite stops waiting for an answer."""
        if self._wire is not None:
            self._wire.shutdown(socket.SHUT_RDWR)
            return
        # pcscd accepted the connection and says nothing. Ours is the only one that is being made.
        for descriptor in self._made():
            with socket.socket(fileno=os.dup(descriptor)) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    def _made(self) -> list[int]:
        """Descriptors of the connections that are new since the last look."""
        return [each for number, each in _connections().items() if number not in self._before]


def _connections() -> dict[int, int]:
    """Connections of this process to a pcscd: a descriptor of each, by the number of its socket. Numbers of
    descriptors alone tell nothing: what one thread closes, the next one gets.
    """
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        descriptor = int(entry.name)
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode) and _is_pcscd(descriptor):
                found[status.st_ino] = descriptor
    return found


def _is_pcscd(descriptor: int) -> bool:
    """Whether the other end is bound to the name that every pcscd gives its socket."""
    with socket.socket(fileno=os.dup(descriptor)) as probe:
        if probe.family != socket.AF_UNIX:
            return False
        peer = probe.getpeername()
    return isinstance(peer, str) and peer.endswith(f"/{_SOCKET_NAME}")


def _unsigned(code: int) -> int:
    """A result code as the standard prints it."""
    return code & 0xFFFFFFFF
