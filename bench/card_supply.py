"""`python -m bench.card_supply`: what lies on a reader, in a process of its own.

Reads one order a line and answers `ready UID` when it is done. `fresh` lays a factory-fresh GlobalPlatform
card; `echo 12 40 …` a card that answers each APDU with so many bytes and does nothing else: what is left of
an issuance without anybody's cryptography. The card changes while it has no power, so that no hand and no
poll of pcscd is measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sim.card.answer import Traits, atr
from sim.card.card import Card
from sim.card.faults import Pace
from sim.card.globalplatform import IMAGE_CAPACITY, GlobalPlatformCard, VirtualGlobalPlatformCard
from sim.card.memory import CardMemory
from sim.card.virtual import VirtualCard


class Echo:
    """Answers with so many zeros and 9000, one length after the other, round and round."""

    def __init__(self, lengths: list[int]) -> None:
        self._lengths = lengths
        # As the other card's: pcscd tells cards apart by it.
        self.atr = atr(Traits(chaining=False))
        self._next: Iterator[int] = iter(())

    def reset(self) -> None:
        """Begin again with the first length."""
        self._next = iter(self._lengths)

    def exchange(self, raw: bytes) -> bytes:
        """The answer to an APDU."""
        length = next(self._next, None)
        if length is None:
            self.reset()
            length = next(self._next, 0)
        return bytes(length) + b"\x90\x00"


def main() -> None:
    """Serve a reader until the orders end."""
    parser = argparse.ArgumentParser(prog="python -m bench.card_supply", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of the vpcd reader")
    parser.add_argument("--apdu-seconds", type=float, default=0.0, help="how long a chip takes for an APDU")
    parser.add_argument("--byte-seconds", type=float, default=0.0, help="and for each byte of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tunggal-bench-") as folder:
        pace = Pace(options.apdu_seconds, options.byte_seconds)
        reader = VirtualGlobalPlatformCard(Path(folder) / "first", options.port, pace=pace)
        with reader:
            print("ready", flush=True)
            for number, order in enumerate(sys.stdin):
                print("ready", _lay(reader, Path(folder) / str(number), order.split()), flush=True)


def _lay(reader: VirtualCard, image: Path, order: list[str]) -> str:
    """Change what lies on the reader as the order says; the UID of a fresh card."""
    card: Card | GlobalPlatformCard | Echo
    if order[0] == "echo":
        card, uid = Echo([int(length) for length in order[1:]]), ""
    else:
        old, reader.memory = reader.memory, CardMemory(image, capacity=IMAGE_CAPACITY)
        old.close()
        old.path.unlink()
        card, uid = GlobalPlatformCard(reader.memory), reader.uid
    reader.card = card  # type: ignore[assignment]
    return uid


if __name__ == "__main__":
    main()
