"""The inventory without a network: requests go straight to its adapter, on a database of the test's own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast
from uuid import uuid4

import grpc
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import stock_pb2

from services.common import audit
from services.common.clock import Clock
from services.common.db import Database
from services.inventory import tables
from services.inventory.journal import Journal
from services.inventory.metrics import Transfers
from services.inventory.service import InventoryService

CENTRE = "ID"
DKI = "31"
BEKASI = "32.16"
CONTRACT = "KTP-2017-03"


def new_id() -> str:
    return str(uuid4())


class Office:
    """One replica of the inventory. The fixture ``as_operator`` lets its calls pass as an operator's."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.database = Database(url)
        if self.database.dialect == "sqlite":
            # These tests cut no power, and waiting for the disk is most of the time of a small transaction.
            sa.event.listen(
                self.database.engine, "connect", lambda new, _: new.execute("PRAGMA synchronous = OFF")
            )
        self.database.migrate("services.inventory")
        journal = Journal(self.database, clock, Transfers(CollectorRegistry()))
        self._service = InventoryService(self.database, journal)

    def send(self, request: Any) -> Any:
        """Call the method that ``request`` belongs to."""
        method = getattr(self._service, request.DESCRIPTOR.name.removesuffix("Request"))
        return method(request, cast(grpc.ServicerContext, None))

    def sign(self, quantity: int, contract_id: str = CONTRACT) -> stock_pb2.Contract:
        request = pb.CreateContractRequest(
            request_id=new_id(), contract_id=contract_id, supplier="PT Kartu", quantity=quantity
        )
        return cast(stock_pb2.Contract, self.send(request).contract)

    def deliver(self, first: int, last: int, contract_id: str = CONTRACT) -> stock_pb2.Lot:
        request = pb.ReceiveLotRequest(
            request_id=new_id(),
            contract_id=contract_id,
            delivery_note=f"SJ-{first}",
            serials=stock_pb2.SerialRange(first=first, last=last),
        )
        return cast(stock_pb2.Lot, self.send(request).lot)

    def allocate(self, source: str, target: str, quantity: int, reason: str = "first need") -> Any:
        return self.send(
            pb.CreateAllocationRequest(
                request_id=new_id(),
                from_location=source,
                to_location=target,
                quantity=quantity,
                reason=reason,
            )
        ).allocation

    def dispatch(self, allocation_id: str) -> stock_pb2.Allocation:
        request = pb.DispatchAllocationRequest(request_id=new_id(), allocation_id=allocation_id)
        return cast(stock_pb2.Allocation, self.send(request).allocation)

    def receive(self, allocation_id: str) -> stock_pb2.Allocation:
        request = pb.ReceiveAllocationRequest(request_id=new_id(), allocation_id=allocation_id)
        return cast(stock_pb2.Allocation, self.send(request).allocation)

    def cancel(self, allocation_id: str, reason: str = "road closed") -> stock_pb2.Allocation:
        request = pb.CancelAllocationRequest(request_id=new_id(), allocation_id=allocation_id, reason=reason)
        return cast(stock_pb2.Allocation, self.send(request).allocation)

    def move(self, source: str, target: str, quantity: int) -> stock_pb2.Allocation:
        """Allocate, dispatch and receive."""
        allocation_id = self.allocate(source, target, quantity).allocation_id
        self.dispatch(allocation_id)
        return self.receive(allocation_id)

    def reserve(self, location: str, purpose: str = "job-1") -> stock_pb2.Blank:
        request = pb.ReserveBlankRequest(request_id=new_id(), location=location, purpose=purpose)
        return cast(stock_pb2.Blank, self.send(request).blank)

    def release(self, reservation_id: str, reason: str = "applicant left") -> stock_pb2.Blank:
        request = pb.ReleaseBlankRequest(request_id=new_id(), reservation_id=reservation_id, reason=reason)
        return cast(stock_pb2.Blank, self.send(request).blank)

    def consume(self, reservation_id: str, chip_uid: str) -> stock_pb2.Blank:
        request = pb.ConsumeBlankRequest(
            request_id=new_id(), reservation_id=reservation_id, chip_uid=chip_uid
        )
        return cast(stock_pb2.Blank, self.send(request).blank)

    def spoil(self, reservation_id: str, reason: str = "bent", chip_uid: str = "") -> stock_pb2.Blank:
        request = pb.SpoilBlankRequest(
            request_id=new_id(), reservation_id=reservation_id, reason=reason, chip_uid=chip_uid
        )
        return cast(stock_pb2.Blank, self.send(request).blank)

    def blank(self, serial: int) -> pb.GetBlankResponse:
        return cast(pb.GetBlankResponse, self.send(pb.GetBlankRequest(serial=serial)))

    def stock(self, location: str = "") -> pb.GetStockResponse:
        return cast(pb.GetStockResponse, self.send(pb.GetStockRequest(location=location)))

    def level(self, location: str) -> dict[str, int]:
        """Counts of one location by condition, zeros left out."""
        for level in self.stock().levels:
            if level.location == location:
                return {field.name: value for field, value in level.ListFields() if field.name != "location"}
        return {}

    def rows(self, table: sa.Table) -> int:
        with self.database.read() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def holdings(self) -> list[tuple[int, int, str]]:
        """First serial, last serial and account of every holding."""
        held = tables.holding.c
        with self.database.read() as connection:
            rows = connection.execute(sa.select(held.first, held.last, held.account).order_by(held.first))
            return [(row.first, row.last, row.account) for row in rows]

    def check_books(self) -> None:
        """What must hold at every moment: the trial balance is zero, no stock is negative, balances are the
        sums of the lines, custody covers each delivered serial once and agrees with the balances, and the
        audit chain is whole.
        """
        with self.database.read() as connection:
            accounts = connection.execute(sa.select(tables.account)).all()
            lines = connection.execute(sa.select(tables.line)).all()
            lots = connection.execute(sa.select(tables.lot)).all()
            assert audit.verify(connection) is None
        balances = {row.code: row.balance for row in accounts}
        assert sum(balances.values()) == 0
        assert all(b >= 0 for code, b in balances.items() if not code.endswith("/contracted"))
        sums = dict.fromkeys(balances, 0)
        for line in lines:
            sums[line.source] -= line.quantity
            sums[line.target] += line.quantity
        assert sums == balances
        held = self.holdings()
        for (_, last, _), (first, _, _) in pairwise(held):
            assert last < first
        assert sum(last - first + 1 for first, last, _ in held) == sum(
            lot.last - lot.first + 1 for lot in lots
        )
        in_custody = dict.fromkeys(balances, 0)
        for first, last, account in held:
            in_custody[account] += last - first + 1
        promises = ("/contracted", "/outstanding")
        assert in_custody == {code: 0 if code.endswith(promises) else b for code, b in balances.items()}
