"""Long files of delivery notes: looked through whole, booked note by note, gone on with after a break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import grpc
import pytest
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2

from services.common.clock import FixedClock
from services.common.errors import InvalidArgument, ResourceExhausted
from services.inventory.exchange import delivery_file, delivery_notes, importing
from services.inventory.exchange.service import ExchangeService
from services.inventory.journal import Journal
from services.inventory.metrics import Transfers
from tests.inventory.planning_books import Books
from tests.inventory.signed_elsewhere import approving, entering

HEADER = "contract_id,delivery_note,first_serial,last_serial\n"
Found = list[tuple[int, str]]


class Caller:
    """Who waits for the answers; hangs up after some of them."""

    def __init__(self, patience: int = 1 << 30) -> None:
        self.patience = patience

    def is_active(self) -> bool:
        self.patience -= 1
        return self.patience >= 0


class Counter:
    """The inventory with a contract for 7,000,000 blanks, and a file for it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.service = ExchangeService(
            books.database, Journal(books.database, books.clock, Transfers(CollectorRegistry()))
        )

    def load(
        self, text: str, *, dry_run: bool = False, caller: Caller | None = None
    ) -> tuple[pb.ImportDeliveryFileResponse, Found]:
        """The last answer, and lines and columns of all faults."""
        request_id = str(uuid4())
        parts = (
            pb.ImportDeliveryFileRequest(
                request_id=request_id, csv=text[begin : begin + 1000], dry_run=dry_run
            )
            for begin in range(0, len(text), 1000)
        )
        last, faults = pb.ImportDeliveryFileResponse(), []
        context = cast(grpc.ServicerContext, caller or Caller())
        for last in self.service.ImportDeliveryFile(parts, context):
            faults += [(fault.line, fault.column) for fault in last.faults]
        return last, faults

    def on_hand(self) -> int:
        return int(self.books.send(inventory_pb2.GetStockRequest()).total.on_hand)


@pytest.fixture
def counter(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Counter]:
    books = Books(database_url, clock, tmp_path)
    books.send(approving(books.send(entering("KTP-2017-03", 7_000_000)).change_id))
    yield Counter(books)
    books.database.dispose()


@pytest.fixture
def two_lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_LINES", 2)
    monkeypatch.setattr(importing, "TOGETHER", 2)


def boxes(count: int, first: int = 1, each: int = 10, note: str = "SJ-{}") -> str:
    return "".join(
        f"KTP-2017-03,{note.format(k)},{first + k * each},{first + k * each + each - 1}\n"
        for k in range(count)
    )


def test_a_long_file_is_booked_and_told_whole(counter: Counter, two_lines_at_once: None) -> None:
    told, faults = counter.load(HEADER + boxes(150))
    assert not faults
    assert (told.lines, told.blanks, told.booked_lines, told.known_lines) == (150, 1500, 150, 0)
    assert counter.on_hand() == 1500


def test_a_fault_in_the_last_line_keeps_every_note_out(counter: Counter, two_lines_at_once: None) -> None:
    text = HEADER + boxes(5) + "KTP-2017-99,SJ-9,x,2\n"
    told, faults = counter.load(text)
    assert faults == [(7, "first_serial"), (7, "contract_id")]
    assert (told.lines, told.booked_lines) == (5, 0)
    assert counter.on_hand() == 0


def test_what_broke_off_is_gone_on_with_by_sending_the_same_file(
    counter: Counter, two_lines_at_once: None
) -> None:
    text = HEADER + boxes(9)
    told, _ = counter.load(text, caller=Caller(patience=2))
    assert told.booked_lines == 4
    assert counter.on_hand() == 40
    told, faults = counter.load(text)
    assert not faults
    assert (told.known_lines, told.booked_lines) == (4, 5)
    told, _ = counter.load(text)
    assert (told.known_lines, told.booked_lines) == (9, 0)
    assert counter.on_hand() == 90


def test_a_note_is_booked_with_all_its_lines_or_none(counter: Counter, two_lines_at_once: None) -> None:
    text = HEADER + boxes(1, note="SJ-A") + boxes(2, 100, note="SJ-B") + boxes(1, 200, note="SJ-A")
    told, _ = counter.load(text, caller=Caller(patience=1))
    # Both lines of SJ-A, though those of SJ-B are between them.
    assert told.booked_lines == 2
    lots = counter.books.send(inventory_pb2.ListLotsRequest()).lots
    assert {lot.delivery_note for lot in lots} == {"SJ-A"}


def test_a_note_too_long_for_one_transaction_is_a_fault(counter: Counter, two_lines_at_once: None) -> None:
    _, faults = counter.load(HEADER + boxes(3, note="SJ-1"))
    assert faults == [(4, "delivery_note")]
    assert counter.on_hand() == 0


def test_lines_that_are_too_much_together_are_found_before_anything_is_booked(counter: Counter) -> None:
    text = HEADER + "".join(f"KTP-2017-03,SJ-{k},{k}000001,{k + 2}000000\n" for k in range(0, 8, 2))
    told, faults = counter.load(text)
    assert faults == [(5, "first_serial")]
    assert told.booked_lines == 0


