"""A virtual card on a reader of vsmartcard's vpcd.

vpcd's protocol: TCP, each message a 2-byte big-endian length and as many bytes. One-byte messages are the
field: 0 off, 1 on, 2 reset, 4 asks for the ATR. All else is an APDU.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Self

from sim.card.answer import Traits
from sim.card.card import Card
from sim.card.faults import FaultInjector, Faults, Pace
from sim.card.memory import CardMemory, PowerLossError

VPCD_PORT = 35963
"""Port of the reader in Debian's configuration of vpcd."""

_POWER_OFF, _POWER_ON, _RESET, _ASK_ATR = 0, 1, 2, 4

_SWAP_SECONDS = 0.6
"""No hand swaps cards faster, and pcscd counts on it: it looks for cards every 0.4 s, and overlooks one that
took the place of a card that left under power before it looked."""
_left_under_power: dict[tuple[str, int], float] = {}


class VirtualCard:
    """A card whose EEPROM is the file `image`; `insert` lays it on the reader at `port`, `remove` takes it
    away.

    The card can be inserted again, on the same or another reader, also after it lost power by a fault. Use it
    as a context manager to have it inserted within the block.

    Args:
        image: file of the EEPROM; made with a random UID where it is missing.
        port: TCP port of the vpcd reader.
        host: where vpcd listens.
        uid: UID for a new image (4, 7 or 10 bytes); an existing image must have it.
        traits: buffer size and protocol.
        faults: what goes wrong.
        capacity: bytes of EEPROM of a new image.
        pace: how long a real chip takes; none, and the simulation is as quick as it can.
    """

    def __init__(
        self,
        image: Path,
        port: int = VPCD_PORT,
        host: str = "127.0.0.1",
        *,
        uid: bytes | None = None,
        traits: Traits | None = None,
        faults: Faults | None = None,
        capacity: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.port = port
        self.host = host
        self._injector = FaultInjector(faults or Faults(), pace)
        size = {} if capacity is None else {"capacity": capacity}
        self.memory = CardMemory(image, uid=uid, before_page=self._injector.before_page, **size)
        self.card = Card(self.memory, traits)
        self._powered = False
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def uid(self) -> str:
        """UID in upper-case hexadecimal."""
        return self.memory.uid.hex().upper()

    @property
    def apdus(self) -> int:
        """APDUs that have arrived so far."""
        return self._injector.apdus

    @property
    def on_reader(self) -> bool:
        """Whether it lies on the reader: False again after it was removed, died or lost the reader."""
        return self._thread is not None and self._thread.is_alive()

    def insert(self, port: int | None = None) -> Self:
        """Lay the card on its reader, or on another one, no faster than a hand would.

        Raises:
            ConnectionError: nothing listens there.
        """
        self.remove()
        self.port = self.port if port is None else port
        self._injector.gone.clear()
        time.sleep(max(0.0, _left_under_power.get((self.host, self.port), 0.0) - time.monotonic()))
        self._socket = socket.create_connection((self.host, self.port), timeout=5)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _acknowledge_at_once(self._socket)
        self._thread = threading.Thread(
            target=self._serve, args=(self._socket,), name=f"card-{self.uid}", daemon=True
        )
        self._thread.start()
        return self

    def remove(self) -> None:
        """Take the card from the reader, wherever it is in its work."""
        self._injector.gone.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the reader may have been faster
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join()
        self._socket = self._thread = None

    def close(self) -> None:
        """Remove the card and close its image."""
        self.remove()
        self.memory.close()

    def wait(self) -> None:
        """Block until the card is no longer on the reader."""
        # In turns: a signal that reached another thread wakes nobody who waits without an end.
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.5)

    def __enter__(self) -> Self:
        return self.insert()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, link: socket.socket) -> None:
        with link:
            try:
                while True:
                    length = int.from_bytes(_receive(link, 2), "big")
                    answer = self._handle(_receive(link, length))
                    if answer is not None:
                        link.sendall(len(answer).to_bytes(2, "big") + answer)
            except (ConnectionError, OSError, PowerLossError):
                self.card.reset()
                if self._powered:
                    _left_under_power[self.host, self.port] = time.monotonic() + _SWAP_SECONDS
                self._powered = False

    def _handle(self, message: bytes) -> bytes | None:
        if len(message) == 1:
            if message[0] == _ASK_ATR:
                return self.card.atr
            if message[0] in (_POWER_OFF, _POWER_ON, _RESET):
                self.card.reset()
                self._powered = message[0] != _POWER_OFF
            return None
        self._injector.before_apdu(len(message))
        answer = self.card.exchange(message)
        self._injector.before_response(len(answer))
        return answer


def _receive(link: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        part = link.recv(length - len(received))
        _acknowledge_at_once(link)
        if not part:
            raise ConnectionError("the reader closed the link")
        received += part
    return received


def _acknowledge_at_once(link: socket.socket) -> None:
    """Without this, vpcd's two small writes a message meet Nagle and delayed ACK: 44 ms an APDU instead of
    0.1.

    The kernel forgets the option, so it is set after every receive.
    """
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
