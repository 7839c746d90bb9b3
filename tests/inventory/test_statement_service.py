"""Daily statements: signed, chained, and telling about a counter what its books said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import ledger_pb2, movements_pb2
from tunggal.inventory.v1 import statements_pb2 as pb

from services.common import audit
from services.common.clock import FixedClock
from services.common.errors import ConfigurationError, FailedPrecondition
from services.inventory.ledger import days
from services.inventory.ledger.closing import Closing
from services.inventory.refusal_metrics import Refusals
from services.inventory.statement.content import GENESIS
from services.inventory.statement.issuing import issue
from services.inventory.statement.signing import Signer
from services.inventory.statement.tables import statement
from services.inventory.statement.verify import Published, faults
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books
from tests.inventory.signed_elsewhere import approving, entering

MONDAY = date(2026, 3, 2)


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory of which Bekasi has 23,000 blanks."""
    made = Books(database_url, clock, tmp_path)
    made.stock_up(100_000)
    made.ship(BEKASI, 23_000)
    yield made
    made.database.dispose()


def listed(books: Books, location: str = BEKASI, **more: Any) -> list[Published]:
    answer = books.send(pb.ListStatementsRequest(location=location, **more))
    return [Published(each.content, each.signature, each.key_id) for each in answer.statements]


def keys(books: Books) -> dict[str, bytes]:
    answer = books.send(pb.GetStatementKeyRequest())
    return {each.key_id: each.public_key.encode() for each in answer.used_keys}


def levels(published: Published) -> dict[str, tuple[int, int, int, int]]:
    return {
        level["condition"]: (level["opening"], level["added"], level["removed"], level["closing"])
        for level in published.statement["levels"]
    }


def forged(published: Published, **changes: Any) -> Published:
    statement = {**published.statement, **changes}
    return Published.from_json(json.dumps({**json.loads(published.to_json()), "statement": statement}))


def refuse(books: Books, location: str, when: datetime | None = None) -> None:
    request = movements_pb2.RecordRefusalRequest(
        request_id=new_id(),
        location=location,
        item="blank",
        people=12,
        reason="counter 3 says that there are no blanks",
        operator="warga",
    )
    if when is not None:
        request.event_time.FromDatetime(when)
    books.send(request)


def three_days(books: Books) -> list[Published]:
    books.print_card(BEKASI, "04AA000001")
    books.night()
    books.print_card(BEKASI, "04AA000002")
    books.spoil(BEKASI)
    books.night()
    books.night()
    return listed(books)


def test_each_day_of_a_location_has_a_statement_that_follows_the_day_before(books: Books) -> None:
    first, second, third = three_days(books)
    assert [each.statement["day"] for each in (first, second, third)] == [
        (MONDAY + timedelta(k)).isoformat() for k in range(3)
    ]
    assert first.statement["previous"] == GENESIS
    assert levels(first) == {
        "consumed": (0, 1, 0, 1),
        "in-transit": (0, 23_000, 23_000, 0),
        "on-hand": (0, 23_000, 1, 22_999),
        "reserved": (0, 1, 1, 0),
    }
    assert levels(second) == {
        "consumed": (1, 1, 0, 2),
        "on-hand": (22_999, 0, 2, 22_997),
        "reserved": (0, 2, 2, 0),
        "spoiled": (0, 1, 0, 1),
    }
    # A quiet day has a statement, too.
    assert levels(third)["on-hand"] == (22_997, 0, 0, 22_997)
    assert third.statement["movements"] == []
    assert faults([first, second, third], keys(books)) == []


def test_empty_with_22999_in_stock_stands_in_the_statement_of_that_day(books: Books) -> None:
    books.print_card(BEKASI, "04AA000001")
    refuse(books, BEKASI)
    books.night()
    (published,) = listed(books)
    (refused,) = published.statement["refusals"]
    assert refused == {
        "time": "2026-03-02T01:30:00Z",
        "told": "2026-03-02T01:30:00Z",
        "item": "blank",
        "people": 12,
        "reason": "counter 3 says that there are no blanks",
        "on_hand": 22_999,
    }


