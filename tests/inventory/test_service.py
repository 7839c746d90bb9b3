"""The inventory over mTLS, as its clients meet it."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2_grpc, stock_pb2

from services.common import client
from services.common.clock import FixedClock
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    TunggalError,
    remote_error,
)
from services.common.server import RunningServer
from services.inventory.app import build
from services.inventory.settings import Settings
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, DKI, new_id
from tests.inventory.signed_elsewhere import entering, take_over

ABSENT = "00000000-0000-4000-8000-000000000000"


class Caller:
    """Sends a request as one certificate's holder and raises the typed error of a refusal."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = inventory_pb2_grpc.InventoryServiceStub(channel)
        self.channel = channel

    def __call__(self, request: Any) -> Any:
        try:
            return getattr(self._stub, request.DESCRIPTOR.name.removesuffix("Request"))(request)
        except grpc.RpcError as error:
            raise remote_error(error) from None


@pytest.fixture
def database_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """SQLite, unless a test asks for both: what the databases do differently is tested without a network."""
    return new_database(getattr(request, "param", "sqlite"))


on_both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def server(database_url: str, tmp_path: Path, tls_dir: Path, clock: FixedClock) -> Iterator[RunningServer]:
    settings = Settings(
        listen="127.0.0.1:0",
        health_listen="",
        metrics_listen="127.0.0.1:0",
        data_dir=tmp_path,
        database_url=database_url,
        tls_dir=tls_dir,
    )
    running = build(settings, clock).build().start()
    yield running
    running.stop(grace=1)


@pytest.fixture
def call_as(server: RunningServer, tls_dir: Path) -> Iterator[Callable[[str], Caller]]:
    channels: list[grpc.Channel] = []

    def connect(name: str) -> Caller:
        channels.append(client.channel(f"localhost:{server.port}", tls_dir, name))
        return Caller(channels[-1])

    yield connect
    for channel in channels:
        channel.close()


@pytest.fixture
def operator(call_as: Callable[[str], Caller]) -> Caller:
    return call_as("operator-cli")


def contract_request(quantity: int = 1000, contract_id: str = CONTRACT) -> pb.CreateContractRequest:
    return entering(contract_id, quantity)


def lot_request(first: int, last: int, contract_id: str = CONTRACT) -> pb.ReceiveLotRequest:
    return pb.ReceiveLotRequest(
        request_id=new_id(),
        contract_id=contract_id,
        delivery_note="SJ-1",
        serials=stock_pb2.SerialRange(first=first, last=last),
    )


def allocation_request(source: str, target: str, quantity: int) -> pb.CreateAllocationRequest:
    return pb.CreateAllocationRequest(
        request_id=new_id(), from_location=source, to_location=target, quantity=quantity, reason="need"
    )


def reserve_request(location: str = CENTRE) -> pb.ReserveBlankRequest:
    return pb.ReserveBlankRequest(request_id=new_id(), location=location, purpose="job")


@pytest.fixture
def stocked(operator: Caller) -> Caller:
    """1,000 blanks contracted, 100 of them at the centre."""
    take_over(operator.channel, CONTRACT, 1000)
    operator(lot_request(1, 100))
    return operator


def refusal(call: Caller, request: Any) -> TunggalError:
    with pytest.raises(TunggalError) as refused:
        call(request)
    assert refused.value.remedy
    return refused.value