def test_a_line_that_is_in_stock_otherwise_is_a_fault(counter: Counter) -> None:
    counter.load(HEADER + "KTP-2017-03,SJ-1,1,10\n")
    for line in ("KTP-2017-03,SJ-2,1,10", "KTP-2017-03,SJ-1,1,11", "KTP-2017-03,SJ-1,10,20"):
        assert counter.load(HEADER + line)[1] == [(2, "first_serial")]


def test_what_somebody_else_books_meanwhile_stops_at_its_note(
    counter: Counter, two_lines_at_once: None
) -> None:
    class Rival(Caller):
        """Books a lot between the second transaction and the third."""

        def is_active(self) -> bool:
            self.patience += 1
            if self.patience == 3:
                counter.load(HEADER + "KTP-2017-03,SJ-X,41,45\n")
            return True

    told, faults = counter.load(HEADER + boxes(9), caller=Rival(patience=0))
    assert faults == [(6, "first_serial")]
    assert told.booked_lines == 4
    assert counter.on_hand() == 45


def test_two_who_send_the_same_file_at_once_book_it_once(counter: Counter, two_lines_at_once: None) -> None:
    text = HEADER + boxes(9)

    class Double(Caller):
        """The second click comes while the first is at work."""

        def is_active(self) -> bool:
            self.patience += 1
            if self.patience == 2:
                counter.load(text)
            return True

    _, faults = counter.load(text, caller=Double(patience=0))
    assert not faults
    assert counter.on_hand() == 90


def test_a_dry_run_of_a_long_file_books_nothing(counter: Counter) -> None:
    told, faults = counter.load(HEADER + boxes(20), dry_run=True)
    assert not faults
    assert (told.lines, told.booked_lines) == (20, 0)
    assert counter.on_hand() == 0


def test_all_faults_of_all_lines_come_at_once(counter: Counter) -> None:
    counter.load(HEADER + "KTP-2017-03,SJ-1,1,10\n")
    text = (
        "\ufeffcontract_id;delivery_note;first_serial;last_serial\r\n"
        "KTP-2017-99;;1.000;1,00E+11\r\n"
        'KTP-2017-03;"SJ"-2;20;30\r\n'
        "KTP-2017-99;SJ-3;5;15\r\n"
        "ktp;Mar-17;40;31\r\n"
        "KTP-2017-03;SJ-4;50;60;70\r\n"
    )
    answer = counter.books.send(pb.ImportDeliveryNotesRequest(request_id=str(uuid4()), csv=text))
    assert [(fault.line, fault.column) for fault in answer.faults] == [
        (2, "delivery_note"),
        (2, "first_serial"),
        (2, "last_serial"),
        (2, "contract_id"),
        (3, ""),
        (4, "contract_id"),
        (4, "first_serial"),
        (5, "contract_id"),
        (5, "delivery_note"),
        (5, "last_serial"),
        (6, ""),
    ]
    assert all(fault.remedy for fault in answer.faults)
    assert not answer.lots


@pytest.mark.parametrize(
    ("written", "word"),
    [("1.000", "1000"), ("12,500", "12500"), ("1E+06", "shortened"), ("1,00E+11", "shortened")],
)
def test_a_number_that_two_people_read_differently_is_refused_with_what_to_write(
    written: str, word: str
) -> None:
    text = f"contract_id;delivery_note;first_serial;last_serial\nKTP-2017-03;SJ-1;{written};2000000\n"
    (fault,) = delivery_notes.parse(text).faults
    assert fault.column == "first_serial"
    assert word in f"{fault.problem} {fault.remedy}"


@pytest.mark.parametrize("note", ["17-Mar", "Mar-17", "17-Agu-17", "1,23E+15"])
def test_a_note_s_number_that_the_spreadsheet_took_for_something_else_is_refused(note: str) -> None:
    text = f"contract_id;delivery_note;first_serial;last_serial\nKTP-2017-03;{note};1;2\n"
    (fault,) = delivery_notes.parse(text).faults
    assert fault.column == "delivery_note"
    assert "format the column as text" in fault.remedy


def test_a_spreadsheet_that_names_its_separator_is_understood() -> None:
    parsed = delivery_notes.parse(
        "\ufeffsep=;\r\ncontract_id;delivery_note;first_serial;last_serial\r\nKTP-2017-03;SJ-1;1;2\r\n"
    )
    assert not parsed.faults
    assert [line.line for line in parsed.lines] == [3]


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ((), InvalidArgument),
        ((("a", "x"), ("b", "y")), InvalidArgument),
        (tuple(("a", "x" * (1 << 20)) for _ in range(17)), ResourceExhausted),
    ],
)
def test_parts_that_make_no_file_are_refused(
    parts: Sequence[tuple[str, str]], refusal: type[Exception]
) -> None:
    messages: Any = (pb.ImportDeliveryFileRequest(request_id=of, csv=text) for of, text in parts)
    with pytest.raises(refusal):
        delivery_file.whole(messages)
