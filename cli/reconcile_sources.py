"""What inventory, cardperso and enroll each say of the cards of a region and some days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.cardperso.v1 import reconciliation_pb2 as cardperso_pb2
from tunggal.cardperso.v1.reconciliation_pb2_grpc import ReconciliationServiceStub as CardPersoStub
from tunggal.enroll.v1 import reconciliation_pb2 as enroll_pb2
from tunggal.enroll.v1.reconciliation_pb2_grpc import ReconciliationServiceStub as EnrollStub
from tunggal.inventory.v1 import reconciliation_pb2 as inventory_pb2
from tunggal.inventory.v1 import stock_pb2
from tunggal.inventory.v1.reconciliation_pb2_grpc import ReconciliationServiceStub as InventoryStub

from cli.cards_told import Consumed, Found, Issued, Personalized, PutAside, Scope, Told, day_of
from services.inventory.ledger import days

#: What a blank is whose waste the inventory knows of: it waits for the fire, is on its way there, or burned.
_SPOILED = frozenset(
    {stock_pb2.BLANK_STATE_SPOILED, stock_pb2.BLANK_STATE_CONVEYED, stock_pb2.BLANK_STATE_DESTROYED}
)
#: A service that was started anew meanwhile is asked on from where it was cut off.
_TRIES = 3


class Services:
    """The three services over their channels, about one scope."""

    def __init__(
        self, stock: grpc.Channel, station: grpc.Channel, people: grpc.Channel, scope: Scope
    ) -> None:
        self._stock = InventoryStub(stock)
        self._station = CardPersoStub(station)
        self._people = EnrollStub(people)
        self._scope = scope

    def cards(self) -> Told:
        """Cardperso is asked first and inventory last: before cardperso calls a card finished, enroll has
        booked it, and the inventory before that.
        """
        chips = cardperso_pb2.ListPersonalizedChipsRequest(**self._span())
        # A site has no records of its own: they are its regency's.
        records = enroll_pb2.ListCardRecordsRequest(**self._span(self._scope.region.partition(":")[0]))
        blanks = inventory_pb2.ListConsumedBlanksRequest(**self._span())
        return Told(
            map(_personalized, resumed(self._station.ListPersonalizedChips, chips, "chips")),
            map(_issued, resumed(self._people.ListCardRecords, records, "records")),
            map(_consumed, resumed(self._stock.ListConsumedBlanks, blanks, "blanks")),
        )

    def find(self, chip_uids: list[str]) -> Found:
        """See the protocol. Enroll says in one answer which records have cards and which are on loan."""
        answer = self._find_chips(chip_uids)
        awaited = {chip.record_id for chip in answer.chips if chip.step == cardperso_pb2.CARD_STEP_BOOK}
        blanks = self._stock.FindConsumedBlanks(
            inventory_pb2.FindConsumedBlanksRequest(chip_uids=chip_uids)
        ).blanks
        books = self._people.FindCardRecords(
            enroll_pb2.FindCardRecordsRequest(chip_uids=chip_uids, record_ids=sorted(filter(None, awaited)))
        )
        told = Told(map(_personalized, answer.chips), map(_issued, books.records), map(_consumed, blanks))
        loans = frozenset((loan.record_id, loan.claimant) for loan in books.loans)
        return Found(told, loans, answer.read_time.seconds, answer.patience.ToTimedelta().total_seconds())

    def jobs(self, chip_uids: list[str]) -> Iterator[Personalized]:
        """See the protocol."""
        return map(_personalized, self._find_chips(chip_uids).chips)

    def put_aside(self) -> Iterator[PutAside]:
        """Blanks that jobs have spoiled, and whether the inventory has them as such."""
        request = cardperso_pb2.ListSpoiledBlanksRequest(**self._span())
        spoiled = (each for part in self._station.ListSpoiledBlanks(request) for each in part.blanks)
        while part := list(islice(spoiled, 1000)):
            serials = sorted({each.serial for each in part})
            answer = self._stock.FindBlanks(inventory_pb2.FindBlanksRequest(serials=serials))
            booked = {each.serial for each in answer.blanks if each.state in _SPOILED}
            for each in part:
                yield PutAside(
                    each.job_id,
                    each.serial,
                    each.location,
                    day_of(each.time.seconds),
                    each.accepted,
                    each.serial in booked,
                    each.errand,
                    each.under_way,
                )

    def _find_chips(self, chip_uids: list[str]) -> cardperso_pb2.FindPersonalizedChipsResponse:
        request = cardperso_pb2.FindPersonalizedChipsRequest(chip_uids=chip_uids)
        return self._station.FindPersonalizedChips(request)

    def _span(self, region: str | None = None) -> dict[str, Any]:
        """The fields of a request that ask for the scope."""
        scope = self._scope
        span: dict[str, Any] = {"location": scope.region if region is None else region}
        if scope.first is not None:
            span["start_time"] = Timestamp()
            span["start_time"].FromDatetime(days.start_of(scope.first))
        if scope.last is not None:
            span["end_time"] = Timestamp()
            span["end_time"].FromDatetime(days.end_of(scope.last))
        return span


def resumed(call: Callable[[Any], Any], request: Any, field: str) -> Iterator[Any]:
    """What a stream sends, and the rest of it from a second one where the first was cut off."""
    failures = 0
    while True:
        try:
            for part in call(request):
                found = getattr(part, field)
                yield from found
                request.after, failures = found[-1].chip_uid, 0
        except grpc.RpcError as error:
            failures += 1
            if error.code() is not grpc.StatusCode.UNAVAILABLE or failures == _TRIES:
                raise
        else:
            return


def _consumed(blank: inventory_pb2.ConsumedBlank) -> Consumed:
    return Consumed(blank.chip_uid, blank.serial, blank.location, blank.time.seconds, blank.withdrawn)


def _personalized(chip: cardperso_pb2.PersonalizedChip) -> Personalized:
    return Personalized(
        chip.chip_uid,
        chip.job_id,
        chip.serial,
        chip.location,
        chip.record_id,
        chip.time.seconds,
        chip.finished,
        chip.jobs,
        chip.step,
        chip.version,
        chip.void_time.seconds,
    )


def _issued(record: enroll_pb2.CardRecord) -> Issued:
    return Issued(record.chip_uid, record.record_id, record.region, record.time.seconds)