def test_a_counter_that_never_had_stock_has_a_statement_each_day_from_its_first_refusal_on(
    books: Books,
) -> None:
    refuse(books, "32.17")
    books.night()
    books.night()
    books.ship("32.17", 10)
    books.night()
    published = listed(books, "32.17")
    assert [each.statement["sequence"] for each in published] == [1, 2, 3]
    assert faults(published, keys(books)) == []


def test_a_replica_whose_clock_is_behind_records_no_refusal_on_a_day_that_is_told(
    books: Books, database_url: str, tmp_path: Path
) -> None:
    behind = Books(database_url, FixedClock(books.clock.now()), tmp_path)
    books.night()
    with pytest.raises(FailedPrecondition, match="closed"):
        refuse(behind, BEKASI)
    behind.database.dispose()
    refuse(books, BEKASI)
    books.night()
    assert [len(each.statement["refusals"]) for each in listed(books)] == [0, 1]


def test_people_sent_away_today_are_a_metric_by_what_the_books_had(books: Books) -> None:
    registry = CollectorRegistry()
    registry.register(Refusals(books.database, books.clock))

    def told(location: str, had: str) -> float | None:
        labels = {"location": location, "item": "blank", "books": had}
        return registry.get_sample_value("tunggal_inventory_refused_people", labels)

    refuse(books, BEKASI)
    refuse(books, BEKASI)
    refuse(books, "32.17")
    assert (told(BEKASI, "stock"), told(BEKASI, "none"), told("32.17", "none")) == (24, None, 12)
    books.night()
    assert told(BEKASI, "stock") is None


def test_a_changed_figure_is_found_by_its_signature(books: Books) -> None:
    first, second, third = three_days(books)
    lower = [{**level, "closing": 0} for level in second.statement["levels"]]
    found = faults([first, forged(second, levels=lower), third], keys(books))
    assert any("2026-03-03: the signature does not fit" in fault for fault in found)
    assert any("opening + added - removed is not closing" in fault for fault in found)
    assert any("2026-03-04: does not follow the statement before it" in fault for fault in found)


def test_a_statement_that_is_left_out_is_missed(books: Books) -> None:
    first, _, third = three_days(books)
    found = faults([first, third], keys(books))
    assert any("one was changed, left out or put in" in fault for fault in found)
    assert any("number 3 follows number 1" in fault for fault in found)
    assert any("follows 2026-03-02" in fault for fault in found)
    assert any("begins with 22997, the day before ended with 22999" in fault for fault in found)


def test_a_statement_of_another_key_is_not_trusted(books: Books) -> None:
    published = three_days(books)
    assert all("unknown key" in fault for fault in faults(published, {}))
    assert len(faults(published, {})) == 3


def test_a_signed_lie_about_movements_does_not_add_up(books: Books) -> None:
    first, *_ = three_days(books)
    moves = [each for each in first.statement["movements"] if each["kind"] != "blank.consumed"]
    lie = forged(first, movements=moves)
    signed = Published(lie.content, books.signer.sign(lie.content), lie.key_id)
    found = faults([signed], keys(books))
    assert found == [
        "32.16 2026-03-02: blank consumed: the movements do not add up to what was added and removed",
        "32.16 2026-03-02: blank reserved: the movements do not add up to what was added and removed",
    ]


def test_two_statements_of_one_day_are_a_fork(books: Books) -> None:
    first, second, third = three_days(books)
    other = forged(second, issued="2026-03-04T05:00:00Z")
    signed = Published(other.content, books.signer.sign(other.content), other.key_id)
    found = faults([first, second, signed, third], keys(books))
    assert "32.16 2026-03-03: there are two different statements of this day" in found


def test_a_reader_in_jayapura_is_told_which_moments_a_day_covers(books: Books) -> None:
    books.ship("91.71", 10)
    books.night()
    (published,) = listed(books, "91.71")
    statement = published.statement
    assert (statement["from"], statement["until"]) == ("2026-03-01T17:00:00Z", "2026-03-02T17:00:00Z")
    assert statement["zone"] == "Asia/Jayapura"
    shifted = forged(published, **{"from": "2026-03-01T15:00:00Z"})
    signed = Published(shifted.content, books.signer.sign(shifted.content), shifted.key_id)
    assert faults([signed], keys(books)) == [
        "91.71 2026-03-02: from and until are not the day's midnights in Jakarta"
    ]
    moved = forged(published, zone="Asia/Jakarta")
    signed = Published(moved.content, books.signer.sign(moved.content), moved.key_id)
    assert faults([signed], keys(books)) == [
        "91.71 2026-03-02: Asia/Jakarta is not the time of this location"
    ]


