"""The RPCs of import and export: message → store → message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1 import exchange_pb2_grpc

from services.common import paging
from services.inventory import messages
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, day_or_none, token
from services.inventory.desk import Desk
from services.inventory.exchange import delivery_notes, importing
from services.inventory.exchange.delivery_notes import LineFault
from services.inventory.exchange.store import BalanceRow, ExchangeStore, MovementRow, Span, UsedBlank
from services.inventory.ledger import days
from services.inventory.location import CENTRE, parse

#: Who may call what.
ALLOW = {
    "ImportDeliveryNotes": OPERATORS,
    "ExportMovements": OPERATORS,
    "ExportBalances": OPERATORS,
    "ListUsedBlanks": READERS,
}


class _NothingBookedError(Exception):
    """Rolls the transaction of an import back; carries its answer."""

    def __init__(self, answer: pb.ImportDeliveryNotesResponse) -> None:
        super().__init__("nothing was booked")
        self.answer = answer


class ExchangeService(Adapter, exchange_pb2_grpc.ExchangeServiceServicer):
    """Adapter between the contract and import and export."""

    def ImportDeliveryNotes(
        self, request: pb.ImportDeliveryNotesRequest, context: grpc.ServicerContext
    ) -> pb.ImportDeliveryNotesResponse:
        """Takes the lots of a CSV file into stock, all or none."""
        lines, faults = delivery_notes.parse(request.csv)
        answer = pb.ImportDeliveryNotesResponse(
            lines=len(lines), blanks=sum(len(line.serials) for line in lines), faults=map(_fault, faults)
        )

        def work(desk: Desk) -> tuple[pb.ImportDeliveryNotesResponse, str]:
            # A line that contradicts another is told so once, and not of what the other would have booked.
            known = {fault.line for fault in faults}
            lots, refused = importing.book(desk, [line for line in lines if line.line not in known])
            answer.ClearField("faults")
            answer.faults.extend(
                _fault(each) for each in sorted([*faults, *refused], key=lambda each: each.line)
            )
            if answer.faults or request.dry_run:
                raise _NothingBookedError(answer)
            answer.ClearField("lots")
            answer.lots.extend(messages.lot(lot) for lot in lots)
            return answer, f"lots/{len(lots)}"

        try:
            return self._book(context, request, pb.ImportDeliveryNotesResponse, work)
        except _NothingBookedError as nothing:
            return nothing.answer

    def ExportMovements(
        self, request: pb.ExportMovementsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportMovementsResponse]:
        """Sends lines of the ledger."""
        span = _span(request)
        with self._read() as store:
            for part in ExchangeStore(store.connection).movements(span):
                yield pb.ExportMovementsResponse(movements=map(_movement, part))

    def ExportBalances(
        self, request: pb.ExportBalancesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportBalancesResponse]:
        """Sends balances of closed days."""
        span = _span(request)
        with self._read() as store:
            for part in ExchangeStore(store.connection).balances(span):
                yield pb.ExportBalancesResponse(balances=map(_balance, part))

    def ListUsedBlanks(
        self, request: pb.ListUsedBlanksRequest, context: grpc.ServicerContext
    ) -> pb.ListUsedBlanksResponse:
        """Lists blanks that became cards or were spoiled."""
        span = Span(
            parse(request.location or CENTRE, "location"),
            first=day_or_none(request.first_day, "first_day"),
            last=day_or_none(request.last_day, "last_day"),
        )
        with self._read() as store:
            page = ExchangeStore(store.connection).used_blanks(
                span, after(request.page_token), paging.page_size(request.page_size)
            )
        return pb.ListUsedBlanksResponse(blanks=map(_used, page.items), next_page_token=token(page))


def _span(request: pb.ExportMovementsRequest | pb.ExportBalancesRequest) -> Span:
    return Span(
        parse(request.location or CENTRE, "location"),
        request.item,
        day_or_none(request.first_day, "first_day"),
        day_or_none(request.last_day, "last_day"),
    )


def _fault(value: LineFault) -> pb.LineFault:
    return pb.LineFault(line=value.line, column=value.column, problem=value.problem, remedy=value.remedy)


def _movement(row: MovementRow) -> pb.Movement:
    return pb.Movement(
        entry=row.entry,
        transfer_id=row.transfer_id,
        kind=row.kind,
        subject=row.subject,
        item=row.source.item,
        from_account=row.source.code,
        to_account=row.target.code,
        quantity=row.quantity,
        first_serial=row.first_serial,
        last_serial=row.last_serial,
        reason=row.reason,
        book_time=_timestamp(row.book_time),
        event_time=_timestamp(row.event_time) if row.event_time else None,
        reverses=row.reverses or "",
    )


def _balance(row: BalanceRow) -> pb.DayBalance:
    return pb.DayBalance(
        day=row.day.isoformat(),
        location=row.account.place,
        item=row.account.item,
        condition=row.account.condition,
        added=row.added,
        removed=row.removed,
        balance=row.balance,
    )


def _used(value: UsedBlank) -> pb.UsedBlank:
    return pb.UsedBlank(
        serial=value.serial,
        location=value.location,
        spoiled=value.spoiled,
        chip_uid=value.chip_uid,
        purpose=value.purpose,
        day=days.day_of(value.time).isoformat(),
        time=_timestamp(value.time),
        withdrawn=value.withdrawn,
    )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
