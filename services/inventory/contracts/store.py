"""The SQL of contracts, over one open transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.inventory import tables
from services.inventory.contracts import contract as contracts
from services.inventory.contracts import tables as contract_tables
from services.inventory.contracts.contract import (
    Change,
    ChangeKind,
    ChangeState,
    Contract,
    ContractKind,
    ContractState,
    Due,
)
from services.inventory.contracts.delivery import ReversedLot, Supply
from services.inventory.contracts.entitlement import Use
from services.inventory.contracts.exit_register import ExitItem, ExitKind, ExitState
from services.inventory.ledger import days
from services.inventory.ledger.entries import Account, Condition, Kind
from services.inventory.records import Column, Page, Records, insert_new, one_more, paged

_contract, _due, _event = (
    contract_tables.contract,
    contract_tables.contract_delivery,
    contract_tables.contract_event,
)
_attachment, _use = contract_tables.contract_attachment, contract_tables.licence_use


_MAP = Column(json.dumps, json.loads)


class ContractStore:
    """What is known of contracts."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.changes: Records[Change] = Records(
            connection,
            contract_tables.contract_change,
            Change,
            "change_id",
            {"kind": ChangeKind, "state": ChangeState, "terms": _MAP, "terms_before": _MAP},
        )
        self.exit_items: Records[ExitItem] = Records(
            connection,
            contract_tables.exit_item,
            ExitItem,
            "contract_id",
            {"kind": ExitKind, "state": ExitState},
        )
        self.reversed_lots: Records[ReversedLot] = Records(
            connection, contract_tables.reversed_lot, ReversedLot, "lot_id"
        )
        self.supplies: Records[Supply] = Records(connection, contract_tables.supply, Supply, "supply_id")

    def add(self, contract: Contract) -> bool:
        """Add a contract; ``False`` when its number is taken."""
        return insert_new(self.connection, _contract.c.contract_id, **_row(contract))

    def save(self, contract: Contract) -> None:
        """Keep the terms and the state of a locked contract."""
        row = _row(contract)
        key = row.pop("contract_id")
        self.connection.execute(sa.update(_contract).where(_contract.c.contract_id == key).values(**row))

    def find(self, contract_id: str) -> Contract | None:
        """The contract with what is outstanding at this moment."""
        row = self.connection.execute(_contracts().where(_contract.c.contract_id == contract_id)).first()
        return None if row is None else _to_contract(row)

    def locked(self, contract_id: str, field: str = "contract_id") -> Contract:
        """The contract, which nobody else changes before the transaction ends; raises :class:`NotFound`."""
        lock = sa.select(_contract.c.entry).where(_contract.c.contract_id == contract_id).with_for_update()
        self.connection.execute(lock)
        found = self.find(contract_id)
        if found is None:
            raise contracts.unknown(contract_id, field)
        return found

    def page(self, after: int, limit: int, *conditions: sa.ColumnElement[bool]) -> Page[Contract]:
        """Contracts in order of entry."""
        rows = one_more(self.connection, _contracts().where(*conditions), _contract, after, limit)
        return paged(rows, [_to_contract(row) for row in rows], limit)

    def in_force(self, kinds: Iterable[ContractKind]) -> list[Contract]:
        """All active contracts of these kinds, in order of entry."""
        query = _contracts().where(
            _contract.c.state == ContractState.ACTIVE, _contract.c.kind.in_(list(kinds))
        )
        return [_to_contract(row) for row in self.connection.execute(query.order_by(_contract.c.entry))]

    def signed(self, kinds: Iterable[ContractKind]) -> list[Contract]:
        """All contracts of these kinds that came further than a draft, in order of entry."""
        query = _contracts().where(
            _contract.c.state != ContractState.DRAFT, _contract.c.kind.in_(list(kinds))
        )
        return [_to_contract(row) for row in self.connection.execute(query.order_by(_contract.c.entry))]

    def ever_signed(self, kinds: Iterable[ContractKind]) -> bool:
        """Whether any contract of these kinds came further than a draft, whatever became of it."""
        query = sa.select(_contract.c.entry).where(
            _contract.c.state != ContractState.DRAFT, _contract.c.kind.in_(list(kinds))
        )
        return self.connection.scalar(query.limit(1)) is not None

    def successors(self, contract_id: str) -> list[str]:
        """Numbers of the contracts that follow this one."""
        query = sa.select(_contract.c.contract_id).where(_contract.c.succeeds == contract_id)
        return list(self.connection.scalars(query.order_by(_contract.c.entry)))

    def changes_of(self, contract_id: str) -> list[Change]:
        """Steps proposed for a contract, oldest first."""
        return self.changes.where(contract_tables.contract_change.c.contract_id == contract_id)

    def supplies_of(self, contract_id: str) -> list[Supply]:
        """Deliveries without serials under a contract, oldest first, those that were taken back with them."""
        return self.supplies.where(contract_tables.supply.c.contract_id == contract_id)

    def booked(self, supply: Supply, owed: Account) -> str:
        """The transfer that took a supply into stock from what was ``owed``; empty once it was taken back."""
        transfer, line, opposite = tables.transfer, tables.line, tables.transfer.alias("opposite")
        query = (
            sa.select(transfer.c.transfer_id)
            .join_from(line, transfer, line.c.entry == transfer.c.entry)
            .outerjoin(opposite, opposite.c.reverses == transfer.c.transfer_id)
            .where(
                line.c.source == owed.code,
                transfer.c.subject == supply.supply_id,
                transfer.c.kind == Kind.SUPPLY_RECEIVED,
                opposite.c.entry.is_(None),
            )
        )
        return self.connection.scalar(query) or ""

    def reversed_lots_of(self, contract_id: str) -> list[ReversedLot]:
        """Lots of a contract whose receipt was taken back, oldest first."""
        return self.reversed_lots.where(contract_tables.reversed_lot.c.contract_id == contract_id)

    def taken_back(self, serial: int) -> date | None:
        """The day on which the receipt of the last lot with this serial was taken back."""
        gone = contract_tables.reversed_lot.c
        query = sa.select(gone.reverse_time).where(gone.first <= serial, serial <= gone.last)
        at = self.connection.scalar(query.order_by(gone.entry.desc()).limit(1))
        return None if at is None else days.day_of(at)

    def set_dues(self, contract_id: str, dues: Sequence[Due]) -> None:
        """Replace the deliveries that are due."""
        self.connection.execute(sa.delete(_due).where(_due.c.contract_id == contract_id))
        if dues:
            rows = [{"contract_id": contract_id, "due": due.day, "quantity": due.quantity} for due in dues]
            self.connection.execute(sa.insert(_due), rows)

    def dues(self, contract_id: str) -> list[Due]:
        """The deliveries that are due, by date."""
        return self.dues_of([contract_id])[contract_id]

    def dues_of(self, contract_ids: Sequence[str]) -> dict[str, list[Due]]:
        """The deliveries that are due under each of these contracts, by date."""
        found: dict[str, list[Due]] = {contract_id: [] for contract_id in contract_ids}
        query = sa.select(_due).where(_due.c.contract_id.in_(contract_ids)).order_by(_due.c.due, _due.c.entry)
        for row in self.connection.execute(query):
            found[row.contract_id].append(Due(row.due, row.quantity))
        return found

    def tell(self, contract_id: str, kind: str, person: str, reason: str, at: datetime) -> None:
        """Append to the history of a contract."""
        row = {"contract_id": contract_id, "kind": kind, "person": person, "reason": reason, "at": at}
        self.connection.execute(sa.insert(_event), row)

    def history(self, contract_id: str) -> list[sa.Row[Any]]:
        """What happened to a contract, oldest first: kind, person, reason, at."""
        query = sa.select(_event).where(_event.c.contract_id == contract_id).order_by(_event.c.entry)
        return list(self.connection.execute(query))

    def attach(self, contract_id: str, sha256: str, name: str, size: int, person: str, at: datetime) -> None:
        """Attach a document by its hash; attached twice is attached once."""
        known = sa.select(_attachment.c.entry).where(
            _attachment.c.contract_id == contract_id, _attachment.c.sha256 == sha256
        )
        if self.connection.execute(known).first() is None:
            self.connection.execute(
                sa.insert(_attachment),
                {
                    "contract_id": contract_id,
                    "sha256": sha256,
                    "name": name,
                    "size": size,
                    "person": person,
                    "at": at,
                },
            )

    def attachments(self, contract_id: str) -> list[sa.Row[Any]]:
        """Attached documents, oldest first: sha256, name, size, person, at."""
        query = sa.select(_attachment).where(_attachment.c.contract_id == contract_id)
        return list(self.connection.execute(query.order_by(_attachment.c.entry)))

    def report_use(self, people: int, at: datetime) -> None:
        """Keep how many people the ABIS has; of one day the newest word stays."""
        insert = postgresql.insert if self.connection.dialect.name == "postgresql" else sqlite.insert
        new = insert(_use).values(day=days.day_of(at), people=people, time=at)
        changed = {"people": new.excluded.people, "time": new.excluded.time}
        self.connection.execute(
            new.on_conflict_do_update(
                index_elements=["day"], set_=changed, where=_use.c.time <= new.excluded.time
            )
        )

    def use(self) -> Use | None:
        """What the ABIS last reported; ``None`` before it did."""
        row = self.connection.execute(sa.select(_use).order_by(_use.c.day.desc()).limit(1)).first()
        return None if row is None else Use(row.people, row.time)

    def exit_register(self, contract_id: str) -> list[ExitItem]:
        """Everything ever said of what the vendor leaves behind, oldest first."""
        return self.exit_items.where(contract_tables.exit_item.c.contract_id == contract_id)


