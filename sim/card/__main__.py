"""`python -m sim.card`: a virtual card on a vpcd reader, for any PC/SC tool to talk to."""

from __future__ import annotations

import argparse
import contextlib
import signal
from pathlib import Path
from types import FrameType

from sim.card.answer import Traits
from sim.card.faults import Faults, Pace
from sim.card.memory import CAPACITY
from sim.card.virtual import VPCD_PORT, VirtualCard


def main() -> None:
    """Insert the card and stay until it is removed (Ctrl-C) or the reader goes."""
    options = _arguments()
    card = VirtualCard(
        options.image,
        options.port,
        options.host,
        uid=bytes.fromhex(options.uid) if options.uid else None,
        traits=Traits(buffer=options.buffer, protocol=options.protocol),
        faults=Faults(
            die_at=options.die_at,
            slow=options.slow,
            slow_at=options.slow_at,
            write_error_at=options.write_error_at,
            corrupt_at=options.corrupt_at,
        ),
        capacity=options.capacity,
        pace=Pace(options.apdu_seconds, options.byte_seconds),
    )

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    with card:
        print(f"card {card.uid} on {options.host}:{options.port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            card.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sim.card", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="file of the EEPROM; made where missing")
    parser.add_argument("--port", type=int, default=VPCD_PORT, help="port of the vpcd reader (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="where vpcd listens (%(default)s)")
    parser.add_argument("--uid", default="", help="UID of a new card, hexadecimal; random if left out")
    parser.add_argument("--capacity", type=int, default=CAPACITY, help="EEPROM of a new card (%(default)s)")
    parser.add_argument("--buffer", type=int, default=2048, help="longest APDU in bytes (%(default)s)")
    parser.add_argument("--protocol", choices=["T=CL", "T=0"], default="T=CL", help="(%(default)s)")
    pace = parser.add_argument_group("pace: how long a real chip takes, the simulation included")
    pace.add_argument("--apdu-seconds", type=float, default=0.0, help="for an APDU")
    pace.add_argument("--byte-seconds", type=float, default=0.0, help="for a byte of command or response")
    faults = parser.add_argument_group("faults; counts begin at 1, 0 is never")
    faults.add_argument("--die-at", type=int, default=0, help="lose power in this APDU")
    faults.add_argument("--slow", type=float, default=0.0, help="seconds an APDU takes")
    faults.add_argument("--slow-at", type=int, default=0, help="only this APDU is slow")
    faults.add_argument("--write-error-at", type=int, default=0, help="this page cannot be written (6581)")
    faults.add_argument("--corrupt-at", type=int, default=0, help="this page silently gets a wrong bit")
    return parser.parse_args()


if __name__ == "__main__":
    main()
