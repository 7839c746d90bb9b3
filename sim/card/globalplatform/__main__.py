"""`python -m sim.card.globalplatform`: a virtual card on a vpcd reader, for any host to talk to."""

from __future__ import annotations

import argparse
import contextlib
import signal
from pathlib import Path
from types import FrameType

from sim.card.answer import Traits
from sim.card.faults import Faults, Pace
from sim.card.globalplatform.persistent import KeyRecord
from sim.card.globalplatform.settings import FACTORY_KEYS, FACTORY_VERSION, CardSettings, ChannelFaults
from sim.card.globalplatform.virtual import VirtualGlobalPlatformCard
from sim.card.virtual import VPCD_PORT


def main() -> None:
    """Insert the card and stay until it is removed (Ctrl-C) or the reader goes."""
    options = _arguments()
    protocol, i = (2, options.i or 0x55) if options.scp == 2 else (3, options.i or 0x70)
    keys = [bytes.fromhex(key) for key in (options.enc, options.mac, options.dek)]
    record = KeyRecord(options.key_version, "AES" if protocol == 3 else "DES", *keys)
    card = VirtualGlobalPlatformCard(
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
        settings=CardSettings(3 if protocol == 3 else 2, i, record, tries=options.tries),
        pace=Pace(options.apdu_seconds, options.byte_seconds),
        channel_faults=ChannelFaults(options.wrong_cryptogram, options.wrong_mac_at),
    )

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    with card:
        print(f"card {card.uid} on {options.host}:{options.port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            card.wait()


def _hexadecimal(text: str) -> int:
    return int(text, 16)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sim.card.globalplatform", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="file of the EEPROM; made where missing")
    parser.add_argument("--port", type=int, default=VPCD_PORT, help="port of the vpcd reader (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="where vpcd listens (%(default)s)")
    parser.add_argument("--uid", default="", help="UID of a new card, hexadecimal; random if left out")
    parser.add_argument("--buffer", type=int, default=2048, help="longest APDU in bytes (%(default)s)")
    parser.add_argument("--protocol", choices=["T=CL", "T=0"], default="T=CL", help="(%(default)s)")
    parser.add_argument(
        "--scp", type=int, choices=[2, 3], default=3, help="secure channel protocol (%(default)s)"
    )
    parser.add_argument(
        "--i", type=lambda text: int(text, 16), default=0, help="its options, hexadecimal: 70 or 55"
    )
    new = parser.add_argument_group("keys of a new card, hexadecimal")
    for name, value in (("enc", FACTORY_KEYS.enc), ("mac", FACTORY_KEYS.mac), ("dek", FACTORY_KEYS.dek)):
        new.add_argument(f"--{name}", default=value.hex().upper(), help="(%(default)s)")
    new.add_argument(
        "--key-version",
        type=lambda text: int(text, 16),
        default=FACTORY_VERSION,
        help="hexadecimal; FF if left out",
    )
    new.add_argument(
        "--tries", type=int, default=10, help="wrong authentications in a row that lock them (%(default)s)"
    )
    pace = parser.add_argument_group("pace: how long a real chip takes, the simulation included")
    pace.add_argument("--apdu-seconds", type=float, default=0.0, help="for an APDU")
    pace.add_argument("--byte-seconds", type=float, default=0.0, help="for a byte of command or response")
    faults = parser.add_argument_group("faults; counts begin at 1, 0 is never")
    faults.add_argument("--die-at", type=int, default=0, help="lose power in this APDU")
    faults.add_argument("--slow", type=float, default=0.0, help="seconds an APDU takes")
    faults.add_argument("--slow-at", type=int, default=0, help="only this APDU is slow")
    faults.add_argument("--write-error-at", type=int, default=0, help="this page cannot be written (6581)")
    faults.add_argument("--corrupt-at", type=int, default=0, help="this page silently gets a wrong bit")
    faults.add_argument("--wrong-cryptogram", action="store_true", help="the card cryptogram is wrong")
    faults.add_argument("--wrong-mac-at", type=int, default=0, help="the MAC of this response is wrong")
    return parser.parse_args()


if __name__ == "__main__":
    main()