def test_what_is_told_late_stands_in_the_day_of_its_telling_and_says_so(books: Books) -> None:
    books.night()
    (before,) = listed(books)
    late = ledger_pb2.NewTransfer(
        item="blank", quantity=7, from_location="ID", to_location=BEKASI, reason="by hand"
    )
    late.event_time.FromDatetime(books.clock.now() - timedelta(days=1))
    prompt = ledger_pb2.NewTransfer(
        item="blank", quantity=4, from_location="ID", to_location=BEKASI, reason="by hand"
    )
    prompt.event_time.FromDatetime(books.clock.now() - timedelta(minutes=5))
    books.send(ledger_pb2.PostTransfersRequest(request_id=new_id(), transfers=[late, prompt]))
    refuse(books, BEKASI, when=books.clock.now() - timedelta(days=1))
    books.night()
    again, after = listed(books)
    assert again == before
    (move,) = after.statement["movements"]
    assert (move["quantity"], move["transfers"], move["late"]) == (11, 2, 1)
    (refused,) = after.statement["refusals"]
    assert (refused["time"], refused["told"]) == ("2026-03-02T01:30:00Z", "2026-03-03T01:30:00Z")
    assert faults([again, after], keys(books)) == []


def test_what_was_booked_after_midnight_and_came_first_is_told_on_the_next_day(
    books: Books, database_url: str, tmp_path: Path
) -> None:
    """The clocks of two replicas differ by two minutes; each books on accounts of its own."""
    books.ship("32.17", 10)
    midnight = days.end_of(books.day())
    slow = Books(database_url, FixedClock(midnight - timedelta(minutes=1)), tmp_path)
    books.clock.advance(midnight + timedelta(minutes=1) - books.clock.now())
    books.print_card("32.17", "04AA000001")
    slow.print_card(BEKASI, "04AA000002")
    slow.database.dispose()
    books.night()
    books.night()
    for place, cards in (("32.17", [0, 1]), (BEKASI, [1, 0])):
        published = listed(books, place)
        assert faults(published, keys(books)) == []
        kinds = [[each["kind"] for each in one.statement["movements"]] for one in published]
        assert [each.count("blank.consumed") for each in kinds] == cards


