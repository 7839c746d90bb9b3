"""`python -m services.cardperso.pcsc.worker`: lends one pcscd to a process that already uses another.

libpcsclite remembers the first socket that it is told for the life of the process, and one pcscd has 16
readers at most. So each further pcscd has a helper: this program. It inherits one end of a socket pair,
receives over it one connected socket a session, and serves each in a thread of its own. When the pair is
closed, its master is gone, and it ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

from services.cardperso.pcsc import wire
from services.cardperso.pcsc.errors import PcscFault
from services.cardperso.pcsc.port import Port, ReaderBusyError
from services.cardperso.pcsc.scard import LocalPort
from services.cardperso.pcsc.watchdog import CallTimeoutError


def main() -> None:
    """Serve until the master is gone; the descriptor of the pair is the first argument."""
    with socket.socket(fileno=int(sys.argv[1])) as master:
        while True:
            message, descriptors, _, _ = socket.recv_fds(master, 1, 1)
            if not message:
                break
            line = socket.socket(fileno=descriptors[0])
            threading.Thread(target=_serve, args=(line,), daemon=True).start()
    # Sessions that hang in a card end with the process, and pcscd sets their cards free.
    os._exit(0)


def _serve(line: socket.socket) -> None:
    """One session: the connection to pcscd is made with the first request, so that it can answer for it."""
    port: Port | None = None
    with line, contextlib.suppress(wire.LineClosedError):
        try:
            while True:
                message = wire.receive(line)
                try:
                    port = port or LocalPort()
                    answer = bytes([wire.OK]) + _carry_out(port, *wire.parse_request(message))
                except (PcscFault, ReaderBusyError, CallTimeoutError) as error:
                    answer = wire.failure(error)
                wire.send(line, answer)
        finally:
            if port is not None:
                port.close()


def _carry_out(port: Port, operation: int, seconds: float, body: bytes) -> bytes:
    if operation == wire.EXCHANGE:
        return port.exchange(body, seconds)
    if operation == wire.STATES:
        return wire.pack_states(port.states())
    if operation == wire.WAIT:
        port.wait(wire.unpack_states(body), seconds)
    elif operation == wire.CONNECT:
        return port.connect(body.decode(), seconds)
    elif operation == wire.POWER_CYCLE:
        return port.power_cycle(seconds)
    else:
        port.disconnect()
    return b""


if __name__ == "__main__":
    main()
