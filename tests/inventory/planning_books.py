"""Books with a past: services called without a network, and histories written as the closing of days
writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import (
    cards_pb2,
    ledger_pb2,
    movements_pb2,
    spoilage_pb2,
    stock_pb2,
    withdrawals_pb2,
)
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common.clock import FixedClock
from services.common.db import Database
from services.inventory import tables
from services.inventory.blanks.card_service import CardService
from services.inventory.contracts.service import ContractService
from services.inventory.disposal.service import SpoilageService
from services.inventory.disposal.withdrawal_service import WithdrawalService
from services.inventory.exchange.service import ExchangeService
from services.inventory.journal import Journal
from services.inventory.ledger import days
from services.inventory.ledger.closing import Closing
from services.inventory.ledger.entries import Account, Condition
from services.inventory.ledger.holdings import Holdings
from services.inventory.metrics import Transfers
from services.inventory.movements.service import MovementService
from services.inventory.planning.service import PlanningService
from services.inventory.service import InventoryService
from services.inventory.statement.clerk import StatementClerk
from services.inventory.statement.service import StatementService
from services.inventory.statement.signing import Signer
from services.inventory.transfers.service import LedgerService
from tests.inventory.inventory_office import CONTRACT, new_id
from tests.inventory.signed_elsewhere import approving, entering


class Books:
    """One replica of the inventory with everything that plans, states and exports. The fixture
    ``as_operator`` lets its calls pass as an operator's.
    """

    def __init__(self, url: str, clock: FixedClock, directory: Path) -> None:
        self.clock = clock
        self.database = Database(url)
        if self.database.dialect == "sqlite":
            sa.event.listen(
                self.database.engine, "connect", lambda new, _: new.execute("PRAGMA synchronous = OFF")
            )
        self.database.migrate("services.inventory")
        journal = Journal(self.database, clock, Transfers(CollectorRegistry()))
        self.signer = Signer.load(directory / "signing.pem")
        self.clerk = StatementClerk(self.database, journal, self.signer, clock)
        self._services = (
            InventoryService(self.database, journal),
            ContractService(self.database, journal, clock),
            MovementService(self.database, journal),
            LedgerService(self.database, journal),
            CardService(self.database, journal),
            SpoilageService(self.database, journal, self.signer),
            WithdrawalService(self.database, journal),
            PlanningService(self.database, journal, clock, lead_days=14),
            StatementService(self.database, journal, self.signer),
            ExchangeService(self.database, journal),
        )

    def send(self, request: Any) -> Any:
        """Call the method that ``request`` belongs to."""
        name = request.DESCRIPTOR.name.removesuffix("Request")
        method = next(getattr(each, name) for each in self._services if name in type(each).__dict__)
        return method(request, cast(grpc.ServicerContext, None))

    def stock_up(self, quantity: int, first: int = 1) -> None:
        """A contract for ``quantity`` blanks, delivered to the centre."""
        self.send(approving(self.send(entering(f"{CONTRACT}/{first}", quantity)).change_id))
        self.send(
            pb.ReceiveLotRequest(
                request_id=new_id(),
                contract_id=f"{CONTRACT}/{first}",
                delivery_note=f"SJ-{first}",
                serials=stock_pb2.SerialRange(first=first, last=first + quantity - 1),
            )
        )

    def allocate(self, target: str, quantity: int, source: str = "ID") -> stock_pb2.Allocation:
        """Set blanks aside for a location."""
        request = pb.CreateAllocationRequest(
            request_id=new_id(), from_location=source, to_location=target, quantity=quantity, reason="need"
        )
        return cast(stock_pb2.Allocation, self.send(request).allocation)

    def roll_out(self, location: str, rolls: int, under_way: int = 0) -> None:
        """Rolls of ribbon, each for 500 cards, at a location, and on their way there."""
        with self.database.transaction() as connection:
            accounts = [("ID", under_way), (location, rolls)]
            connection.execute(
                sa.insert(tables.account),
                [
                    {
                        "code": f"{place}/ribbon/on-hand",
                        "place": place,
                        "item": "ribbon",
                        "condition": "on-hand",
                        "balance": balance,
                    }
                    for place, balance in accounts
                ],
            )
        if under_way:
            request = movements_pb2.AllocateItemRequest(
                request_id=new_id(),
                item="ribbon",
                from_location="ID",
                to_location=location,
                quantity=under_way,
                reason="need",
            )
            made = self.send(request).allocation
            self.send(pb.DispatchAllocationRequest(request_id=new_id(), allocation_id=made.allocation_id))

    def open_site(self, location: str, days: int = 31) -> None:
        """Open a site for the month, or for so many days from today on."""
        opens, closes = self.day().isoformat(), (self.day() + timedelta(days=days - 1)).isoformat()
        self.send(
            movements_pb2.OpenSiteRequest(
                request_id=new_id(),
                location=location,
                name="Fair",
                opens=opens,
                closes=closes,
                operator="siti",
            )
        )

    def close_site(self, location: str) -> None:
        """Close a site, on which nothing is left."""
        self.send(movements_pb2.CloseSiteRequest(request_id=new_id(), location=location))

    def ship(
        self, target: str, quantity: int, source: str = "ID", *, arrives: bool = True, damaged: int = 0
    ) -> None:
        """Allocate, dispatch and, unless it stays under way, receive, the first of it ``damaged``."""
        made = self.allocate(target, quantity, source)
        self.send(pb.DispatchAllocationRequest(request_id=new_id(), allocation_id=made.allocation_id))
        if not arrives:
            return
        first = made.serials[0].first
        broken = [stock_pb2.SerialRange(first=first, last=first + damaged - 1)] if damaged else []
        self.send(
            movements_pb2.ReceiveShipmentRequest(
                request_id=new_id(),
                allocation_id=made.allocation_id,
                damaged=movements_pb2.Parcel(serials=broken),
                reason="the lorry overturned",
                operator="ani",
            )
        )

    def reserve(self, location: str, purpose: str = "job") -> stock_pb2.Blank:
        request = pb.ReserveBlankRequest(request_id=new_id(), location=location, purpose=purpose)
        return cast(stock_pb2.Blank, self.send(request).blank)

    def print_card(self, location: str, chip_uid: str, purpose: str = "job") -> int:
        """Reserve and consume a blank; its serial."""
        blank = self.reserve(location, purpose)
        self.send(
            pb.ConsumeBlankRequest(
                request_id=new_id(), reservation_id=blank.reservation_id, chip_uid=chip_uid
            )
        )
        return blank.serial

    def spoil(self, location: str, reason: str = "bent") -> int:
        """Reserve and spoil a blank; its serial."""
        blank = self.reserve(location)
        self.send(
            pb.SpoilBlankRequest(request_id=new_id(), reservation_id=blank.reservation_id, reason=reason)
        )
        return blank.serial

    def void(self, serial: int, chip_uid: str) -> None:
        """Reject the card of a blank, whoever looked at it."""
        blank = self.send(pb.GetBlankRequest(serial=serial)).blank
        self.send(
            cards_pb2.VoidCardRequest(
                request_id=new_id(),
                reservation_id=blank.reservation_id,
                chip_uid=chip_uid,
                reason="pale",
                operator="ani",
            )
        )

    def withdraw(self, chip_uid: str, location: str) -> str:
        """Take a card back from its holder; the id of the transfer."""
        request = withdrawals_pb2.WithdrawCardRequest(
            request_id=new_id(),
            chip_uid=chip_uid,
            location=location,
            cause=withdrawals_pb2.WITHDRAWAL_CAUSE_FOUND,
            operator="siti",
        )
        return str(self.send(request).withdrawal.transfer_id)

    def wet(self, location: str, quantity: int) -> str:
        """Spoil the first free blanks of a location, such as a box in the rain; the id of the transfer."""
        with self.database.read() as connection:
            held = Holdings(connection).free(Account(location, Condition.ON_HAND))
        first = held[0].first
        self.send(
            spoilage_pb2.SpoilStockRequest(
                request_id=new_id(),
                location=location,
                item="blank",
                serials=[stock_pb2.SerialRange(first=first, last=first + quantity - 1)],
                reason="rain",
                operator="ani",
            )
        )
        return str(self.send(pb.GetBlankRequest(serial=first)).custody[-1].transfer_id)

    def take_back(self, transfer_id: str) -> None:
        """Take a transfer of today back, such as that of a card whose holder came."""
        self.send(
            ledger_pb2.ReverseTransferRequest(
                request_id=new_id(), transfer_id=transfer_id, reason="its holder came"
            )
        )

    def day(self) -> date:
        """The ledger's day that it is."""
        return days.day_of(self.clock.now())

    def night(self) -> None:
        """The day passes: it is closed and has its statements; the clock stands at the same hour of the
        next.
        """
        self.close_day()
        self.clerk.catch_up()

    def close_day(self) -> None:
        """A night without statements."""
        self.clock.advance(timedelta(days=1))
        with self.database.transaction() as connection:
            Closing(connection).close(days.closable(self.clock.now()), self.clock.now())

    def live_through(self, used: Mapping[str, npt.NDArray[np.float64]], until: date) -> None:
        """Write what locations used on the days up to ``until``, as if these days had been lived and closed.

        Rows of closed days only: the transfers behind them would be millions.
        """
        write_history(self.database, used, until, self.clock.now())


