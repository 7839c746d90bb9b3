"""The RPCs of import and export: message → store → message."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1 import exchange_pb2_grpc

from services.common import paging
from services.common.moments import timestamp
from services.inventory import messages
from services.inventory.adapter import (
    OPERATORS,
    READERS,
    Adapter,
    after_moment,
    days_between,
    token_of_moment,
)
from services.inventory.desk import Desk
from services.inventory.exchange import delivery_file, delivery_notes, importing
from services.inventory.exchange.delivery_notes import MOST_FILE_LINES, DeliveryLine
from services.inventory.exchange.store import BalanceRow, ExchangeStore, MovementRow, Span, UsedBlank
from services.inventory.ledger import days
from services.inventory.location import CENTRE, parse

#: Who may call what.
ALLOW = {
    "ImportDeliveryNotes": OPERATORS,
    "ImportDeliveryFile": OPERATORS,
    "ExportMovements": OPERATORS,
    "ExportBalances": OPERATORS,
    "ListUsedBlanks": READERS,
}


class ExchangeService(Adapter, exchange_pb2_grpc.ExchangeServiceServicer):
    """Adapter between the contract and import and export."""

    def ImportDeliveryNotes(
        self, request: pb.ImportDeliveryNotesRequest, context: grpc.ServicerContext
    ) -> pb.ImportDeliveryNotesResponse:
        """Takes the lots of a CSV file into stock, all or none."""
        parsed = delivery_notes.parse(request.csv)
        answer = pb.ImportDeliveryNotesResponse(
            lines=len(parsed.lines), blanks=sum(len(line.serials) for line in parsed.lines)
        )

        def work(desk: Desk) -> tuple[pb.ImportDeliveryNotesResponse, str]:
            checked = importing.check(desk.store, parsed, resumed=False)
            if checked.faults:
                raise importing.RefusedError(*checked.faults)
            lots = importing.book(desk, checked.fresh)
            answer.ClearField("lots")
            answer.lots.extend(messages.lot(lot) for lot in lots)
            return answer, f"lots/{len(lots)}"

        if request.dry_run:
            with self._read() as store:
                answer.faults.extend(
                    map(delivery_file.fault, importing.check(store, parsed, resumed=False).faults)
                )
            return answer
        try:
            return self._book(context, request, pb.ImportDeliveryNotesResponse, work)
        except importing.RefusedError as refused:
            answer.faults.extend(map(delivery_file.fault, refused.faults))
            return answer

    def ImportDeliveryFile(
        self, request_iterator: Iterator[pb.ImportDeliveryFileRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.ImportDeliveryFileResponse]:
        """Looks a file through, then takes the lots of one delivery note after the other into stock."""
        first, text = delivery_file.whole(request_iterator)
        parsed = delivery_notes.parse(text, MOST_FILE_LINES)
        with self._read() as store:
            checked = importing.check(store, parsed, resumed=True)
        told = pb.ImportDeliveryFileResponse(
            lines=len(parsed.lines),
            blanks=sum(len(line.serials) for line in parsed.lines),
            known_lines=len(checked.known),
        )
        yield from delivery_file.faults(checked.faults, told)
        if not checked.faults and not first.dry_run:
            for notes in importing.by_note(checked.fresh):
                if not context.is_active():
                    return
                try:
                    told.booked_lines += self._book_notes(context, first.request_id, notes)
                except importing.RefusedError as refused:
                    # Somebody has booked meanwhile what was not there when the file was looked through.
                    yield from delivery_file.faults(refused.faults, told)
                    break
                yield told
        yield told

    def _book_notes(self, context: grpc.ServicerContext, request_id: str, lines: list[DeliveryLine]) -> int:
        """Book some notes of a file as a file of their own; how many lines came into stock."""
        part = delivery_file.request_of(request_id, lines)

        def work(desk: Desk) -> tuple[pb.ImportDeliveryNotesResponse, str]:
            lots = importing.book(desk, lines, resumed=True)
            return pb.ImportDeliveryNotesResponse(lines=len(lots)), f"lots/{len(lots)}"

        return int(self._book(context, part, pb.ImportDeliveryNotesResponse, work).lines)

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
        first, last = days_between(request)
        span = Span(parse(request.location or CENTRE, "location"), first=first, last=last)
        with self._read() as store:
            blanks, behind = ExchangeStore(store.connection).used_blanks(
                span, after_moment(request.page_token), paging.page_size(request.page_size)
            )
        return pb.ListUsedBlanksResponse(blanks=map(_used, blanks), next_page_token=token_of_moment(behind))


def _span(request: pb.ExportMovementsRequest | pb.ExportBalancesRequest) -> Span:
    return Span(parse(request.location or CENTRE, "location"), request.item, *days_between(request))


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
        book_time=timestamp(row.book_time),
        event_time=timestamp(row.event_time) if row.event_time else None,
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
        time=timestamp(value.time),
        withdrawn=value.withdrawn,
    )