@on_both_databases
def test_a_blank_goes_from_the_contract_to_the_card(
    stocked: Caller, call_as: Callable[[str], Caller]
) -> None:
    made = stocked(allocation_request(CENTRE, BEKASI, 10)).allocation
    assert made.state == stock_pb2.ALLOCATION_STATE_ALLOCATED
    for step in (pb.DispatchAllocationRequest, pb.ReceiveAllocationRequest):
        made = stocked(step(request_id=new_id(), allocation_id=made.allocation_id)).allocation
    assert made.state == stock_pb2.ALLOCATION_STATE_RECEIVED
    assert made.HasField("dispatch_time")
    assert stocked(pb.GetAllocationRequest(allocation_id=made.allocation_id)).allocation == made

    station = call_as("cardperso")
    held = station(reserve_request(BEKASI)).blank
    card = station(
        pb.ConsumeBlankRequest(
            request_id=new_id(), reservation_id=held.reservation_id, chip_uid="04A1B2C3D4E5F6"
        )
    ).blank
    assert card.state == stock_pb2.BLANK_STATE_CONSUMED
    assert stocked(pb.GetBlankRequest(serial=card.serial)).blank == card
    custody = stocked(pb.GetBlankRequest(serial=card.serial)).custody
    assert [step.actor for step in custody] == ["operator/cli"] * 4 + ["service/cardperso"] * 2

    stock = stocked(pb.GetStockRequest())
    assert (stock.contracted, stock.delivered) == (1000, 100)
    assert stock.total == stock_pb2.StockLevel(location=CENTRE, on_hand=99, consumed=1)


@on_both_databases
def test_a_repeated_request_gets_the_first_answer(stocked: Caller) -> None:
    request = reserve_request()
    first = stocked(request)
    assert stocked(request) == first
    assert stocked(pb.GetStockRequest()).total.reserved == 1


def test_a_request_id_serves_one_body_only(stocked: Caller) -> None:
    request = reserve_request()
    stocked(request)
    request.purpose = "another job"
    error = refusal(stocked, request)
    assert isinstance(error, AlreadyExists)
    assert (error.reason, error.field) == ("REQUEST_ID_REUSED", "request_id")


@pytest.mark.parametrize(
    ("make", "kind", "reason", "field"),
    [
        (contract_request, AlreadyExists, "CONTRACT_EXISTS", "contract_id"),
        (lambda: lot_request(101, 110, "KTP-1999"), NotFound, "CONTRACT_UNKNOWN", "contract_id"),
        (lambda: pb.GetContractRequest(contract_id="KTP-1999"), NotFound, "CONTRACT_UNKNOWN", "contract_id"),
        (lambda: lot_request(101, 1001), FailedPrecondition, "MORE_THAN_OUTSTANDING", "serials"),
        (lambda: lot_request(100, 110), AlreadyExists, "SERIALS_KNOWN", "serials"),
        (lambda: lot_request(110, 101), InvalidArgument, "SERIAL_RANGE_REVERSED", "serials.last"),
        (lambda: allocation_request(CENTRE, CENTRE, 1), InvalidArgument, "SAME_LOCATION", "to_location"),
        (lambda: allocation_request(CENTRE, DKI, 101), FailedPrecondition, "INSUFFICIENT_STOCK", "quantity"),
        (lambda: reserve_request(DKI), FailedPrecondition, "INSUFFICIENT_STOCK", "location"),
        (
            lambda: pb.DispatchAllocationRequest(request_id=new_id(), allocation_id=ABSENT),
            NotFound,
            "ALLOCATION_UNKNOWN",
            "allocation_id",
        ),
        (
            lambda: pb.GetAllocationRequest(allocation_id=ABSENT),
            NotFound,
            "ALLOCATION_UNKNOWN",
            "allocation_id",
        ),
        (
            lambda: pb.ReleaseBlankRequest(request_id=new_id(), reservation_id=ABSENT, reason="r"),
            NotFound,
            "RESERVATION_UNKNOWN",
            "reservation_id",
        ),
        (lambda: pb.GetBlankRequest(serial=101), NotFound, "BLANK_UNKNOWN", "serial"),
        (lambda: pb.ListLotsRequest(page_token="?"), InvalidArgument, "PAGE_TOKEN_BROKEN", "page_token"),
        (
            lambda: pb.ListAllocationsRequest(location="Jakarta"),
            InvalidArgument,
            "LOCATION_MALFORMED",
            "location",
        ),
    ],
)
def test_a_refusal_names_the_field_and_changes_nothing(
    stocked: Caller, make: Callable[[], Any], kind: type[TunggalError], reason: str, field: str
) -> None:
    before = stocked(pb.GetStockRequest())
    error = refusal(stocked, make())
    assert isinstance(error, kind)
    assert (error.reason, error.field) == (reason, field)
    assert error.domain == "tunggal.inventory"
    assert stocked(pb.GetStockRequest()) == before


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: pb.GetStockRequest(location="Jakarta"), "location"),
        (lambda: reserve_request("32.16.01"), "location"),
        (lambda: contract_request(0), "quantity"),
        (lambda: contract_request(contract_id="ktp 2017"), "contract_id"),
        (lambda: allocation_request(CENTRE, DKI, -5), "quantity"),
        (lambda: pb.ReserveBlankRequest(location=CENTRE, purpose="job"), "request_id"),
        (
            lambda: pb.ConsumeBlankRequest(request_id=new_id(), reservation_id=ABSENT, chip_uid="04a1"),
            "chip_uid",
        ),
        (lambda: pb.ListContractsRequest(page_size=1001), "page_size"),
        (lambda: pb.ReceiveLotRequest(request_id=new_id(), contract_id="K", delivery_note="S"), "serials"),
    ],
)
def test_a_malformed_request_is_refused_by_the_rules_of_the_contract(
    operator: Caller, make: Callable[[], Any], field: str
) -> None:
    error = refusal(operator, make())
    assert isinstance(error, InvalidArgument)
    assert error.field == field


