"""Random histories with all that is taken back: lots, receipts, dispatches, cards from their holders."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from tunggal.inventory.v1 import (
    contracts_pb2,
    conveyances_pb2,
    ledger_pb2,
    movements_pb2,
    spoilage_pb2,
    stock_pb2,
    withdrawals_pb2,
)

from services.common.clock import FixedClock
from tests.inventory.histories import MovementHistory, live
from tests.inventory.histories_model import BLANKS, FEW, PLACES, spans
from tests.inventory.inventory_office import CENTRE, Office

MORE = "KTP-2018-01"


class CorrectionHistory(MovementHistory):
    """The movements, and the way back from each."""

    def __init__(self) -> None:
        super().__init__()
        self.chips = count(1)
        self.next_serial = BLANKS + 1
        self.lots: dict[str, list[int]] = {}
        self.withdrawn: dict[str, tuple[int, str, str]] = {}
        self.conveyed: dict[str, tuple[dict[int, str], str, str]] = {}

    @initialize()
    def sign_another(self) -> None:
        self.office.sign(10_000, MORE)

    @rule(quantity=FEW, again=st.booleans())
    def deliver_lot(self, quantity: int, again: bool) -> None:
        """Serials that were taken back may come again."""
        gone = [s for s in range(BLANKS + 1, self.next_serial) if s not in self.model.blanks]
        first = gone[0] if again and gone else self.next_serial
        last = first
        while last - first + 1 < quantity and last + 1 not in self.model.blanks:
            last += 1
        lot = self.office.deliver(first, last, MORE)
        self.next_serial = max(self.next_serial, last + 1)
        self.lots[lot.lot_id] = list(range(first, last + 1))
        self.model.put(self.lots[lot.lot_id], CENTRE, "on-hand")

    @rule(data=st.data())
    def take_a_lot_back(self, data: st.DataObject) -> None:
        if not self.lots:
            return
        lot_id = data.draw(st.sampled_from(sorted(self.lots)))
        change = self.office.do(
            contracts_pb2.ProposeChangeRequest,
            contract_id=MORE,
            kind=contracts_pb2.CHANGE_KIND_REVERSE_LOT,
            terms={"lot_id": lot_id},
            reason="typed wrong",
            operator="ani",
        ).change
        free = set(self.model.at(CENTRE, "on-hand"))
        refusal = None if set(self.lots[lot_id]) <= free else "LOT_MOVED_ON"
        request = contracts_pb2.ApproveChangeRequest
        if self.twice(refusal, request, change_id=change.change_id, operator="budi") is None:
            return
        for serial in self.lots.pop(lot_id):
            del self.model.blanks[serial]
        # What the lot brought cannot be reversed a second time by an older transfer of the same serials.
        self.moved = [one for one in self.moved if not one[3] or set(one[3]) <= self.model.blanks.keys()]

    @rule(source=PLACES, receiver=PLACES, quantity=FEW, receive=st.booleans(), data=st.data())
    def ship_and_take_back(
        self, source: str, receiver: str, quantity: int, receive: bool, data: st.DataObject
    ) -> None:
        free = self.model.at(source, "on-hand")
        if source == receiver or len(free) < quantity:
            return
        before = self.stock()
        allocation_id = self.office.allocate(source, receiver, quantity).allocation_id
        self.office.dispatch(allocation_id)
        if receive:
            lost = data.draw(st.integers(0, quantity))
            self.office.do(
                movements_pb2.ReceiveShipmentRequest,
                allocation_id=allocation_id,
                missing=movements_pb2.Parcel(serials=spans(free[:lost])),
                damaged=movements_pb2.Parcel(serials=spans(free[lost:quantity][:1])),
                operator="siti",
            )
            self.twice(
                None, movements_pb2.ReverseShipmentRequest, allocation_id=allocation_id, reason="miscounted"
            )
        self.twice(None, movements_pb2.ReverseShipmentRequest, allocation_id=allocation_id, reason="not sent")
        self.twice(
            "NOTHING_TO_REVERSE",
            movements_pb2.ReverseShipmentRequest,
            allocation_id=allocation_id,
            reason="once more",
        )
        self.office.cancel(allocation_id)
        assert self.stock() == before

    @rule(place=PLACES)
    def make_a_card(self, place: str) -> None:
        free = self.model.at(place, "on-hand")
        if free:
            held = self.office.reserve(place)
            assert held.serial == free[0]
            self.office.consume(held.reservation_id, f"04{next(self.chips):010X}")
            self.model.put(free[:1], place, "consumed")

    @rule(place=PLACES, serial=st.integers(1, BLANKS + 20))
    def a_card_comes_back(self, place: str, serial: int) -> None:
        where = self.model.blanks.get(serial)
        refusal = None
        if where is None:
            refusal = "BLANK_UNKNOWN"
        elif where[1] != "consumed":
            refusal = "CARD_NOT_OUT"
        answer = self.twice(
            refusal,
            withdrawals_pb2.WithdrawCardRequest,
            serial=serial,
            location=place,
            cause=withdrawals_pb2.WITHDRAWAL_CAUSE_FOUND,
            operator="siti",
        )
        if answer is not None and where is not None:
            self.withdrawn[answer.withdrawal.transfer_id] = (serial, where[0], place)
            self.booked[answer.withdrawal.transfer_id] = self.clock.now()
            self.model.put([serial], place, "withdrawn")

    @rule(data=st.data())
    def it_is_given_back(self, data: st.DataObject) -> None:
        if not self.withdrawn:
            return
        transfer_id = data.draw(st.sampled_from(sorted(self.withdrawn)))
        serial, home, place = self.withdrawn.pop(transfer_id)
        request, booked = ledger_pb2.ReverseTransferRequest, self.booked[transfer_id]
        if self.model.blanks[serial] == (place, "withdrawn"):
            self.take_back(None, booked, request, transfer_id=transfer_id)
            self.model.put([serial], home, "consumed")
            self.twice("REVERSED_BEFORE", request, transfer_id=transfer_id, reason="again")

    @rule(source=PLACES, furnace=PLACES, quantity=FEW)
    def scrap_is_sent(self, source: str, furnace: str, quantity: int) -> None:
        scrap = sorted(self.model.at(source, "spoiled") + self.model.at(source, "withdrawn"))[:quantity]
        if not scrap:
            return
        booked = self.office.send(spoilage_pb2.ListSpoilageRequest(state=spoilage_pb2.SPOILAGE_STATE_BOOKED))
        for one in booked.spoilage:
            self.office.do(
                spoilage_pb2.ReviewSpoilageRequest,
                spoilage_id=one.spoilage_id,
                accepted=True,
                review="seen",
                operator="budi",
            )
        answer = self.twice(
            "SAME_LOCATION" if source == furnace else None,
            conveyances_pb2.SendConveyanceRequest,
            from_location=source,
            to_location=furnace,
            item="blank",
            serials=spans(scrap),
            reason="furnace",
            operator="siti",
        )
        if answer is not None:
            was = {serial: self.model.blanks[serial][1] for serial in scrap}
            self.conveyed[answer.conveyance.conveyance_id] = (was, source, furnace)
            self.model.put(scrap, furnace, "conveyed")

    @rule(data=st.data(), returned=st.booleans())
    def some_of_it_arrives(self, data: st.DataObject, returned: bool) -> None:
        if not self.conveyed:
            return
        conveyance_id = list(self.conveyed)[data.draw(st.integers(0, len(self.conveyed) - 1))]
        was, source, furnace = self.conveyed[conveyance_id]
        arrived = sorted(serial for serial in was if data.draw(st.booleans())) or sorted(was)
        request = conveyances_pb2.ReceiveConveyanceRequest
        fields = {"conveyance_id": conveyance_id, "serials": spans(arrived), "returned": returned}
        self.twice("SECOND_PERSON_NEEDED", request, **fields, operator="siti")
        self.twice(None, request, **fields, operator="dewi")
        self.twice("NOT_ON_ITS_WAY", request, **fields, operator="dewi")
        for serial in arrived:
            self.model.put([serial], source if returned else furnace, was.pop(serial))
        if not was:
            del self.conveyed[conveyance_id]

    @rule(place=PLACES)
    def cards_burn(self, place: str) -> None:
        chosen = self.model.at(place, "withdrawn")
        if chosen:
            self.burn(chosen, place)

    @rule(serial=st.integers(1, BLANKS + 20))
    def find(self, serial: int) -> None:
        """Custody is one unbroken chain from the lot to where the blank is."""
        if serial not in self.model.blanks:
            return
        found = self.office.blank(serial)
        place, condition = self.model.blanks[serial]
        assert found.blank.location == place
        name = condition.upper().replace("-", "_")
        assert stock_pb2.BlankState.Name(found.blank.state) == f"BLANK_STATE_{name}"
        accounts = [found.custody[0].from_account, *(step.to_account for step in found.custody)]
        assert [step.from_account for step in found.custody] == accounts[:-1]
        assert accounts[-1] == f"{place}/{condition}"


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 12), ("postgresql", 3)])
def test_random_histories_with_the_way_back_keep_the_books(
    kind: str, examples: int, new_database: Callable[[str], str], clock: FixedClock, as_operator: None
) -> None:
    live(
        CorrectionHistory,
        lambda at: Office(new_database(kind), at),
        clock.now(),
        examples=examples,
        steps=40,
    )
