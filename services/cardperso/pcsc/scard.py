"""The few PC/SC calls that we need, with every result code turned into one of our errors.

pyscard's low-level module is used: its high-level one runs monitor threads that die when pcscd restarts
(LudovicRousseau/pyscard issue 82) and leak (37). Every operation has a context of its own, so that a pcscd
that came back is simply used again.
"""

from __future__ import annotations

from dataclasses import dataclass

import smartcard.scard as pcsc

from services.cardperso.pcsc.errors import (
    CardChanged,
    CardRemoved,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)

PROTOCOLS = pcsc.SCARD_PROTOCOL_T0 | pcsc.SCARD_PROTOCOL_T1
SHARING_VIOLATION = 0x8010000B
TIMEOUT = 0x8010000A
_READER = {0x80100009, 0x80100017, 0x8010002E}
_REMOVED = {0x8010000C, 0x80100016, 0x80100066, 0x80100067, 0x8010002F, 0x8010000F}
_CHANGED = {0x80100068, 0x80100069}


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
        return bool(self.flags & pcsc.SCARD_STATE_PRESENT)

    @property
    def card_mute(self) -> bool:
        """Whether that card does not answer a reset."""
        return bool(self.flags & pcsc.SCARD_STATE_MUTE)


def fault(code: int, reader: str) -> PcscFault:
    """The error behind a result code."""
    if code in _READER:
        return ReaderGone(reader)
    if code in _REMOVED:
        return CardRemoved(reader)
    if code in _CHANGED:
        return CardChanged(reader)
    return PcscUnavailable(reader)


class Context:
    """A context of the PC/SC resource manager; a context manager that releases it."""

    def __init__(self) -> None:
        code, self._handle = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
        if unsigned(code):
            raise PcscUnavailable

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the context back."""
        pcsc.SCardReleaseContext(self._handle)

    def readers(self) -> list[str]:
        """Names of the readers, in PC/SC's order."""
        code, names = pcsc.SCardListReaders(self._handle, [])
        code = unsigned(code)
        if code and code not in _READER:
            raise fault(code, "")
        return [] if code else list(names)

    def states(self, names: list[str]) -> list[ReaderState]:
        """What lies on the readers now."""
        if not names:
            return []
        return self._status_change(names, [pcsc.SCARD_STATE_UNAWARE] * len(names), 0) or []

    def wait(self, state: ReaderState, milliseconds: int) -> ReaderState | None:
        """The reader's next state that differs from `state`, or None if it stays as it is so long."""
        changed = self._status_change([state.name], [state.flags], milliseconds)
        return changed[0] if changed else None

    def connect(self, reader: str) -> Handle:
        """Power the card and hold it exclusively.

        Raises:
            ReaderBusyError: another program has it.
        """
        code, handle, protocol = pcsc.SCardConnect(
            self._handle, reader, pcsc.SCARD_SHARE_EXCLUSIVE, PROTOCOLS
        )
        code = unsigned(code)
        if code == SHARING_VIOLATION:
            raise ReaderBusyError
        if code:
            raise fault(code, reader)
        return Handle(reader, handle, protocol)

    def _status_change(self, names: list[str], flags: list[int], timeout: int) -> list[ReaderState] | None:
        code, states = pcsc.SCardGetStatusChange(self._handle, timeout, list(zip(names, flags, strict=True)))
        code = unsigned(code)
        if code == TIMEOUT:
            return None
        if code:
            raise fault(code, names[0])
        found = [ReaderState(name, bytes(atr), flag) for name, flag, atr in states]
        for state in found:
            if state.flags & (pcsc.SCARD_STATE_UNKNOWN | pcsc.SCARD_STATE_UNAVAILABLE):
                raise ReaderGone(state.name)
        return found


class Handle:
    """A card held exclusively, within a transaction."""

    def __init__(self, reader: str, handle: int, protocol: int) -> None:
        self.reader = reader
        self._handle = handle
        self._sound = True
        self._use(protocol)
        self._check(pcsc.SCardBeginTransaction(handle))

    def exchange(self, command: bytes) -> bytes:
        """Send a command APDU; the response APDU."""
        code, received = pcsc.SCardTransmit(self._handle, self._control, list(command))
        self._check(code)
        if len(received) < 2:
            self._sound = False
            # pcscd reports success with nothing in it when the card goes in the middle of an APDU.
            raise CardRemoved(self.reader)
        return bytes(received)

    def power_cycle(self) -> None:
        """Take the card's power away and give it back: all that it does not keep in its EEPROM is gone."""
        code, protocol = pcsc.SCardReconnect(
            self._handle, pcsc.SCARD_SHARE_EXCLUSIVE, PROTOCOLS, pcsc.SCARD_UNPOWER_CARD
        )
        self._check(code)
        self._use(protocol)

    def atr(self) -> bytes:
        """Answer to reset of the card."""
        code, _, _, _, atr = pcsc.SCardStatus(self._handle)
        self._check(code)
        return bytes(atr)

    def disconnect(self) -> None:
        """End the transaction and take the card's power away.

        After a fault the power is left to pcscd: where it fails to switch off a card that is gone, it
        believes the reader empty and overlooks a card that is laid down before its next poll (0.4 s).
        """
        pcsc.SCardEndTransaction(self._handle, pcsc.SCARD_LEAVE_CARD)
        pcsc.SCardDisconnect(self._handle, pcsc.SCARD_UNPOWER_CARD if self._sound else pcsc.SCARD_LEAVE_CARD)

    def _use(self, protocol: int) -> None:
        self._control = pcsc.SCARD_PCI_T1 if protocol == pcsc.SCARD_PROTOCOL_T1 else pcsc.SCARD_PCI_T0

    def _check(self, code: int) -> None:
        code = unsigned(code)
        if code:
            self._sound = False
            raise fault(code, self.reader)


def unsigned(code: int) -> int:
    """A result code as the standard prints it."""
    return code & 0xFFFFFFFF
