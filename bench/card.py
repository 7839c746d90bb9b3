"""Cards per hour: the work behind `tunggal bench card`.

What is measured is the service's own way of making a card (`services.cardperso.encoder`): SCP03 at security
level 33, transport keys replaced by the card's own, application, data groups and access rules, SECURED; then
the card without power and back, basic access control, every file read and compared, the signature verified,
every APDU in the journal. Virtual cards do as chips do, each in a process of its own; they take as long for
an APDU and its bytes as a chip in its field would, which is an assumption and not a measurement.

The floor is what the bare exchange of as many APDUs of the same sizes takes on the same reader, after every
card: `SCardTransmit` in a loop to a card that only echoes.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.card_issuer import issuer_of, person
from services.cardperso.chip.plan import ChipPlan, encode
from services.cardperso.chip.profile import find
from services.cardperso.encoder import Encoder
from services.cardperso.globalplatform import AttemptGuard
from services.cardperso.job import Job, State
from services.cardperso.journal import Journal
from services.cardperso.pcsc import CommandApdu
from services.cardperso.pcsc import readers as readers_now
from services.common.clock import SystemClock
from services.common.crypto import KeyRing
from services.common.db import Database
from sim.card import ReaderBank, VirtualReader
from sim.card.faults import Pace

_APDU_SECONDS = 60.0
_LAID_SECONDS = 60.0
"""pcscd looks for cards every 0.4 s."""
_PROFILE = "ktp-el"


@dataclass(frozen=True)
class _Card:
    """A card that was made. seconds: from the look for it to its entry in the journal; sizes: of its APDUs,
    sent and received without status; floor: seconds of their bare exchange, where it was measured.
    """

    seconds: float
    sizes: tuple[tuple[int, int], ...]
    floor: float = 0.0


class _Hand:
    """Lays cards on a reader; see `bench.card_supply`."""

    def __init__(self, reader: VirtualReader, pace: Pace) -> None:
        self.reader = reader
        command = [sys.executable, "-m", "bench.card_supply", "--port", str(reader.port)]
        command += ["--apdu-seconds", str(pace.apdu), "--byte-seconds", str(pace.byte)]
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._answer()

    def order(self, *words: object) -> None:
        """Have something else laid on the reader."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        self._answer()

    def close(self) -> None:
        """Take everything away."""
        self.process.communicate(timeout=30)

    def _answer(self) -> None:
        assert self.process.stdout is not None
        if not self.process.stdout.readline().startswith("ready"):
            raise RuntimeError("the virtual card ended")


@dataclass(frozen=True)
class _Workshop:
    """What makes cards."""

    encoder: Encoder
    journal: Journal
    database: Database
    content: ChipPlan

    def make(self, hand: _Hand) -> _Card:
        """A card on this reader."""
        hand.order("fresh")
        job = _job(hand.reader.name)
        begun = time.perf_counter()
        made = self.encoder.make(
            job, self.content, admit=lambda _: None, touch=lambda _: None, stop=threading.Event()
        )
        seconds = time.perf_counter() - begun
        if not made.verification.genuine:
            raise RuntimeError(f"a card came out wrong: {made.verification.summary}")
        with self.database.read() as conn:
            (session,) = self.journal.sessions(conn, job.job_id)
        sizes = tuple(
            (len(_like(each.sent_bytes, each.received_bytes).encode()), each.received_bytes)
            for each in session.exchanges
        )
        return _Card(seconds, sizes)


