"""A session with the card on one reader: exclusive, with a deadline for every APDU."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self, TypeVar

from services.cardperso.pcsc import traits
from services.cardperso.pcsc.apdu import (
    MAX_EXTENDED_RESPONSE,
    MAX_SHORT_DATA,
    MAX_SHORT_RESPONSE,
    CommandApdu,
    ResponseApdu,
)
from services.cardperso.pcsc.errors import (
    CardChanged,
    CardRemoved,
    CardStatusError,
    CardTimeout,
    CommandTooLong,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)
from services.cardperso.pcsc.port import Port, ReaderBusyError, ReaderState
from services.cardperso.pcsc.rack import SYSTEM, Rack
from services.cardperso.pcsc.traits import CardTraits
from services.cardperso.pcsc.watchdog import CallTimeoutError

T = TypeVar("T")

Witness = Callable[[CommandApdu, ResponseApdu | None, float], None]
"""Told of every APDU of a session: command, response (none where it failed), and the seconds it took."""

_SLICE = 0.25
"""Seconds after which a wait looks whether it is to stop."""
_GET_UID = CommandApdu("GET DATA (UID)", 0xFF, 0xCA, 0x00, 0x00, ne=MAX_SHORT_RESPONSE)
_READ_EF_ATR = CommandApdu("READ BINARY (EF.ATR)", 0x00, 0xB0, 0x81, 0x00, ne=MAX_SHORT_RESPONSE)


def readers() -> list[ReaderState]:
    """The readers of the system's pcscd and what lies on them.

    Raises:
        PcscUnavailable: pcscd does not answer.
    """
    return SYSTEM.states()


class CardSession:
    """The card on `reader`, held exclusively until `close`; use it as a context manager.

    Waits up to `wait_seconds` for a card (and for other programs to let go of it). `stop` ends the wait
    early. Every APDU has `apdu_seconds`, and all of them together `session_seconds` from the first on; after
    a `CardTimeout` the session cannot be used any more. `rack` has the reader: the system's where left out.
    `witness` is told of every APDU.

    Raises:
        CardTimeout: no card came, or it was held by others, or it answered too slowly.
        ReaderGone, PcscUnavailable, CardRemoved: see there.
    """

    def __init__(
        self,
        reader: str,
        *,
        wait_seconds: float,
        apdu_seconds: float,
        session_seconds: float = float("inf"),
        stop: threading.Event | None = None,
        rack: Rack = SYSTEM,
        witness: Witness | None = None,
    ) -> None:
        self.reader = reader
        self._witness = witness
        self.apdus = 0
        self.seconds = 0.0
        """From the first APDU to the end of the last."""
        self.atr = b""
        self.traits = CardTraits()
        self._first: float | None = None
        self._apdu_seconds = apdu_seconds
        self._session_seconds = session_seconds
        instance, self._name = rack.find(reader)
        deadline = time.monotonic() + wait_seconds
        self._port: Port = rack.connect(instance)
        self._open = True
        try:
            while not self._try_to_open(deadline, stop):
                if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
                    raise CardTimeout(reader, "Waiting for a card", wait_seconds)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the card go, without power."""
        if self._open:
            self._open = False
            self._port.close()

    def uid(self) -> str:
        """Chip UID in upper-case hexadecimal (PC/SC part 3, GET DATA).

        Raises:
            CardStatusError: the reader does not support it, as with contact cards.
        """
        return self.command(_GET_UID).hex().upper()

    def command(self, command: CommandApdu, *, accept: tuple[int, ...] = (0x9000,)) -> bytes:
        """Data of the response.

        Raises:
            CardStatusError: the status word is none of `accept`.
        """
        response = self.transmit(command)
        if response.sw not in accept:
            raise CardStatusError(self.reader, command.name, response.sw)
        return response.data

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        """Send a command as this card needs it and collect its whole response.

        What is too long for one APDU is chained (7816-4, 5.4.1); 61xx is followed by GET RESPONSE and 6Cxx by
        the same command with the length that the card asks for (7816-4, 5.6).

        Raises:
            CommandTooLong: the card knows neither extended length nor chaining; nothing was sent.
            CardTimeout, CardRemoved, CardChanged, ReaderGone, PcscUnavailable: see there.
        """
        block = self.traits.write_block
        if len(command.data) > block:
            if not self.traits.chaining:
                raise CommandTooLong(self.reader, command.name, len(command.data), block)
            *links, command = command.chain(block if self.traits.extended else MAX_SHORT_DATA)
            for link in links:
                response = self._exchange(link)
                if response.sw != 0x9000:
                    return response
        response = self._exchange(command)
        if response.sw >> 8 == 0x6C:
            exact = (response.sw & 0xFF) or MAX_SHORT_RESPONSE
            response = self._exchange(replace(command, ne=exact))
        data = response.data
        while response.sw >> 8 == 0x61:
            expected = (response.sw & 0xFF) or MAX_SHORT_RESPONSE
            more = CommandApdu("GET RESPONSE", command.cla & 0x03, 0xC0, 0, 0, ne=expected)
            response = self._exchange(more)
            if response.sw >> 8 == 0x6C:
                exact = (response.sw & 0xFF) or MAX_SHORT_RESPONSE
                response = self._exchange(replace(more, ne=exact))
            data += response.data
            if len(data) > MAX_EXTENDED_RESPONSE:
                break
        return ResponseApdu(data, response.sw)

    def power_cycle(self) -> None:
        """Take the card's power away and give it back.

        Raises:
            CardChanged: a card of another type answers.
        """
        if self._call(lambda: self._port.power_cycle(self._seconds())) != self.atr:
            raise CardChanged(self.reader)

    def _exchange(self, command: CommandApdu) -> ResponseApdu:
        raw = command.encode()
        self.apdus += 1
        if self._first is None:
            self._first = time.monotonic()
        begun = time.monotonic()
        response: ResponseApdu | None = None
        try:
            response = ResponseApdu.decode(
                self._call(lambda: self._port.exchange(raw, self._seconds()), command.name)
            )
            return response
        finally:
            now = time.monotonic()
            self.seconds = now - self._first
            if self._witness is not None:
                self._witness(command, response, now - begun)

    def _seconds(self) -> float:
        """How long the next call may take."""
        begun = time.monotonic() if self._first is None else self._first
        left = begun + self._session_seconds - time.monotonic()
        if left <= 0:
            raise CallTimeoutError
        return min(self._apdu_seconds, left)

    def _call(self, work: Callable[[], T], name: str = "Resetting the card") -> T:
        """Result of `work`; faults name the reader as our caller does."""
        if not self._open:
            raise CardRemoved(self.reader)
        try:
            return work()
        except CallTimeoutError:
            # What was meant for a card that hung must not reach it when it wakes up.
            self.close()
            if self._first is not None and time.monotonic() - self._first >= self._session_seconds:
                raise CardTimeout(self.reader, "The session", self._session_seconds) from None
            raise CardTimeout(self.reader, name, self._apdu_seconds) from None
        except (CardRemoved, CardChanged, ReaderGone, PcscUnavailable) as fault:
            raise type(fault)(self.reader) from None

    def _look(self, work: Callable[[], T]) -> T:
        """Result of `work`, which no card takes part in: where it is late, pcscd hangs."""
        try:
            return work()
        except (CallTimeoutError, PcscUnavailable):
            raise PcscUnavailable(self.reader) from None

    def _try_to_open(self, deadline: float, stop: threading.Event | None) -> bool:
        """Connect to the card and learn what it can do; whether there was one and it stayed that long."""
        try:
            if not self._connect(deadline, stop):
                return False
            self.traits = traits.from_atr(self.atr)
            if self.traits.information_file:
                # Right after a reset EF.ATR can be read by its short identifier.
                response = self._exchange(_READ_EF_ATR)
                content = response.data if response.sw == 0x9000 else b""
                self.traits = traits.with_information(self.traits, content)
        except (CardRemoved, CardChanged):
            with contextlib.suppress(PcscFault):
                self._call(self._port.disconnect)
            return False
        return True

    def _connect(self, deadline: float, stop: threading.Event | None) -> bool:
        """Wait a while for a card and connect to it; whether that worked."""
        states = self._look(self._port.states)
        state = next((each for each in states if each.name == self._name), None)
        if state is None:
            raise ReaderGone(self.reader)
        if not state.card_present or state.card_mute:
            left = max(0.0, min(_SLICE, deadline - time.monotonic()))
            self._look(lambda: self._port.wait([state], left))
            return False
        try:
            self.atr = self._call(
                lambda: self._port.connect(self._name, self._apdu_seconds), "Connecting to the card"
            )
        except ReaderBusyError:
            (stop or threading.Event()).wait(_SLICE)
            return False
        return True
