"""A session with the card on one reader: exclusive, with a deadline for every APDU."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

from services.cardperso.pcsc import traits
from services.cardperso.pcsc.apdu import (
    MAX_EXTENDED_RESPONSE,
    MAX_SHORT_DATA,
    MAX_SHORT_RESPONSE,
    CommandApdu,
    ResponseApdu,
)
from services.cardperso.pcsc.errors import CardChanged, CardRemoved, CardStatusError, CardTimeout
from services.cardperso.pcsc.line import Line, LineTimeoutError
from services.cardperso.pcsc.scard import Context, Handle, ReaderBusyError, ReaderState
from services.cardperso.pcsc.traits import CardTraits

T = TypeVar("T")

_SLICE = 0.25
"""Seconds after which a wait looks whether it is to stop."""
_GET_UID = CommandApdu("GET DATA (UID)", 0xFF, 0xCA, 0x00, 0x00, ne=MAX_SHORT_RESPONSE)
_READ_EF_ATR = CommandApdu("READ BINARY (EF.ATR)", 0x00, 0xB0, 0x81, 0x00, ne=MAX_SHORT_RESPONSE)


def readers() -> list[ReaderState]:
    """All readers and what lies on them.

    Raises:
        PcscUnavailable: pcscd does not answer.
    """
    with Context() as context:
        return context.states(context.readers())


class CardSession:
    """The card on `reader`, held exclusively until `close`; use it as a context manager.

    Waits up to `wait_seconds` for a card (and for other programs to let go of it). `stop` ends the wait
    early. Every APDU has `apdu_seconds`; after a `CardTimeout` the session cannot be used any more.

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
        stop: threading.Event | None = None,
    ) -> None:
        self.reader = reader
        self.apdus = 0
        self.seconds = 0.0
        """From the first APDU to the end of the last."""
        self._first: float | None = None
        self._apdu_seconds = apdu_seconds
        self._context: Context | None = None
        self._handle: Handle | None = None
        deadline = time.monotonic() + wait_seconds
        self._line = Line(f"pcsc {reader}", self._release)
        self.atr = b""
        self.traits = CardTraits()
        try:
            while not self._open(deadline, stop):
                if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
                    raise CardTimeout(reader, "Waiting for a card", wait_seconds)
        except BaseException:
            self.close()
            raise

    @property
    def _card(self) -> Handle:
        if self._handle is None:
            raise CardRemoved(self.reader)
        return self._handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the card go, without power."""
        self._line.close(seconds=1.0)

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
        """
        block = self.traits.write_block
        if len(command.data) > block and self.traits.chaining:
            *links, command = command.chain(block if self.traits.extended else MAX_SHORT_DATA)
            for link in links:
                response = self._exchange(link)
                if response.sw != 0x9000:
                    return response
        response = self._exchange(command)
        if response.sw >> 8 == 0x6C:
            exact = (response.sw & 0xFF) or MAX_SHORT_RESPONSE
            response = self._exchange(
                CommandApdu(
                    command.name, command.cla, command.ins, command.p1, command.p2, command.data, exact
                )
            )
        data = response.data
        while response.sw >> 8 == 0x61:
            expected = (response.sw & 0xFF) or MAX_SHORT_RESPONSE
            response = self._exchange(
                CommandApdu("GET RESPONSE", command.cla & 0x03, 0xC0, 0, 0, ne=expected)
            )
            data += response.data
            if len(data) > MAX_EXTENDED_RESPONSE:
                break
        return ResponseApdu(data, response.sw)

    def power_cycle(self) -> None:
        """Take the card's power away and give it back.

        Raises:
            CardChanged: a card of another type answers.
        """
        self._call(self._card.power_cycle)
        if self._call(self._card.atr) != self.atr:
            raise CardChanged(self.reader)

    def _exchange(self, command: CommandApdu) -> ResponseApdu:
        raw = command.encode()
        card = self._card
        self.apdus += 1
        if self._first is None:
            self._first = time.monotonic()
        try:
            return ResponseApdu.decode(self._call(lambda: card.exchange(raw), command.name))
        finally:
            self.seconds = time.monotonic() - self._first

    def _call(self, work: Callable[[], T], name: str = "Resetting the card") -> T:
        try:
            return self._line.call(work, self._apdu_seconds)
        except LineTimeoutError:
            raise CardTimeout(self.reader, name, self._apdu_seconds) from None

    def _open(self, deadline: float, stop: threading.Event | None) -> bool:
        """Connect to the card and learn what it can do; whether there was one and it stayed that long."""
        try:
            if not self._connect(deadline, stop):
                return False
            self.atr = self._call(self._card.atr)
            self.traits = traits.from_atr(self.atr)
            if self.traits.information_file:
                # Right after a reset EF.ATR can be read by its short identifier.
                response = self._exchange(_READ_EF_ATR)
                content = response.data if response.sw == 0x9000 else b""
                self.traits = traits.with_information(self.traits, content)
        except (CardRemoved, CardChanged):
            self._call(self._disconnect)
            return False
        return True

    def _connect(self, deadline: float, stop: threading.Event | None) -> bool:
        """Wait a while for a card and connect to it; whether that worked."""

        def attempt() -> bool:
            if self._context is None:
                self._context = Context()
            (state,) = self._context.states([self.reader])
            if not state.card_present or state.card_mute:
                left = max(0.0, min(_SLICE, deadline - time.monotonic()))
                self._context.wait(state, int(left * 1000))
                (state,) = self._context.states([self.reader])
                if not state.card_present or state.card_mute:
                    return False
            try:
                self._handle = self._context.connect(self.reader)
            except ReaderBusyError:
                (stop or threading.Event()).wait(_SLICE)
                return False
            return True

        return self._call(attempt, "Connecting to the card")

    def _disconnect(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.disconnect()

    def _release(self) -> None:
        self._disconnect()
        if self._context is not None:
            self._context.release()
