"""A card that two people reject after it was booked, through the real services and a kill in between."""

from __future__ import annotations

from collections.abc import Callable

from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import production_pb2, production_pb2_grpc, verification_pb2, verification_pb2_grpc
from tunggal.enroll.v1 import enroll_pb2, record_pb2
from tunggal.inventory.v1 import spoilage_pb2, spoilage_pb2_grpc

from services.common.client import channel
from sim.card import Faults, VirtualReader
from tests.cardperso.card_makers import eventually, present
from tests.cardperso.card_station import new_id
from tests.cardperso.conftest import MakeBlank
from tests.cardperso.test_with_neighbours import Process, Suite, enrol, finished, order, start, suite

__all__ = ["start", "suite"]


def spoilage(suite: Suite) -> list[spoilage_pb2.Spoilage]:
    where = suite.environment["TUNGGAL_INVENTORY_ENDPOINT"]
    with channel(where, suite.tls_dir, "operator-cli", server="inventory") as connection:
        stub = spoilage_pb2_grpc.SpoilageServiceStub(connection)
        return list(stub.ListSpoilage(spoilage_pb2.ListSpoilageRequest()).spoilage)


def test_killed_after_the_review_the_next_start_tells_both_books_and_a_second_card_is_made(
    suite: Suite, start: Callable[[], Process], reader: VirtualReader, make_blank: MakeBlank
) -> None:
    record_id = enrol(suite)
    place = suite.record(record_id).arrival_number
    process = start()
    bad = make_blank("bad").insert()
    job_id = order(process, reader)
    made = finished(process, job_id)
    assert suite.record(record_id).status == record_pb2.RECORD_STATUS_CARD_PRINTED
    floor = production_pb2_grpc.ProductionServiceStub(process.connection)
    floor.RejectCard(
        production_pb2.RejectCardRequest(
            request_id=new_id(),
            job_id=job_id,
            reason=production_pb2.REJECT_REASON_CONTENT,
            note="another face",
            operator="ani",
        )
    )
    floor.ReviewCard(
        production_pb2.ReviewCardRequest(request_id=new_id(), job_id=job_id, confirmed=True, operator="budi")
    )
    process.kill()

    process = start()
    job = pb.GetCardJobRequest(job_id=job_id)
    eventually(lambda: not process.stub.GetCardJob(job).job.errand)
    void = process.stub.GetCardJob(job).job
    assert (void.state, void.card_state) == (pb.CARD_JOB_STATE_VOID, pb.CARD_STATE_VOID)
    answer = suite.enroll.GetRecord(enroll_pb2.GetRecordRequest(record_id=record_id))
    record = answer.record
    assert (record.status, record.arrival_number, record.chip_uid) == (
        record_pb2.RECORD_STATUS_PRINT_READY_RECORD,
        place,
        "",
    )
    assert record.reason == "CARD_VOID: REJECTED_CONTENT: another face; rejected by ani, reviewed by budi"
    stock = suite.stock()
    assert (stock.on_hand, stock.consumed, stock.spoiled, stock.reserved) == (4, 0, 1, 0)
    (booked,) = spoilage(suite)
    assert (booked.spoilage_id, booked.state) == (void.spoilage_id, spoilage_pb2.SPOILAGE_STATE_ACCEPTED)
    assert (booked.booked_by, booked.reviewed_by) == ("service/cardperso:ani", "service/cardperso:budi")

    look = verification_pb2.VerifyCardRequest(reader=reader.name)
    seen = verification_pb2_grpc.VerificationServiceStub(process.connection).VerifyCard(look)
    assert (seen.genuine, [found.problem for found in seen.findings]) == (False, ["CARD_VOID"])
    bad.remove()
    eventually(lambda: not present(reader.name))
    make_blank("good").insert()
    again = finished(process, order(process, reader))
    assert (again.state, again.record_id) == (pb.CARD_JOB_STATE_PRINTED, record_id)
    assert again.chip_uid != made.chip_uid
    assert suite.stock().consumed == 1


def test_a_torn_card_is_put_aside_at_once_and_accepted_by_a_second_person(
    suite: Suite, start: Callable[[], Process], reader: VirtualReader, make_blank: MakeBlank
) -> None:
    enrol(suite)
    process = start()
    make_blank("bad", faults=Faults(write_error_at=60)).insert()
    job = finished(process, order(process, reader))
    assert job.state == pb.CARD_JOB_STATE_SPOILED
    (booked,) = spoilage(suite)
    assert (booked.state, booked.booked_by) == (spoilage_pb2.SPOILAGE_STATE_BOOKED, "service/cardperso:cli")
    levels = suite.stock()
    assert (levels.on_hand, levels.spoiled) == (4, 1)
    floor = production_pb2_grpc.ProductionServiceStub(process.connection)
    floor.ReviewCard(
        production_pb2.ReviewCardRequest(
            request_id=new_id(), job_id=job.job_id, confirmed=True, operator="budi", note="a crack"
        )
    )
    eventually(lambda: spoilage(suite)[0].state == spoilage_pb2.SPOILAGE_STATE_ACCEPTED)
    (accepted,) = spoilage(suite)
    assert (accepted.reviewed_by, accepted.review) == ("service/cardperso:budi", "a crack")
