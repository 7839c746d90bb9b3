"""A PC/SC service that is reached through a helper process; see `worker`."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from services.cardperso.pcsc import wire
from services.cardperso.pcsc.errors import PcscUnavailable
from services.cardperso.pcsc.port import ReaderState
from services.cardperso.pcsc.watchdog import CallTimeoutError

_GRACE = 20.0
"""Seconds beyond a call's own deadline after which the helper itself counts as dead."""
_HOUSEKEEPING = 10.0


class Helper:
    """The helper process of one pcscd: started with the first session, and again when it has died.

    Args:
        socket_path: the pcscd's socket.
    """

    def __init__(self, socket_path: Path) -> None:
        self._environment = {**os.environ, "PCSCLITE_CSOCK_NAME": str(socket_path)}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def port(self) -> RemotePort:
        """A new session with the pcscd.

        Raises:
            PcscUnavailable: the helper does not start.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            for _ in range(2):
                control = self._running()
                try:
                    socket.send_fds(control, [b"+"], [theirs.fileno()])
                except OSError:
                    self._end(control)  # it had died; the second one is new
                else:
                    return RemotePort(ours)
        ours.close()
        raise PcscUnavailable

    @property
    def pid(self) -> int | None:
        """Process id of the helper; None before the first session."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        """End the helper with all its sessions."""
        with self._lock:
            control = self._control
        if control is not None:
            self._end(control)

    def _end(self, control: socket.socket) -> None:
        """End the helper behind this socket, unless another thread has done so and started its successor."""
        with self._lock:
            if self._control is not control or self._process is None:
                return
            process, self._process, self._control = self._process, None, None
        control.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _running(self) -> socket.socket:
        with self._lock:
            if self._control is not None and self._process is not None and self._process.poll() is None:
                return self._control
            if self._control is not None:
                self._control.close()
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "services.cardperso.pcsc.worker", str(theirs.fileno())],
                    env=self._environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    # The end of the process that we belong to is told by the pair, not by the terminal.
                    start_new_session=True,
                )
            return self._control


class RemotePort:
    """A session through a helper; see `Port`. Deadlines are kept by the helper, beside the card."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def states(self) -> list[ReaderState]:
        """See `Port`."""
        return wire.unpack_states(self._ask(wire.STATES, _HOUSEKEEPING))

    def wait(self, known: Sequence[ReaderState], seconds: float) -> None:
        """See `Port`."""
        self._ask(wire.WAIT, seconds, wire.pack_states(known))

    def connect(self, reader: str, seconds: float) -> bytes:
        """See `Port`."""
        return self._ask(wire.CONNECT, seconds, reader.encode())

    def exchange(self, command: bytes, seconds: float) -> bytes:
        """See `Port`."""
        return self._ask(wire.EXCHANGE, seconds, command)

    def power_cycle(self, seconds: float) -> bytes:
        """See `Port`."""
        return self._ask(wire.POWER_CYCLE, seconds)

    def disconnect(self) -> None:
        """See `Port`."""
        self._ask(wire.DISCONNECT, _HOUSEKEEPING)

    def close(self) -> None:
        """See `Port`: the helper sees the end of the line, lets the card go and closes its own end."""
        with contextlib.suppress(wire.LineClosedError, PcscUnavailable, CallTimeoutError):
            self.disconnect()
        self._line.close()

    def _ask(self, operation: int, seconds: float, body: bytes = b"") -> bytes:
        try:
            self._line.settimeout(seconds + _GRACE)
            wire.send(self._line, wire.request(operation, seconds, body))
            return wire.result(wire.receive(self._line))
        except (OSError, wire.LineClosedError):
            # The helper has died, and with it the session; the next one starts a new helper.
            self._line.close()
            raise PcscUnavailable from None