def write_history(
    database: Database, used: Mapping[str, npt.NDArray[np.float64]], until: date, now: datetime
) -> None:
    """Closed days with what each location used; NaN is a day without anything on the shelf."""
    length = len(next(iter(used.values())))
    first = until - timedelta(days=length - 1)
    each = [first + timedelta(days=k) for k in range(length)]
    accounts, rows = [], []
    for place, amounts in used.items():
        values = np.asarray(amounts, float)
        empty = np.isnan(values)
        total = 0
        for k, amount in enumerate(np.nan_to_num(values).astype(int).tolist()):
            if amount:
                total += amount
                rows.append(_row(f"{place}/consumed", each[k], total, amount))
            if k == 0 or empty[k] != empty[k - 1]:
                rows.append(_row(f"{place}/on-hand", each[k], 0 if empty[k] else 1, 0))
        accounts += [
            {
                "code": f"{place}/{condition}",
                "place": place,
                "item": "blank",
                "condition": condition,
                "balance": 0,
            }
            for condition in ("consumed", "on-hand")
        ]
    with database.transaction() as connection:
        connection.execute(
            sa.insert(tables.ledger_day),
            [
                {"day": day, "floor_entry": 0, "last_entry": 0, "transfers": 0, "close_time": now}
                for day in each
            ],
        )
        connection.execute(sa.insert(tables.account), accounts)
        connection.execute(sa.insert(tables.account_day), rows)


def _row(code: str, day: date, balance: int, added: int) -> dict[str, object]:
    return {"code": code, "day": day, "balance": balance, "added": added, "removed": 0}
