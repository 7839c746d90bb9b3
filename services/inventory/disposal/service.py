"""The RPCs of spoilage and destruction: message → spoilage office → message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc
from tunggal.inventory.v1 import spoilage_pb2 as pb
from tunggal.inventory.v1 import spoilage_pb2_grpc

from services.common import paging
from services.common.db import Database
from services.common.moments import moment, timestamp
from services.inventory import messages
from services.inventory.adapter import (
    CARD_STATIONS,
    OPERATORS,
    READERS,
    Adapter,
    after,
    by_number,
    ranges,
    token,
)
from services.inventory.desk import Desk
from services.inventory.disposal import spoilage as spoilages
from services.inventory.disposal import tables
from services.inventory.disposal.office import SpoilageOffice
from services.inventory.disposal.scrap import stale
from services.inventory.disposal.spoilage import (
    Destruction,
    DestructionState,
    Review,
    Spoilage,
    SpoilageState,
)
from services.inventory.disposal.store import DisposalStore
from services.inventory.goods import Goods
from services.inventory.journal import Journal
from services.inventory.location import parse
from services.inventory.statement.keys import SigningKeys
from services.inventory.statement.signing import Signer
from services.inventory.store import Store

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "SpoilStock": OPERATORS,
    # Of cards the station tells what its second person said.
    "ReviewSpoilage": CARD_STATIONS,
    "ListSpoilage": READERS,
    "PrepareDestruction": OPERATORS,
    "WitnessDestruction": OPERATORS,
    "WithdrawDestruction": OPERATORS,
    "GetDestruction": READERS,
    "ListDestructions": READERS,
}
_STATES = {
    SpoilageState.BOOKED: pb.SPOILAGE_STATE_BOOKED,
    SpoilageState.ACCEPTED: pb.SPOILAGE_STATE_ACCEPTED,
    SpoilageState.QUESTIONED: pb.SPOILAGE_STATE_QUESTIONED,
    SpoilageState.REVERSED: pb.SPOILAGE_STATE_REVERSED,
}
_BY_NUMBER = by_number(_STATES)


class SpoilageService(Adapter, spoilage_pb2_grpc.SpoilageServiceServicer):
    """Adapter between the contract of this service and the spoilage office."""

    def __init__(self, database: Database, journal: Journal, signer: Signer) -> None:
        super().__init__(database, journal)
        self._signer = signer

    def SpoilStock(
        self, request: pb.SpoilStockRequest, context: grpc.ServicerContext
    ) -> pb.SpoilStockResponse:
        """Books free stock as spoiled."""

        def work(desk: Desk) -> tuple[pb.SpoilStockResponse, str]:
            booked = SpoilageOffice(desk, self._signer).spoil(
                _goods(request), request.reason, moment(request, "event_time"), request.operator
            )
            return pb.SpoilStockResponse(spoilage=_spoilage(booked, {})), f"spoilage/{booked.spoilage_id}"

        return self._book(context, request, pb.SpoilStockResponse, work)

    def ReviewSpoilage(
        self, request: pb.ReviewSpoilageRequest, context: grpc.ServicerContext
    ) -> pb.ReviewSpoilageResponse:
        """Reviews a spoilage as a second person."""

        def work(desk: Desk) -> tuple[pb.ReviewSpoilageResponse, str]:
            reviewed = SpoilageOffice(desk, self._signer).review(
                request.spoilage_id, request.accepted, request.review, request.operator
            )
            known = DisposalStore(desk.store.connection).reviews_of([reviewed.spoilage_id])
            answer = pb.ReviewSpoilageResponse(spoilage=_spoilage(reviewed, known))
            return answer, f"spoilage/{reviewed.spoilage_id}"

        return self._book(context, request, pb.ReviewSpoilageResponse, work)

    def ListSpoilage(
        self, request: pb.ListSpoilageRequest, context: grpc.ServicerContext
    ) -> pb.ListSpoilageResponse:
        """Lists spoilage in order of entry."""
        columns = tables.spoilage.c
        wanted = [columns.location == parse(request.location, "location")] if request.location else []
        wanted += [columns.state == _BY_NUMBER[request.state]] if request.state else []
        with self._read() as store:
            known = DisposalStore(store.connection)
            page = known.spoilages.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
            reviews = known.reviews_of([each.spoilage_id for each in page.items])
        return pb.ListSpoilageResponse(
            spoilage=[_spoilage(each, reviews) for each in page.items], next_page_token=token(page)
        )

    def PrepareDestruction(
        self, request: pb.PrepareDestructionRequest, context: grpc.ServicerContext
    ) -> pb.PrepareDestructionResponse:
        """Writes down what is to be destroyed."""

        def work(desk: Desk) -> tuple[pb.PrepareDestructionResponse, str]:
            made = SpoilageOffice(desk, self._signer).prepare(
                _goods(request), request.method, request.operator
            )
            answer = pb.PrepareDestructionResponse(destruction=self._destruction(made, desk.store))
            return answer, f"destructions/{made.destruction_id}"

        return self._book(context, request, pb.PrepareDestructionResponse, work)

    def WitnessDestruction(
        self, request: pb.WitnessDestructionRequest, context: grpc.ServicerContext
    ) -> pb.WitnessDestructionResponse:
        """Books as destroyed what the caller saw destroyed."""

        def work(desk: Desk) -> tuple[pb.WitnessDestructionResponse, str]:
            seen = SpoilageOffice(desk, self._signer).witness(
                request.destruction_id, request.prepared_sha256, request.operator
            )
            answer = pb.WitnessDestructionResponse(destruction=self._destruction(seen, desk.store))
            return answer, f"destructions/{seen.destruction_id}"

        return self._book(context, request, pb.WitnessDestructionResponse, work)

    def WithdrawDestruction(
        self, request: pb.WithdrawDestructionRequest, context: grpc.ServicerContext
    ) -> pb.WithdrawDestructionResponse:
        """Lets a prepared destruction go."""

        def work(desk: Desk) -> tuple[pb.WithdrawDestructionResponse, str]:
            gone = SpoilageOffice(desk, self._signer).withdraw(
                request.destruction_id, request.reason, request.operator
            )
            answer = pb.WithdrawDestructionResponse(destruction=self._destruction(gone, desk.store))
            return answer, f"destructions/{gone.destruction_id}"

        return self._book(context, request, pb.WithdrawDestructionResponse, work)

    def GetDestruction(
        self, request: pb.GetDestructionRequest, context: grpc.ServicerContext
    ) -> pb.GetDestructionResponse:
        """Reads a destruction."""
        with self._read() as store:
            found = DisposalStore(store.connection).destructions.get(request.destruction_id)
            if found is None:
                raise spoilages.unknown_destruction(request.destruction_id)
            return pb.GetDestructionResponse(destruction=self._destruction(found, store, stale(store, found)))

    def ListDestructions(
        self, request: pb.ListDestructionsRequest, context: grpc.ServicerContext
    ) -> pb.ListDestructionsResponse:
        """Lists destructions in order of entry."""
        columns = tables.destruction.c
        wanted = [columns.location == parse(request.location, "location")] if request.location else []
        wanted += [columns.state == DestructionState.PREPARED] if request.prepared_only else []
        with self._read() as store:
            page = DisposalStore(store.connection).destructions.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
            found = [self._destruction(each, store, stale(store, each)) for each in page.items]
        return pb.ListDestructionsResponse(destructions=found, next_page_token=token(page))

    def _destruction(self, value: Destruction, store: Store, stale: str = "") -> pb.Destruction:
        return pb.Destruction(
            destruction_id=value.destruction_id,
            location=value.location,
            item=value.item,
            quantity=value.quantity,
            serials=map(messages.serial_range, value.ranges),
            method=value.method,
            prepared_by=value.prepared_by,
            prepare_time=timestamp(value.prepare_time),
            witnessed_by=value.witnessed_by or "",
            witness_time=timestamp(value.witness_time),
            protocol=value.protocol,
            signature=value.signature or b"",
            key_id=value.key_id,
            public_key=SigningKeys(store.connection).public_pem(value.key_id, self._signer),
            prepared=value.prepared,
            prepared_sha256=value.prepared_sha256,
            withdrawn_by=value.withdrawn_by or "",
            withdraw_time=timestamp(value.withdraw_time),
            withdraw_reason=value.withdraw_reason,
            stale=stale,
        )


def _goods(request: pb.SpoilStockRequest | pb.PrepareDestructionRequest) -> Goods:
    return Goods(parse(request.location, "location"), request.item, request.quantity, ranges(request.serials))


def _spoilage(value: Spoilage, reviews: Mapping[str, Sequence[Review]]) -> pb.Spoilage:
    return pb.Spoilage(
        spoilage_id=value.spoilage_id,
        location=value.location,
        item=value.item,
        quantity=value.quantity,
        reason=value.reason,
        state=_STATES[value.state],
        booked_by=value.person,
        time=timestamp(value.at),
        reviewed_by=value.reviewed_by or "",
        review_time=timestamp(value.review_time),
        review=value.review,
        reviews=map(_review, reviews.get(value.spoilage_id, ())),
    )


def _review(value: Review) -> pb.SpoilageReview:
    return pb.SpoilageReview(
        state=_STATES[value.state],
        reviewed_by=value.person,
        time=timestamp(value.at),
        review=value.review,
    )
