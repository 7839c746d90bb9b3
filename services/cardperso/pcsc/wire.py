"""What this process and a helper say to each other: framed messages on a socket that both inherited.

A request is an operation byte, seconds in milliseconds (four bytes) and a body; an answer is `OK` or `FAILED`
and a body. The body of an APDU is the APDU itself, all else is JSON. Both ends are the same program, so there
are no versions.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable

from services.cardperso.pcsc.errors import CardChanged, CardRemoved, PcscFault, PcscUnavailable, ReaderGone
from services.cardperso.pcsc.port import ReaderBusyError, ReaderState
from services.cardperso.pcsc.watchdog import CallTimeoutError

STATES, WAIT, CONNECT, EXCHANGE, POWER_CYCLE, DISCONNECT = b"SWCXPD"
OK, FAILED = b"+-"

_LENGTH = struct.Struct(">I")
_REQUEST = struct.Struct(">BI")
_FAULTS: dict[str, type[CardRemoved | CardChanged | ReaderGone | PcscUnavailable]] = {
    kind.__name__: kind for kind in (CardRemoved, CardChanged, ReaderGone, PcscUnavailable)
}
_BUSY, _LATE = "ReaderBusy", "CallTimeout"


class LineClosedError(Exception):
    """The other end is gone."""


def send(line: socket.socket, message: bytes) -> None:
    """Send one message.

    Raises:
        LineClosedError: see there.
    """
    try:
        line.sendall(_LENGTH.pack(len(message)) + message)
    except OSError:
        raise LineClosedError from None


def receive(line: socket.socket) -> bytes:
    """The next message.

    Raises:
        LineClosedError: see there; also where the time-out of the socket passes.
    """
    return _exactly(line, _LENGTH.unpack(_exactly(line, _LENGTH.size))[0])


def request(operation: int, seconds: float, body: bytes) -> bytes:
    """A request."""
    return _REQUEST.pack(operation, int(1000 * seconds)) + body


def parse_request(message: bytes) -> tuple[int, float, bytes]:
    """Operation, seconds and body of a request."""
    operation, milliseconds = _REQUEST.unpack_from(message)
    return operation, milliseconds / 1000, message[_REQUEST.size :]


def failure(error: PcscFault | ReaderBusyError | CallTimeoutError) -> bytes:
    """Answer that carries an error."""
    if isinstance(error, PcscFault):
        name, reader = type(error).__name__, error.reader
    else:
        name, reader = (_BUSY if isinstance(error, ReaderBusyError) else _LATE), ""
    return bytes([FAILED]) + json.dumps([name, reader]).encode()


def result(answer: bytes) -> bytes:
    """Body of a good answer.

    Raises:
        PcscFault, ReaderBusyError, CallTimeoutError: the error that the answer carries.
    """
    if answer[0] == OK:
        return answer[1:]
    name, reader = json.loads(answer[1:])
    if name == _BUSY:
        raise ReaderBusyError
    if name == _LATE:
        raise CallTimeoutError
    raise _FAULTS[name](reader)


def pack_states(states: Iterable[ReaderState]) -> bytes:
    """Reader states as a body."""
    return json.dumps([[state.name, state.atr.hex(), state.flags] for state in states]).encode()


def unpack_states(body: bytes) -> list[ReaderState]:
    """Reader states of a body."""
    return [ReaderState(name, bytes.fromhex(atr), flags) for name, atr, flags in json.loads(body)]


def _exactly(line: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        try:
            part = line.recv(length - len(received))
        except OSError:
            raise LineClosedError from None
        if not part:
            raise LineClosedError
        received += part
    return bytes(received)