def test_a_new_key_signs_from_its_day_on_and_the_old_one_is_kept(
    books: Books, database_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    books.night()
    old = keys(books)
    restarted = Books(database_url, clock, tmp_path / "another")
    restarted.night()
    published = listed(restarted)
    restarted.database.dispose()
    assert [each.key_id for each in published] == [books.signer.key_id, restarted.signer.key_id]
    assert faults(published, keys(books)) == []
    assert faults(published, old) == [
        f"32.16 2026-03-03: signed with the unknown key {restarted.signer.key_id[:16]}…"
    ]


def test_a_region_has_the_statements_of_all_below_it(books: Books) -> None:
    books.ship(f"{BEKASI}:mall-01", 500, source=BEKASI)
    books.night()
    of_all = books.send(pb.ListStatementsRequest(location="32", with_below=True)).statements
    assert [each.location for each in of_all] == [BEKASI, f"{BEKASI}:mall-01"]
    assert len(listed(books, "ID")) == 1
    assert not listed(books, first_day="2026-03-03")


def test_days_of_a_downtime_are_made_up_for_at_once(books: Books) -> None:
    books.clock.advance(timedelta(days=5))
    books.night()
    published = listed(books)
    assert len(published) == 6
    assert faults(published, keys(books)) == []


def test_days_of_a_long_downtime_are_made_in_steps_that_others_can_wait_for(books: Books) -> None:
    books.clock.advance(timedelta(days=20))
    now = books.clock.now()
    with books.database.transaction() as connection:
        Closing(connection).close(days.closable(now), now)
    for first in (MONDAY, MONDAY + timedelta(days=3)):
        with books.database.transaction() as connection:
            made = issue(connection, books.signer, now, most_days=3)
        assert sorted({day for _, day in made}) == [first + timedelta(days=k) for k in range(3)]
    assert len(books.clerk.catch_up()) == 14
    assert books.clerk.catch_up() == []
    published = listed(books)
    assert len(published) == 20
    assert faults(published, keys(books)) == []


def test_a_contract_that_waits_for_its_first_delivery_holds_no_statement_up(
    database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None
) -> None:
    books = Books(database_url, clock, tmp_path)
    books.send(approving(books.send(entering("KTP-2017-03", 7_000_000)).change_id))
    books.clock.advance(timedelta(days=30))
    books.night()
    assert listed(books, "ID") == []
    books.stock_up(500)
    books.night()
    refuse(books, BEKASI)
    books.night()
    centre, bekasi = listed(books, "ID"), listed(books)
    books.database.dispose()
    assert [each.statement["day"] for each in centre] == ["2026-04-02", "2026-04-03"]
    assert [each.statement["day"] for each in bekasi] == ["2026-04-03"]


def test_places_have_statements_and_contracts_have_none(books: Books) -> None:
    for _ in range(3):
        books.night()
    with books.database.read() as connection:
        told = connection.scalars(sa.select(statement.c.location)).all()
    assert Counter(told) == {"ID": 3, BEKASI: 3}


def test_a_refusal_is_told_before_any_location_had_a_blank(
    database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None
) -> None:
    books = Books(database_url, clock, tmp_path)
    books.send(approving(books.send(entering("KTP-2017-03", 7_000_000)).change_id))
    books.clock.advance(timedelta(days=30))
    refuse(books, BEKASI)
    books.night()
    books.night()
    published = listed(books)
    books.database.dispose()
    assert [each.statement["day"] for each in published] == ["2026-04-01", "2026-04-02"]
    assert [each.statement["sequence"] for each in published] == [1, 2]


def test_a_refusal_is_told_though_several_days_were_closed_before_any_statement(
    database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None
) -> None:
    books = Books(database_url, clock, tmp_path)
    books.send(approving(books.send(entering("KTP-2017-03", 7_000_000)).change_id))
    refuse(books, BEKASI)
    for _ in range(3):
        books.close_day()
    books.clerk.catch_up()
    published = listed(books)
    books.database.dispose()
    assert [each.statement["day"] for each in published] == ["2026-03-02", "2026-03-03", "2026-03-04"]


@pytest.mark.parametrize("kept", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_private_key_signs_nothing(tmp_path: Path, kept: bytes) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(kept)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="no private key"):
        Signer.load(path)


def test_statements_are_made_once_however_many_make_them(books: Books) -> None:
    books.night()
    assert books.clerk.catch_up() == []
    answer = books.send(pb.IssueStatementsRequest(request_id=new_id()))
    assert (answer.issued, answer.through) == (0, "2026-03-02")
    assert len(listed(books)) == 1
    with books.database.read() as connection:
        assert audit.verify(connection) is None


def test_two_replicas_that_make_the_same_days_at_once_make_them_once(
    books: Books, database_url: str, tmp_path: Path
) -> None:
    other = Books(database_url, books.clock, tmp_path)
    for _ in range(3):
        books.clock.advance(timedelta(days=2))
        books.close_day()
    barrier = Barrier(4)

    def make(replica: Books) -> list[str]:
        barrier.wait(timeout=60)
        return replica.clerk.catch_up()

    with ThreadPoolExecutor(4) as pool:
        made = [day for found in pool.map(make, (books, other) * 2, timeout=120) for day in found]
    other.database.dispose()
    assert sorted(made) == [f"statements/{MONDAY + timedelta(k)}" for k in range(9)]
    published = listed(books)
    assert [each.statement["sequence"] for each in published] == list(range(1, 10))
    assert faults(published, keys(books)) == []


def test_a_published_file_reads_back_as_it_was_signed(books: Books) -> None:
    books.night()
    (published,) = listed(books)
    again = Published.from_json(published.to_json())
    assert again == published
    assert faults([again], keys(books)) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"statement": {}, "key_id": "a", "signature": "%"}',
        '{"statement": [], "key_id": "a", "signature": ""}',
        '{"statement": {"day": 1, "day": 2}, "key_id": "a", "signature": ""}',
    ],
)
def test_what_is_no_statement_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a stock statement"):
        Published.from_json(text)
