"""Jobs and their printer: nothing is spent on a card that cannot be printed, and none is printed twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.cardperso.face.render import Faces
from services.cardperso.job import Job, State
from services.cardperso.printing import Retention, SpoolPrinter
from services.cardperso.printing.printer import PrintFailed, RibbonOut
from services.cardperso.printing.spool import unseal
from services.common.crypto import KeyRing
from tests.cardperso.card_bench import Bench, CrashError
from tests.cardperso.card_makers import eventually
from tests.cardperso.conftest import MakeBlank


@dataclass
class Printer:
    """A printer that does what a test says and remembers what it printed."""

    dpi: int = 600
    ready: Callable[[], None] = lambda: None
    works: Callable[[], None] = lambda: None
    printed: dict[str, Faces] = field(default_factory=dict)
    asked: int = 0

    def check(self) -> None:
        self.ready()

    def print(self, name: str, faces: Faces) -> None:
        self.asked += 1
        self.works()
        self.printed[name] = faces

    def kept(self) -> list[str]:
        return list(self.printed)

    def forget(self, name: str) -> None:
        del self.printed[name]


def out_of_ribbon() -> None:
    raise RibbonOut("desk")


def test_a_card_is_printed_before_it_is_booked(bench: Bench, make_blank: MakeBlank) -> None:
    printer = bench.printer = Printer()
    printer.works = lambda: None if not bench.world.consumed else pytest.fail("booked before it was printed")
    make_blank().insert()
    job = bench.run()
    assert job.state is State.PRINTED
    assert list(printer.printed) == [job.job_id]
    assert printer.asked == 1
    with bench.database.read() as conn:
        assert bench.store.face(conn, job.job_id, "front") == printer.printed[job.job_id].front


def test_the_spool_has_what_the_service_keeps(bench: Bench, make_blank: MakeBlank, tmp_path: Path) -> None:
    keys = KeyRing.load(tmp_path / "keys.json")
    spool = bench.printer = SpoolPrinter(tmp_path / "spool", 300, keys)
    make_blank().insert()
    job = bench.run()
    with bench.database.read() as conn:
        back = bench.store.face(conn, job.job_id, "back")
    assert unseal(tmp_path / "spool" / f"{job.job_id}-back.png.sealed", keys) == back
    retention = Retention(spool, bench.jobs.is_over)
    (tmp_path / "spool" / "notes.pdf").write_text("of somebody else")
    retention.sweep()
    assert spool.kept() == sorted([job.job_id, "notes"]), "its holder does not have the card yet"
    bench.jobs.change(job.job_id, lambda job: job.handing_over().handed_over())
    retention.sweep()
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["notes.pdf"]


def test_no_blank_is_taken_while_the_ribbon_is_out(bench: Bench, make_blank: MakeBlank) -> None:
    printer = bench.printer = Printer(ready=out_of_ribbon)
    card = make_blank().insert()
    job = bench.new_job()
    with running(bench, job):
        eventually(lambda: bench.jobs.reload(job).reason.startswith("RIBBON_OUT"), 60)
        assert not bench.world.held
        assert card.apdus == 0
        printer.ready = lambda: None
        eventually(lambda: bench.jobs.reload(job).state is State.PRINTED, 60)
    bench.check_books()


def test_a_ribbon_that_ends_within_a_card_is_waited_for(bench: Bench, make_blank: MakeBlank) -> None:
    printer = bench.printer = Printer(works=out_of_ribbon)
    card = make_blank().insert()
    job = bench.new_job()
    with running(bench, job):
        eventually(lambda: bench.jobs.reload(job).reason.startswith("RIBBON_OUT"), 60)
        assert bench.jobs.reload(job).state is State.VERIFIED
        assert not bench.world.consumed
        # The chip is done: the card may be taken off the reader while somebody changes the ribbon.
        card.remove()
        printer.works = lambda: None
        eventually(lambda: bench.jobs.reload(job).state is State.PRINTED, 60)
    assert bench.world.consumed == {1001: card.uid}
    bench.check_books()


def test_a_card_that_the_printer_gave_up_is_spoiled(bench: Bench, make_blank: MakeBlank) -> None:
    def jam() -> None:
        raise PrintFailed("desk", "a card is stuck")

    bench.printer = Printer(works=jam)
    make_blank().insert()
    job = bench.run()
    assert (job.state, job.reason.split(":")[0]) == (State.SPOILED, "PRINT_FAILED")
    assert 1001 in bench.world.spoiled
    bench.check_books()


def test_a_station_that_dies_while_it_prints_prints_after_its_restart(
    bench: Bench, make_blank: MakeBlank
) -> None:
    def die() -> None:
        raise CrashError

    printer = bench.printer = Printer(works=die)
    make_blank().insert()
    job = bench.new_job()
    bench.crash(job)
    assert bench.jobs.reload(job).state is State.VERIFIED
    printer.works = lambda: None
    assert bench.run(job).state is State.PRINTED
    assert list(printer.printed) == [job.job_id]
    bench.check_books()


class running:  # noqa: N801 - reads as a word in `with`
    """A job that goes on in a thread of its own."""

    def __init__(self, bench: Bench, job: Job) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=lambda: bench.personalizer().run(bench.jobs.reload(job), self._stop)
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
