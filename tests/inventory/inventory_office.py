"""The inventory without a network: requests go straight to its adapter, on a database of the test's own."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, cast
from uuid import uuid4

import grpc
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import contracts_pb2, ledger_pb2, stock_pb2
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common import audit, requests
from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import TunggalError
from services.inventory import tables
from services.inventory.blanks.card_service import CardService
from services.inventory.blanks.chip_service import ChipService
from services.inventory.contracts.service import ContractService
from services.inventory.counts.service import CountService
from services.inventory.disposal.conveyance_service import ConveyanceService
from services.inventory.disposal.service import SpoilageService
from services.inventory.disposal.withdrawal_service import WithdrawalService
from services.inventory.inspection import findings
from services.inventory.journal import ITSELF, Journal
from services.inventory.metrics import Transfers
from services.inventory.movements.service import MovementService
from services.inventory.reversals.service import ReversalService
from services.inventory.service import InventoryService
from services.inventory.statement.signing import Signer
from services.inventory.transfers.service import LedgerService
from services.inventory.upkeep import Upkeep
from tests.inventory.signed_elsewhere import approving, entering

CENTRE = "ID"
DKI = "31"
BEKASI = "32.16"
CONTRACT = "KTP-2017-03"


_REQUEST_LOG = requests.table(sa.MetaData())
_AUDIT_LOG = sa.table(audit.TABLE, *map(sa.column, ("actor", "action", "digest")))


def new_id() -> str:
    return str(uuid4())


def has_field(request: Message, path: str | None) -> bool:
    """Whether ``path``, such as ``transfers[0].quantity``, leads to a field of ``request``; none does."""
    descriptor: Any = request.DESCRIPTOR
    for step in path.split(".") if path else ():
        field = descriptor.fields_by_name.get(step.partition("[")[0]) if descriptor else None
        if field is None:
            return False
        descriptor = field.message_type
    return True


def require_audited(connection: sa.Connection) -> Counter[tuple[str, str]]:
    """Each request that was answered has one entry in the audit log, and nothing else that somebody asked for
    has one: how many there are by method and digest.
    """
    answered = connection.execute(sa.select(_REQUEST_LOG.c.method, _REQUEST_LOG.c.digest))
    asked = Counter((row.method, bytes(row.digest).hex()) for row in answered)
    log = sa.select(_AUDIT_LOG).where(_AUDIT_LOG.c.actor != ITSELF)
    assert Counter((row.action, row.digest) for row in connection.execute(log)) == asked
    return asked


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
        self.upkeep = Upkeep(self.database, journal, clock)
        self.key = Ed25519PrivateKey.generate()
        self._services = (
            InventoryService(self.database, journal),
            ContractService(self.database, journal, clock),
            LedgerService(self.database, journal),
            MovementService(self.database, journal),
            CountService(self.database, journal),
            SpoilageService(self.database, journal, Signer(self.key)),
            ChipService(self.database, journal),
            CardService(self.database, journal),
            WithdrawalService(self.database, journal),
            ConveyanceService(self.database, journal),
            ReversalService(self.database, journal),
        )

    def send(self, request: Any) -> Any:
        """Call the method that ``request`` belongs to."""
        name = request.DESCRIPTOR.name.removesuffix("Request")
        method = next(getattr(service, name) for service in self._services if name in type(service).__dict__)
        try:
            return method(request, cast(grpc.ServicerContext, None))
        except TunggalError as refusal:
            if not has_field(request, refusal.field):
                raise AssertionError(f"{name} has no field {refusal.field}: {refusal}") from refusal
            raise

    def do(self, kind: type[Any], /, **fields: Any) -> Any:
        """Send a request of this kind with a request_id of its own."""
        return self.send(kind(request_id=new_id(), **fields))

    def sign(self, quantity: int, contract_id: str = CONTRACT) -> stock_pb2.Contract:
        """Take a contract over that was signed elsewhere."""
        made = self.send(entering(contract_id, quantity))
        self.send(approving(made.change_id))
        found = self.send(pb.GetContractRequest(contract_id=contract_id))
        return cast(stock_pb2.Contract, found.contract)

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
            request_id=new_id(),
            reservation_id=reservation_id,
            reason=reason,
            chip_uid=chip_uid,
            operator="loket-3",
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

    def balances(self, location: str = "", item: str = "", **fields: Any) -> dict[str, int]:
        """Balances that are not zero, by ``LOCATION/ITEM/CONDITION``; ``at`` and ``as_happened`` for a past
        moment.
        """
        at = fields.pop("at", None)
        request = ledger_pb2.GetBalancesRequest(location=location, item=item, **fields)
        if at is not None:
            request.at.FromDatetime(at)
        found = self.send(request).balances
        return {f"{row.location}/{row.item}/{row.condition}": row.balance for row in found}

    def supply(self, item: str, quantity: int, location: str = CENTRE) -> None:
        """Contract and deliver an item without serials."""
        contract_id = f"SUP-{new_id().upper()}"
        terms = contracts_pb2.ContractTerms(
            kind=contracts_pb2.CONTRACT_KIND_CONSUMABLES,
            supplier="PT Pita",
            item=item,
            quantity=quantity,
            currency="IDR",
        )
        self.draft(contract_id, terms)
        self.step(contract_id, "SIGN")
        self.step(contract_id, "ACTIVATE")
        self.do(
            contracts_pb2.ReceiveSupplyRequest,
            contract_id=contract_id,
            delivery_note="SJ-1",
            location=location,
            quantity=quantity,
        )

    def draft(self, contract_id: str, terms: contracts_pb2.ContractTerms, **fields: Any) -> Any:
        return self.do(
            contracts_pb2.DraftContractRequest,
            contract_id=contract_id,
            terms=terms,
            operator="ani",
            **fields,
        ).contract

    def step(self, contract_id: str, kind: str, **terms: str) -> Any:
        """Propose a step as one operator and approve it as another; the contract after it."""
        change = self.do(
            contracts_pb2.ProposeChangeRequest,
            contract_id=contract_id,
            kind=f"CHANGE_KIND_{kind}",
            terms=terms,
            reason=f"{kind.lower()} as agreed",
            operator="ani",
        ).change
        return self.do(
            contracts_pb2.ApproveChangeRequest, change_id=change.change_id, operator="budi"
        ).contract

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
        sums of the lines, custody covers each delivered serial once and agrees with the balances, the audit
        chain is whole, and each request that was answered has its entry there.
        """
        with self.database.read() as connection:
            accounts = connection.execute(sa.select(tables.account)).all()
            lines = connection.execute(sa.select(tables.line)).all()
            lots = connection.execute(sa.select(tables.lot)).all()
            assert audit.verify(connection) is None
            assert findings(connection) == []
            require_audited(connection)
        balances = {row.code: row.balance for row in accounts}
        assert sum(balances.values()) == 0
        negative = ("/contracted", "/found", "/borrowed")
        assert all((b <= 0) if code.endswith(negative) else (b >= 0) for code, b in balances.items())
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
        promises = ("/contracted", "/outstanding", "/lent", "/borrowed")
        blanks = {row.code for row in accounts if row.item == "blank" and not row.code.endswith(promises)}
        assert in_custody == {code: b if code in blanks else 0 for code, b in balances.items()}
