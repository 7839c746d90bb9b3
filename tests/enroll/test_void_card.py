"""The way back into the queue for a record whose card was rejected after it was booked."""

from __future__ import annotations

import uuid

import pytest
from tunggal.enroll.v1 import cards_pb2, cards_pb2_grpc

from services.common import client
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    TunggalError,
)
from services.enroll.record import Status
from services.enroll.void_card import Rejection
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_server import Serve, refused
from tests.enroll.enroll_stations import REJECTED, claim, print_ready, report_issued, report_printed, void

CHIP = "04A1B2C3D4E5F6"


def test_the_record_is_the_next_one_again_and_its_history_names_both_people(office: Office) -> None:
    first, second = print_ready(office), print_ready(office)
    report_printed(office, claim(office), CHIP)
    back = void(office, first, CHIP)
    assert (back.status, back.chip_uid) == (Status.PRINT_READY_RECORD, "")
    assert back.arrival_number == first.arrival_number < second.arrival_number
    assert back.reason == "CARD_VOID: REJECTED_PRINT: pale; rejected by ani, reviewed by budi"
    with office.db.read() as conn:
        assert office.store.history(conn, first.record_id)[-1].reason == back.reason
    assert claim(office).record_id == first.record_id


def test_a_second_card_can_be_made_and_handed_over(office: Office) -> None:
    record = print_ready(office)
    report_printed(office, claim(office), CHIP)
    void(office, record, CHIP)
    again = report_printed(office, claim(office), "04A1B2C3D4E5F7")
    assert again.chip_uid == "04A1B2C3D4E5F7"
    with pytest.raises(FailedPrecondition) as error:
        report_issued(office, record, CHIP)
    assert error.value.reason == "CHIP_UID_DISAGREES"
    assert report_issued(office, record, "04A1B2C3D4E5F7").status is Status.CARD_ISSUED


def test_the_chip_of_a_rejected_card_stands_for_nobody_again(office: Office) -> None:
    record = print_ready(office)
    report_printed(office, claim(office), CHIP)
    void(office, record, CHIP)
    held = claim(office)
    with pytest.raises(AlreadyExists) as error:
        report_printed(office, held, CHIP)
    assert error.value.reason == "CHIP_UID_IN_USE"
    assert report_printed(office, held, "04A1B2C3D4E5F7").status is Status.CARD_PRINTED


@pytest.mark.parametrize(
    ("status", "chip_uid", "rejection", "kind", "reason"),
    [
        ("printed", CHIP, Rejection("pale", "ani", "ANI"), PermissionDenied, "SECOND_PERSON_NEEDED"),
        ("printed", "04A1B2C3D4E5F7", REJECTED, FailedPrecondition, "CHIP_UID_DISAGREES"),
        ("ready", CHIP, REJECTED, FailedPrecondition, "NO_CARD_TO_VOID"),
        ("issued", CHIP, REJECTED, FailedPrecondition, "NO_CARD_TO_VOID"),
    ],
)
def test_what_cannot_be_voided_stays_as_it_is(
    office: Office,
    status: str,
    chip_uid: str,
    rejection: Rejection,
    kind: type[TunggalError],
    reason: str,
) -> None:
    record = print_ready(office)
    if status != "ready":
        report_printed(office, claim(office), CHIP)
    if status == "issued":
        report_issued(office, record, CHIP)
    before = office.read(record)
    with pytest.raises(kind) as error:
        void(office, record, chip_uid, rejection)
    assert error.value.reason == reason
    assert error.value.remedy
    assert office.read(record) == before


def test_only_card_stations_may_void_and_the_answer_is_the_first_one(serve: Serve) -> None:
    served = serve()
    request = cards_pb2.VoidCardRequest(
        request_id=str(uuid.uuid4()),
        record_id=str(uuid.uuid4()),
        chip_uid=CHIP,
        reason="pale",
        rejected_by="ani",
        reviewed_by="budi",
    )

    def call(name: str) -> object:
        with client.channel(f"localhost:{served.server.port}", served.settings.tls_dir, name) as channel:
            return cards_pb2_grpc.CardServiceStub(channel).VoidCard(request)

    refused(lambda: call("operator-cli"), PermissionDenied, "CALLER_NOT_ALLOWED", None)
    refused(lambda: call("cardperso"), NotFound, "RECORD_UNKNOWN", "record_id")
