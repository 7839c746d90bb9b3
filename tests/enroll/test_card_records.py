"""Records with a card, in the order of their chips, by when the card that they have now was printed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.common.clock import FixedClock
from services.common.spans import Span
from services.enroll import card_records
from services.enroll.record import Status
from services.enroll.void_card import Rejection, void_card
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import NIK

UIDS = ("04FF000001", "04AA000002", "04CC000003")


@pytest.fixture
def printed(office: Office, clock: FixedClock) -> list[str]:
    """Three records, printed an hour after each other; the last one's holder has the card."""
    made = []
    for number, uid in enumerate(UIDS):
        made.append(office.submit(f"person {number}", NIK[:-4] + f"{number + 1:04}").record_id)
        office.run()
        print_next(office, uid)
        clock.advance(timedelta(hours=1))
    record = office.db.run(lambda conn: office.store.get(conn, made[2]))
    office.db.run(lambda c: office.store.move(c, record, Status.CARD_ISSUED, actor="x", at=clock.now()))
    return made


def print_next(office: Office, uid: str) -> None:
    held = office.db.run(lambda conn: office.queue.claim_next(conn, "32.16", "job", "service/cardperso"))
    office.db.run(lambda conn: office.queue.report_printed(conn, held.claim_id, uid, "service/cardperso"))


def chips(office: Office, span: Span, after: str = "") -> list[str]:
    with office.db.read() as conn:
        return [each.chip_uid for part in card_records.of_span(conn, span, after) for each in part]


def test_records_come_in_the_order_of_their_chips_and_go_on_behind_any(
    office: Office, clock: FixedClock, printed: list[str]
) -> None:
    day = Span("32", clock.now() - timedelta(days=1), clock.now())
    for span in (Span(), day):
        assert chips(office, span) == sorted(UIDS)
        assert chips(office, span, after=min(UIDS)) == sorted(UIDS)[1:]
    assert chips(office, Span("33")) == chips(office, Span("33", day.start)) == []


def test_a_hand_over_changes_no_day(office: Office, clock: FixedClock, printed: list[str]) -> None:
    last_hour = Span(start=clock.now() - timedelta(hours=1), end=clock.now())
    assert chips(office, last_hour) == [UIDS[2]]


def test_a_card_that_was_printed_again_counts_for_the_second_time(
    office: Office, clock: FixedClock, printed: list[str]
) -> None:
    first_hour = Span(end=clock.now() - timedelta(hours=2))
    assert chips(office, first_hour) == [UIDS[0]]

    def reject(now: datetime) -> None:
        rejection = Rejection("torn", "ani", "budi")
        office.db.run(
            lambda conn: void_card(conn, office.store, printed[0], UIDS[0], rejection, actor="x", at=now)
        )

    reject(clock.now())
    assert chips(office, first_hour) == []
    print_next(office, "04DD000009")
    assert chips(office, first_hour) == []
    assert chips(office, Span(start=clock.now())) == ["04DD000009"]
    with office.db.read() as conn:
        (found,) = card_records.of_chips(conn, ["04DD000009", UIDS[0]])
    assert (found.record_id, found.time) == (printed[0], clock.now())


def test_a_record_is_on_loan_to_its_job_until_the_job_reports_or_falls_silent(
    office: Office, clock: FixedClock
) -> None:
    record_id = office.submit("person 1").record_id
    office.run()

    def loans(*record_ids: str) -> list[tuple[str, str]]:
        with office.db.read() as conn:
            return card_records.on_loan(conn, record_ids, clock.now())

    assert loans(record_id) == []
    held = office.db.run(lambda conn: office.queue.claim_next(conn, "32.16", "job-1", "service/cardperso"))
    assert loans(record_id, "another") == [(record_id, "job-1")]
    assert loans() == loans("another") == []
    # Past its time it lends nothing, whether somebody has noticed or not.
    clock.advance(held.expire_time - clock.now())
    assert loans(record_id) == []
    office.queue.end_lapsed()
    print_next(office, UIDS[0])
    assert loans(record_id) == []
