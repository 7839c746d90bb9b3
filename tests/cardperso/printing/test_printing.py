"""Faces to a directory and through a real CUPS spooler."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from services.cardperso.face import pdf
from services.cardperso.face.render import Faces, draw
from services.cardperso.holder import Holder
from services.cardperso.printing import CardPrinter, SpoolPrinter
from services.cardperso.printing.printer import (
    CardsOut,
    PrinterFault,
    PrinterOffline,
    PrinterStopped,
    PrinterUnknown,
    PrintFailed,
    RibbonOut,
)
from services.cardperso.printing.spool import unseal
from services.common.crypto import KeyRing
from services.common.errors import DataLoss
from tests.cardperso.printing.conftest import QUEUE, PrintService


@pytest.fixture
def faces(holder: Holder) -> Faces:
    return draw(holder, "04A1B2C3D4E5F6", "token", mark="SPESIMEN")


def test_a_directory_gets_both_faces_and_a_document_for_a_program_that_finds_them(
    tmp_path: Path, faces: Faces
) -> None:
    printer = SpoolPrinter(tmp_path / "spool", 300, None)
    printer.check()
    printer.print("job-1", faces)
    printer.print("job-1", faces)
    spool = tmp_path / "spool"
    assert {path.name for path in spool.iterdir()} == {"job-1-front.png", "job-1-back.png", "job-1.pdf"}
    assert (spool / "job-1-front.png").read_bytes() == faces.front
    assert (spool / "job-1.pdf").read_bytes() == pdf.document([faces.front, faces.back])
    assert all(path.stat().st_mode & 0o077 == 0 for path in spool.iterdir())


def test_what_lies_in_a_directory_shows_nobody_without_the_key(tmp_path: Path, faces: Faces) -> None:
    keys = KeyRing.load(tmp_path / "keys.json")
    printer = SpoolPrinter(tmp_path / "spool", 300, keys)
    printer.print("job-1", faces)
    files = {path.name: path for path in (tmp_path / "spool").iterdir()}
    assert set(files) == {"job-1-front.png.sealed", "job-1-back.png.sealed", "job-1.pdf.sealed"}
    contents = [path.read_bytes() for path in files.values()]
    assert not any(head in content for content in contents for head in (faces.front[:8], b"%PDF-1.4"))
    assert unseal(files["job-1-front.png.sealed"], keys) == faces.front
    assert unseal(files["job-1.pdf.sealed"], keys) == pdf.document([faces.front, faces.back])
    with pytest.raises(DataLoss):
        unseal(files["job-1.pdf.sealed"], KeyRing.load(tmp_path / "other.json"))
    swapped = files["job-1-front.png.sealed"].rename(tmp_path / "spool" / "job-2-front.png.sealed")
    with pytest.raises(DataLoss):
        unseal(swapped, keys)
    to = tmp_path / "open"
    command = ["card", "unseal", str(files["job-1.pdf.sealed"]), "--keys", str(tmp_path / "keys.json")]
    done = CliRunner().invoke(app, [*command, "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert (to / "job-1.pdf").read_bytes().startswith(b"%PDF")
    assert (to / "job-1.pdf").stat().st_mode & 0o077 == 0
    wrong = CliRunner().invoke(app, [*command[:-1], str(tmp_path / "none.json")])
    assert (wrong.exit_code, wrong.stderr.split(":")[1].strip()) == (1, "KEYRING_MISSING")
    assert not (tmp_path / "none.json").exists()


def test_a_directory_that_cannot_be_written_is_an_offline_printer(tmp_path: Path, faces: Faces) -> None:
    (tmp_path / "file").write_text("in the way")
    printer = SpoolPrinter(tmp_path / "file" / "spool", 300, None)
    with pytest.raises(PrinterOffline):
        printer.check()
    with pytest.raises(PrinterOffline):
        printer.print("job-1", faces)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told(tmp_path: Path, faces: Faces) -> None:
    (tmp_path / ".job-1-front.png").symlink_to("/dev/full")
    with pytest.raises(PrinterOffline, match="No space left"):
        SpoolPrinter(tmp_path, 300, None).print("job-1", faces)
    (tmp_path / ".job-1-front.png").unlink()


class TestCups:
    """With cupsd and a backend that stands for the printer."""

    @pytest.fixture
    def make(self, print_service: PrintService, tmp_path: Path) -> Callable[..., CardPrinter]:
        """Makes printers; imported late, for pycups may not be installed."""
        cups_printer = importlib.import_module("services.cardperso.printing.cups_printer")

        def make(queue: str = QUEUE, seconds: float = 60) -> CardPrinter:
            printer: CardPrinter = cups_printer.CupsPrinter(
                queue, print_service.server, tmp_path / "sent", dpi=600, seconds=seconds
            )
            return printer

        return make

    def test_a_card_goes_through_the_spooler_to_the_printer(
        self, make: Callable[..., CardPrinter], print_service: PrintService, faces: Faces
    ) -> None:
        printer = make()
        printer.check()
        printer.print("job-a", faces)
        path = print_service.home / "printed" / "job-a.pdf"
        assert path.read_bytes() == pdf.document([faces.front, faces.back])

    def test_the_same_card_is_printed_once_however_often_it_is_asked_for(
        self, make: Callable[..., CardPrinter], print_service: PrintService, faces: Faces
    ) -> None:
        make().print("job-b", faces)
        (print_service.home / "printed" / "job-b.pdf").unlink()
        make().print("job-b", faces)
        assert "job-b" not in print_service.printed()

    def test_a_card_that_was_announced_and_never_sent_is_sent(
        self, make: Callable[..., CardPrinter], print_service: PrintService, tmp_path: Path, faces: Faces
    ) -> None:
        printer = make()
        line = printer._connect()  # type: ignore[attr-defined]
        job = line.createJob(QUEUE, "job-d", {})
        uuid = line.getJobAttributes(job, requested_attributes=["job-uuid"])["job-uuid"]
        (tmp_path / "sent").mkdir()
        (tmp_path / "sent" / "job-d").write_text(f"{job} {uuid}\n")
        printer.print("job-d", faces)
        assert "job-d" in print_service.printed()

    def test_a_service_that_was_set_up_anew_does_not_pass_for_the_old_one(
        self, make: Callable[..., CardPrinter], print_service: PrintService, tmp_path: Path, faces: Faces
    ) -> None:
        make().print("job-e", faces)
        number, _ = (tmp_path / "sent" / "job-e").read_text().split()
        (tmp_path / "sent" / "job-f").write_text(f"{number} urn:uuid:of-another-service\n")
        make().print("job-f", faces)
        assert "job-f" in print_service.printed()

    @pytest.mark.parametrize(
        ("mood", "fault", "says"),
        [
            ("ribbon", RibbonOut, "no ribbon left"),
            ("cards", CardsOut, "no card in its hopper"),
            ("cover", PrinterStopped, "cover-open"),
            ("offline", PrinterOffline, "offline"),
        ],
    )
    def test_each_trouble_of_a_printer_has_its_own_error_and_the_card_is_printed_after_it(
        self,
        make: Callable[..., CardPrinter],
        print_service: PrintService,
        faces: Faces,
        mood: str,
        fault: type[PrinterFault],
        says: str,
    ) -> None:
        print_service.mood(mood)
        printer = make()
        with pytest.raises(fault, match=says):
            printer.print(f"job-{mood}", faces)
        with pytest.raises(fault):
            printer.check()
        print_service.mood("good")
        print_service.run("/usr/sbin/cupsenable", QUEUE)
        printer.print(f"job-{mood}", faces)
        assert f"job-{mood}" in print_service.printed()
        printer.check()

    def test_a_job_that_was_given_up_is_told_and_may_be_printed_again(
        self, make: Callable[..., CardPrinter], print_service: PrintService, faces: Faces
    ) -> None:
        print_service.mood("jam")
        with pytest.raises(PrintFailed):
            make().print("job-c", faces)
        print_service.mood("good")
        make().print("job-c", faces)
        assert "job-c" in print_service.printed()

    def test_a_paused_queue_is_told_before_anything_is_spent(
        self, make: Callable[..., CardPrinter], print_service: PrintService, faces: Faces
    ) -> None:
        print_service.run("/usr/sbin/cupsdisable", "-r", "cleaning", QUEUE)
        with pytest.raises(PrinterStopped, match="cleaning"):
            make().check()
        print_service.run("/usr/sbin/cupsenable", QUEUE)
        print_service.run("/usr/sbin/cupsreject", QUEUE)
        with pytest.raises(PrinterStopped):
            make().check()

    def test_a_printer_that_is_not_set_up_is_told_with_those_that_are(
        self, make: Callable[..., CardPrinter]
    ) -> None:
        with pytest.raises(PrinterUnknown) as caught:
            make("nowhere").check()
        assert QUEUE in (caught.value.remedy or "")

    def test_a_print_service_that_is_not_there_is_an_offline_printer(
        self, print_service: PrintService, tmp_path: Path
    ) -> None:
        cups_printer = importlib.import_module("services.cardperso.printing.cups_printer")
        with pytest.raises(PrinterOffline, match="does not answer"):
            cups_printer.CupsPrinter(QUEUE, "127.0.0.1:1", tmp_path, dpi=300, seconds=5).check()