def _row(contract: Contract) -> dict[str, Any]:
    row = asdict(contract)
    del row["outstanding"], row["promised"]
    return row


def _contracts() -> sa.Select[Any]:
    """Contracts with what the ledger has as promised and as outstanding."""
    promised, owed = tables.account.alias("promised"), tables.account.alias("owed")
    joined: sa.FromClause = _contract
    for side, condition in ((promised, Condition.CONTRACTED), (owed, Condition.OUTSTANDING)):
        of_contract = sa.and_(side.c.place == _contract.c.contract_id, side.c.condition == condition)
        joined = joined.outerjoin(side, of_contract)
    return sa.select(
        _contract,
        (-sa.func.coalesce(promised.c.balance, 0)).label("promised"),
        sa.func.coalesce(owed.c.balance, 0).label("outstanding"),
    ).select_from(joined)


def _to_contract(row: sa.Row[Any]) -> Contract:
    return Contract(
        contract_id=row.contract_id,
        supplier=row.supplier,
        quantity=row.quantity,
        create_time=row.create_time,
        outstanding=row.outstanding,
        promised=row.promised,
        kind=ContractKind(row.kind),
        state=ContractState(row.state),
        item=row.item,
        currency=row.currency,
        price=row.price,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        max_people=row.max_people,
        max_searches_per_day=row.max_searches_per_day,
        succeeds=row.succeeds,
    )