def test_insufficient_stock_tells_what_there_is(stocked: Caller) -> None:
    error = refusal(stocked, allocation_request(CENTRE, DKI, 150))
    assert error.metadata == {"location": "ID", "has": "100", "asked": "150"}


def test_each_step_of_an_allocation_happens_once_and_in_order(stocked: Caller) -> None:
    made = stocked(allocation_request(CENTRE, DKI, 10)).allocation

    def step(name: str) -> Any:
        request = getattr(pb, f"{name}AllocationRequest")(
            request_id=new_id(), allocation_id=made.allocation_id
        )
        if name == "Cancel":
            request.reason = "not needed"
        return request

    assert refusal(stocked, step("Receive")).reason == "WRONG_ALLOCATION_STATE"
    stocked(step("Dispatch"))
    assert refusal(stocked, step("Dispatch")).reason == "ALLOCATION_ALREADY_DISPATCHED"
    assert refusal(stocked, step("Cancel")).reason == "WRONG_ALLOCATION_STATE"
    stocked(step("Receive"))
    error = refusal(stocked, step("Receive"))
    assert (error.reason, error.field) == ("ALLOCATION_ALREADY_RECEIVED", "allocation_id")
    assert error.metadata["state"] == "RECEIVED"


def test_a_finished_reservation_stays_as_it_ended(stocked: Caller) -> None:
    def ended(name: str, **fields: str) -> str:
        held = stocked(reserve_request()).blank.reservation_id
        stocked(getattr(pb, f"{name}BlankRequest")(request_id=new_id(), reservation_id=held, **fields))
        return str(held)

    released = ended("Release", reason="left")
    consumed = ended("Consume", chip_uid="04A1B2C3")
    spoiled = ended("Spoil", reason="bent")
    for reservation_id, reason in [
        (released, "RESERVATION_RELEASED"),
        (consumed, "RESERVATION_CONSUMED"),
        (spoiled, "RESERVATION_SPOILED"),
    ]:
        request = pb.ReleaseBlankRequest(request_id=new_id(), reservation_id=reservation_id, reason="r")
        assert refusal(stocked, request).reason == reason