def run(
    readers: int,
    cards: int,
    apdu_ms: float,
    byte_us: float,
    json_path: Path | None = None,
    plot: Path | None = None,
) -> dict[str, Any]:
    """Make cards on one reader and on up to `readers` at once, and write what is asked for.

    Parameters
    ----------
    readers: at once, 1 to 16. cards: on each reader in each part. apdu_ms, byte_us: what a chip takes for an
    APDU and for a byte of it. json_path: the returned figures as JSON. plot: time against the floor and cards
    per hour over readers, in the format of the file's suffix.

    Returns
    -------
    The figures that `docs/cards.md` explains.
    """
    pace = Pace(apdu_ms / 1e3, byte_us / 1e6)
    with tempfile.TemporaryDirectory(prefix="tunggal-bench-") as folder, ReaderBank(readers) as bank:
        os.environ.update(bank.environment)
        workshop = _workshop(Path(folder))
        with _hands(bank, 1, Pace(0, 0)) as hands:
            bare = _against_floor(workshop, hands[0], cards)
        with _hands(bank, readers, pace) as hands:
            paced = _against_floor(workshop, hands[0], cards)
            counts = sorted({1, *(n for n in (2, 4) if n < readers), readers})
            # Up and down again: what else the machine does meanwhile falls on all of them.
            parts = [
                (count, _together(workshop, hands[:count], -(-cards // 2), bank.pid))
                for count in (*counts, *reversed(counts))
            ]
            scale = {count: _summed([part for each, part in parts if each == count]) for count in counts}
        workshop.database.dispose()
    rate = {count: part["cards_per_hour"] for count, part in scale.items()}
    report: dict[str, Any] = {
        "readers": readers,
        "cards_per_reader": cards,
        "pace": {"apdu_ms": apdu_ms, "byte_us": byte_us},
        "cores": os.cpu_count(),
        "cards_per_hour": rate[readers],
        **paced,
        "scaling": rate[readers] / (readers * rate[1]),
        "without_pace": bare,
        "by_readers": {
            str(count): {**part, "scaling": rate[count] / (count * rate[1])} for count, part in scale.items()
        },
    }
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        from bench.card_plot import draw

        draw(plot, report)
    return report


def _against_floor(workshop: _Workshop, hand: _Hand, cards: int) -> dict[str, float]:
    """Cards on one reader, each followed by the bare exchange of its APDUs; medians."""
    workshop.make(hand)  # the first one pays for what is loaded and looked up once
    made = []
    for _ in range(cards):
        card = workshop.make(hand)
        made.append(_Card(card.seconds, card.sizes, _floor(hand, card.sizes)))
    milliseconds, floor = (
        1000 * statistics.median(values) for values in zip(*((c.seconds, c.floor) for c in made), strict=True)
    )
    return {
        "apdus_per_card": statistics.median(len(card.sizes) for card in made),
        "bytes_per_card": statistics.median(sum(map(sum, card.sizes)) for card in made),
        "ms_per_card": milliseconds,
        "floor_ms_per_card": floor,
        "ratio_to_floor": statistics.median(card.seconds / card.floor for card in made),
    }


def _floor(hand: _Hand, sizes: Sequence[tuple[int, int]]) -> float:
    """Seconds in `SCardTransmit` for APDUs of these sizes to a card that only echoes."""
    import smartcard.scard as pcsc

    hand.order("echo", *(received for _, received in sizes))
    commands = [[0x00, 0xB0, 0x00, 0x00, *bytes(max(0, sent - 4))] for sent, _ in sizes]
    _, context = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
    try:
        code, handle, protocol = pcsc.SCardConnect(
            context,
            hand.reader.name,
            pcsc.SCARD_SHARE_EXCLUSIVE,
            pcsc.SCARD_PROTOCOL_T0 | pcsc.SCARD_PROTOCOL_T1,
        )
        if code:
            raise RuntimeError(f"the echo does not answer: {pcsc.SCardGetErrorMessage(code)}")
        control = pcsc.SCARD_PCI_T1 if protocol == pcsc.SCARD_PROTOCOL_T1 else pcsc.SCARD_PCI_T0
        pcsc.SCardBeginTransaction(handle)
        begun = time.perf_counter()
        for command in commands:
            pcsc.SCardTransmit(handle, control, command)
        seconds = time.perf_counter() - begun
        pcsc.SCardDisconnect(handle, pcsc.SCARD_UNPOWER_CARD)
        return seconds
    finally:
        pcsc.SCardReleaseContext(context)


@dataclass(frozen=True)
class _Shift:
    """Readers that worked at the same time: wall-clock seconds, those of each card, and processor seconds of
    this process, of pcscd and of the cards.
    """

    seconds: float
    cards: list[float]
    spent: dict[str, float]


def _together(workshop: _Workshop, hands: Sequence[_Hand], cards: int, pcscd: int) -> _Shift:
    """Cards on all these readers at the same time."""

    def spent() -> dict[str, float]:
        return {
            "host": _cpu(os.getpid()),
            "pcscd": _cpu(pcscd),
            "cards": sum(_cpu(hand.process.pid) for hand in hands),
        }

    before = spent()
    begun = time.perf_counter()
    with ThreadPoolExecutor(len(hands)) as pool:
        made = list(pool.map(lambda hand: [workshop.make(hand) for _ in range(cards)], hands))
    seconds = time.perf_counter() - begun
    return _Shift(
        seconds,
        [card.seconds for each in made for card in each],
        {name: value - before[name] for name, value in spent().items()},
    )


def _summed(shifts: Sequence[_Shift]) -> dict[str, float]:
    seconds = sum(shift.seconds for shift in shifts)
    cards = [card for shift in shifts for card in shift.cards]
    spent = {name: sum(shift.spent[name] for shift in shifts) for name in shifts[0].spent}
    return {
        "cards_per_hour": 3600 * len(cards) / seconds,
        "ms_per_card": 1000 * statistics.median(cards),
        **{f"cpu_ms_per_card_{name}": 1000 * value / len(cards) for name, value in spent.items()},
        "cpu_share": sum(spent.values()) / (seconds * (os.cpu_count() or 1)),
    }


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _like(sent: int, received: int) -> CommandApdu:
    """A command of these sizes; one that answers asks for as much as its length fields can say."""
    extended = sent > 255 or received > 256
    return CommandApdu("any", 0, 0, 0, 0, bytes(sent), (65536 if extended else 256) if received else 0)


def _job(reader: str) -> Job:
    now = SystemClock().now()
    return Job(
        job_id=str(uuid.uuid4()),
        state=State.WRITING,
        region="32.16",
        location="32.16",
        station="bench",
        reader=reader,
        issue_date=now.date(),
        create_time=now,
        update_time=now,
    )


def _workshop(folder: Path) -> _Workshop:
    clock = SystemClock()
    issuer = issuer_of(folder, clock)
    database = Database(f"sqlite:///{folder / 'cards.db'}")
    database.migrate("services.cardperso")
    journal = Journal(database, folder / "journal", clock, KeyRing.load(folder / "keys.json"))
    encoder = Encoder(issuer, AttemptGuard(), journal, _APDU_SECONDS)
    return _Workshop(encoder, journal, database, encode(find(_PROFILE), person(), issuer.signer()))


@contextmanager
def _hands(bank: ReaderBank, count: int, pace: Pace) -> Iterator[list[_Hand]]:
    with ExitStack() as stack:
        hands = []
        for reader in bank.readers[:count]:
            hands.append(_Hand(reader, pace))
            stack.callback(hands[-1].close)
        names = {hand.reader.name for hand in hands}
        deadline = time.monotonic() + _LAID_SECONDS
        while not names <= {state.name for state in readers_now() if state.card_present}:
            if time.monotonic() > deadline:
                raise RuntimeError("pcscd does not see the virtual cards")
            time.sleep(0.05)
        yield hands
