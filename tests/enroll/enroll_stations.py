"""What card stations do to records, straight on the queue."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from services.enroll.claims import Claim
from services.enroll.record import Record, Status
from services.enroll.void_card import Rejection, void_card
from tests.enroll.enroll_office import Office

STATION = "service/cardperso"
REJECTED = Rejection("REJECTED_PRINT: pale", "ani", "budi")


def print_ready(office: Office, region: str = "32.16") -> Record:
    """A record that waits for its card."""

    def work(conn: Connection) -> Record:
        at = office.clock.now()
        record = office.store.insert(conn, nik="3", region=region, biodata=b"", actor="kit/1", at=at)
        for status in (
            Status.PROCESSING,
            Status.SENT_FOR_ENROLLMENT,
            Status.RECEIVED_AT_CENTRAL,
            Status.PRINT_READY_RECORD,
        ):
            record = office.store.move(conn, record, status, actor="pipeline", at=at)
        return record

    return office.db.run(work)


def claim(office: Office, region: str = "32.16", claimant: str = "job-1") -> Claim:
    return office.db.run(lambda conn: office.queue.claim_next(conn, region, claimant, STATION))


def release(office: Office, held: Claim) -> Record:
    return office.db.run(lambda conn: office.queue.release(conn, held.claim_id, "The printer jams.", STATION))


def renew(office: Office, held: Claim) -> datetime:
    return office.db.run(lambda conn: office.queue.renew(conn, held.claim_id))


def report_printed(office: Office, held: Claim, chip_uid: str) -> Record:
    return office.db.run(lambda conn: office.queue.report_printed(conn, held.claim_id, chip_uid, STATION))


def report_issued(office: Office, record: Record, chip_uid: str) -> Record:
    return office.db.run(lambda conn: office.queue.report_issued(conn, record.record_id, chip_uid, STATION))


def void(office: Office, record: Record, chip_uid: str, rejection: Rejection = REJECTED) -> Record:
    return office.db.run(
        lambda conn: void_card(
            conn,
            office.store,
            record.record_id,
            chip_uid,
            rejection,
            actor=STATION,
            at=office.clock.now(),
        )
    )