def test_a_chip_uid_is_bound_once_and_for_ever(stocked: Caller) -> None:
    first, second = (stocked(reserve_request()).blank for _ in range(2))
    uid = "04A1B2C3D4E5F6"
    stocked(
        pb.SpoilBlankRequest(
            request_id=new_id(), reservation_id=first.reservation_id, reason="bent", chip_uid=uid
        )
    )
    error = refusal(
        stocked,
        pb.ConsumeBlankRequest(request_id=new_id(), reservation_id=second.reservation_id, chip_uid=uid),
    )
    assert isinstance(error, AlreadyExists)
    assert (error.reason, error.field) == ("CHIP_UID_BOUND", "chip_uid")
    assert error.metadata["serial"] == str(first.serial)


@on_both_databases
def test_lists_come_in_pages_in_the_order_of_entry(operator: Caller) -> None:
    numbers = [f"KTP-{number:03}" for number in range(7)]
    for number in reversed(numbers):
        take_over(operator.channel, number, 100)
    for position, number in enumerate(numbers):
        operator(lot_request(1 + position * 10, 10 + position * 10, number))
    for quantity in (3, 1, 2):
        operator(allocation_request(CENTRE, DKI, quantity))

    assert list(pages(operator, pb.ListContractsRequest(page_size=3), "contracts", "contract_id")) == [
        ["KTP-006", "KTP-005", "KTP-004"],
        ["KTP-003", "KTP-002", "KTP-001"],
        ["KTP-000"],
    ]
    assert list(pages(operator, pb.ListLotsRequest(page_size=7), "lots", "contract_id")) == [numbers]
    of_one = pages(operator, pb.ListLotsRequest(contract_id="KTP-002"), "lots", "contract_id")
    assert list(of_one) == [["KTP-002"]]
    sent = operator(pb.ListAllocationsRequest()).allocations[1].allocation_id
    operator(pb.DispatchAllocationRequest(request_id=new_id(), allocation_id=sent))
    waiting = pb.ListAllocationsRequest(state=stock_pb2.ALLOCATION_STATE_ALLOCATED, location=DKI)
    assert list(pages(operator, waiting, "allocations", "quantity")) == [[3, 2]]
    elsewhere = pb.ListAllocationsRequest(location=BEKASI)
    assert list(pages(operator, elsewhere, "allocations", "quantity")) == [[]]


def pages(call: Caller, request: Any, items: str, field: str) -> Iterator[list[Any]]:
    """The values of ``field`` in each page of ``request``."""
    while True:
        answer = call(request)
        yield [getattr(item, field) for item in getattr(answer, items)]
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


@pytest.mark.parametrize(
    ("name", "request_made", "allowed"),
    [
        ("cardperso", contract_request, False),
        ("cardperso", lambda: allocation_request(CENTRE, DKI, 1), False),
        ("cardperso", reserve_request, True),
        ("enroll", reserve_request, False),
        ("abis", pb.GetStockRequest, True),
        ("enroll", pb.GetStockRequest, True),
        ("operator-supervisor", reserve_request, True),
    ],
)
def test_everyone_may_call_what_their_work_needs(
    stocked: Caller,
    call_as: Callable[[str], Caller],
    name: str,
    request_made: Callable[[], Any],
    allowed: bool,
) -> None:
    call = call_as(name)
    if allowed:
        call(request_made())
    else:
        assert isinstance(refusal(call, request_made()), PermissionDenied)


@on_both_databases
def test_the_metrics_show_stock_and_transfers(stocked: Caller, server: RunningServer) -> None:
    request = reserve_request()
    stocked(request)
    stocked(request)
    refusal(stocked, reserve_request(DKI))
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    for line in (
        'tunggal_inventory_stock_blanks{condition="on-hand",location="ID"} 99.0',
        'tunggal_inventory_stock_blanks{condition="reserved",location="ID"} 1.0',
        "tunggal_inventory_outstanding_blanks 900.0",
        'tunggal_inventory_transfers_total{kind="blank.reserved"} 1.0',
        'tunggal_inventory_transfers_total{kind="blank.spoiled"} 0.0',
    ):
        assert line in lines
