"""The RPCs of cards that come back: message → withdrawal office → message."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from tunggal.inventory.v1 import withdrawals_pb2 as pb
from tunggal.inventory.v1 import withdrawals_pb2_grpc

from services.common import paging
from services.common.moments import moment, timestamp
from services.common.regions import in_region
from services.inventory import messages
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, by_number, token
from services.inventory.desk import Desk
from services.inventory.disposal import tables
from services.inventory.disposal.store import DisposalStore
from services.inventory.disposal.withdrawal import Cause, Withdrawal
from services.inventory.disposal.withdrawal_office import WithdrawalOffice, whereabouts
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account
from services.inventory.location import CENTRE, parse

#: Who may call what: SPIFFE paths by method.
ALLOW = {"WithdrawCard": OPERATORS, "ListWithdrawals": READERS}
_CAUSES = {
    Cause.VOID: pb.WITHDRAWAL_CAUSE_VOID,
    Cause.REPLACED: pb.WITHDRAWAL_CAUSE_REPLACED,
    Cause.DECEASED: pb.WITHDRAWAL_CAUSE_DECEASED,
    Cause.FOUND: pb.WITHDRAWAL_CAUSE_FOUND,
}
_BY_NUMBER = by_number(_CAUSES)


class WithdrawalService(Adapter, withdrawals_pb2_grpc.WithdrawalServiceServicer):
    """Adapter between the contract of this service and the withdrawal office."""

    def WithdrawCard(
        self, request: pb.WithdrawCardRequest, context: grpc.ServicerContext
    ) -> pb.WithdrawCardResponse:
        """Takes a card that its holder had."""

        def work(desk: Desk) -> tuple[pb.WithdrawCardResponse, str]:
            taken = WithdrawalOffice(desk).withdraw(
                request.chip_uid,
                request.serial,
                parse(request.location, "location"),
                _BY_NUMBER[request.cause],
                request.note,
                moment(request, "event_time"),
                request.operator,
            )
            (answer,) = _withdrawals(desk.books, [taken])
            return pb.WithdrawCardResponse(withdrawal=answer), f"blanks/{taken.serial}"

        return self._book(context, request, pb.WithdrawCardResponse, work)

    def ListWithdrawals(
        self, request: pb.ListWithdrawalsRequest, context: grpc.ServicerContext
    ) -> pb.ListWithdrawalsResponse:
        """Lists withdrawals."""
        columns = tables.withdrawal.c
        region = parse(request.location or CENTRE, "location")
        wanted = [columns.cause == _BY_NUMBER[request.cause]] if request.cause else []
        wanted += in_region(columns.location, region)
        with self._read() as store:
            page = DisposalStore(store.connection).withdrawals.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
            found = _withdrawals(store.books, page.items)
        return pb.ListWithdrawalsResponse(withdrawals=found, next_page_token=token(page))


def _withdrawals(books: Books, taken: Sequence[Withdrawal]) -> list[pb.Withdrawal]:
    return [_withdrawal(each, held) for each, held in zip(taken, whereabouts(books, taken), strict=True)]


def _withdrawal(taken: Withdrawal, held: Account) -> pb.Withdrawal:
    return pb.Withdrawal(
        withdrawal_id=taken.withdrawal_id,
        serial=taken.serial,
        chip_uid=taken.chip_uid,
        made_at=taken.made_at,
        location=taken.location,
        cause=_CAUSES[taken.cause],
        note=taken.note,
        taken_by=taken.taken_by,
        event_time=timestamp(taken.event_time),
        book_time=timestamp(taken.book_time),
        transfer_id=taken.transfer_id,
        state=messages.blank_state(held.condition),
        held_at=held.place,
    )
