"""A card job from the claim to the booked card, with everything that can go wrong on the way.

Cards, readers, pcscd and the database are real; enroll and the inventory are kept in memory so that a test
can lose their answers.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.cardperso.job import State
from services.common.errors import Aborted, FailedPrecondition, Unavailable
from sim.card import Faults, VirtualReader
from tests.cardperso.card_bench import Bench
from tests.cardperso.card_makers import eventually, finger_record, make_holder, present
from tests.cardperso.conftest import MakeBlank


def test_a_record_becomes_a_card(bench: Bench, make_blank: MakeBlank) -> None:
    card = make_blank().insert()
    job = bench.run()
    assert (job.state, job.reason) == (State.PRINTED, "")
    assert job.chip_uid == card.uid
    assert (job.blank_serial, job.readback_mismatches) == (1001, 0)
    assert job.apdu_count == card.apdus == 31
    assert job.chip_seconds > 0
    assert bench.world.consumed == {1001: card.uid}
    assert bench.world.printed == {make_holder().record_id: card.uid}
    with bench.database.read() as conn:
        front = bench.store.face(conn, job.job_id, "front")
    assert front.startswith(b"\x89PNG")
    bench.check_books()


def test_faces_are_sealed_in_the_database(bench: Bench, make_blank: MakeBlank, tmp_path: Path) -> None:
    make_blank().insert()
    bench.run()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("test_*.db*"))
    assert stored
    assert b"\x89PNG\r\n" not in stored


def test_an_empty_queue_ends_the_job_before_a_blank_is_touched(bench: Bench) -> None:
    bench.world.queue.clear()
    job = bench.run()
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "QUEUE_EMPTY")
    bench.check_books()


def test_a_record_that_does_not_fit_is_given_back_before_a_blank_is_touched(bench: Bench) -> None:
    bench.world.queue[0] = replace(bench.world.queue[0], full_name="雪")
    job = bench.run()
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "CHIP_UNENCODABLE")
    assert len(bench.world.queue) == 2
    assert len(bench.world.free) == 10
    bench.check_books()


def test_without_blanks_the_record_goes_back(bench: Bench) -> None:
    bench.world.free.clear()
    job = bench.run()
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "INSUFFICIENT_STOCK")
    assert len(bench.world.queue) == 2


def test_without_a_card_blank_and_record_go_back(bench: Bench) -> None:
    job = bench.run(give_up_at="CARD_AWAITED")
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "CARD_AWAITED")
    assert bench.world.free[0] == 1001
    assert len(bench.world.queue) == 2
    bench.check_books()


@pytest.mark.parametrize(
    ("faults", "options", "reason"),
    [
        (Faults(die_at=12), {}, "CARD_REMOVED"),
        (Faults(slow=5, slow_at=12), {}, "CARD_TIMEOUT"),
        (Faults(write_error_at=50), {}, "COMMAND_REFUSED"),
        (Faults(corrupt_at=70), {}, "GROUP_CHANGED"),
        (Faults(), {"capacity": 4096}, "COMMAND_REFUSED"),
    ],
    ids=["dies", "slow", "worn out", "silently wrong", "full"],
)
def test_a_card_that_fails_spoils_its_blank_and_the_next_one_gets_the_same_record(
    bench: Bench,
    make_blank: MakeBlank,
    reader: VirtualReader,
    faults: Faults,
    options: dict[str, int],
    reason: str,
) -> None:
    bench.apdu_seconds = 1.0 if faults.slow else 10.0
    bad = make_blank("bad", faults=faults, **options).insert()
    job = bench.run(give_up_at=reason)
    bench.apdu_seconds = 10.0
    assert (job.state, job.reason.split(":")[0]) == (State.SPOILED, reason)
    assert job.chip_uid == bad.uid
    assert bench.world.spoiled == {1001: job.reason}
    assert bench.world.released == [job.reason]
    assert (job.readback_mismatches == 1) == (reason == "GROUP_CHANGED")
    bad.remove()
    eventually(lambda: not present(reader.name))
    make_blank("good").insert()
    again = bench.run()
    assert (again.state, again.record_id) == (State.PRINTED, job.record_id)
    bench.check_books()


def test_a_chip_that_was_used_is_refused_and_named(bench: Bench, make_blank: MakeBlank) -> None:
    make_blank().insert()
    first = bench.run()
    second = bench.run(give_up_at="CHIP_ALREADY_USED")
    assert first.state is State.PRINTED
    assert second.state is State.FAILED
    assert second.reason.startswith(
        f"CHIP_ALREADY_USED: chip {first.chip_uid} belongs to job {first.job_id}. Put it aside"
    )
    bench.check_books()


def test_the_job_goes_on_when_the_finished_card_makes_room_for_a_blank(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader
) -> None:
    done, fresh = make_blank("done").insert(), make_blank("fresh")
    bench.run()
    job = bench.new_job()

    def swap() -> None:
        eventually(lambda: bench.jobs.reload(job).reason.startswith("CHIP_ALREADY_USED"))
        done.remove()
        eventually(lambda: not present(reader.name))
        fresh.insert()

    hand = threading.Thread(target=swap)
    hand.start()
    ended = bench.run(job)
    hand.join()
    assert (ended.state, ended.chip_uid) == (State.PRINTED, fresh.uid)
    bench.check_books()


def test_a_foreign_card_is_refused_untouched(bench: Bench, make_blank: MakeBlank) -> None:
    foreign = make_blank().insert()
    bench.run()
    with bench.database.transaction() as conn:
        conn.exec_driver_sql("UPDATE card_job SET chip_uid = 'FFFFFFFF'")
    # Nobody's books know the chip any more: only the card itself says that it was used.
    bench.world.consumed = dict.fromkeys(bench.world.consumed, "FFFFFFFF")
    system: Any = foreign.card
    before = system.persistent.registry
    job = bench.run(give_up_at="CARD_NOT_BLANK")
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "CARD_NOT_BLANK")
    assert replace(system.persistent.registry, sequence=before.sequence) == before
    assert foreign.on_reader


@pytest.mark.parametrize(
    ("renewal", "outcome"), [(1, State.FAILED), (2, State.SPOILED)], ids=["before", "after"]
)
def test_a_claim_that_lapsed_before_or_after_the_writing_never_becomes_a_card(
    bench: Bench, make_blank: MakeBlank, renewal: int, outcome: State
) -> None:
    make_blank().insert()
    renewals = 0

    def lapse(call: str) -> None:
        nonlocal renewals
        renewals += call == "renew"
        if renewals == renewal:
            bench.world.ended |= dict.fromkeys(bench.world.claims, "LAPSED")

    bench.world.before = lapse
    job = bench.run()
    assert (job.state, job.reason.split(":")[0]) == (outcome, "CLAIM_ENDED")
    assert len(bench.world.free) == (10 if outcome is State.FAILED else 9)
    assert not bench.world.printed
    bench.check_books()


def test_a_cloned_chip_is_not_booked_a_second_time(bench: Bench, make_blank: MakeBlank) -> None:
    card = make_blank().insert()

    def book_elsewhere(call: str) -> None:
        if call == "consume":
            bench.world.consumed[999] = card.uid
            bench.world.printed["elsewhere"] = card.uid

    bench.world.before = book_elsewhere
    job = bench.run()
    assert (job.state, job.reason.split(":")[0]) == (State.SPOILED, "CHIP_UID_BOUND")
    assert list(bench.world.spoiled) == [1001]
    assert len(bench.world.queue) == 2


def test_a_card_whose_record_was_lost_after_booking_is_taken_back_from_the_books(
    bench: Bench, make_blank: MakeBlank
) -> None:
    make_blank().insert()

    def lapse(call: str) -> None:
        if call == "printed":
            raise FailedPrecondition("CLAIM_ENDED", "The claim has ended: lapsed.")

    bench.world.before = lapse
    job = bench.run()
    assert job.state is State.SPOILED
    assert (job.reason.split(":")[0], bool(job.spoilage_id)) == ("CLAIM_ENDED", True)
    assert list(bench.world.spoiled) == [1001]
    bench.check_books()


def test_a_blank_is_spoiled_once_and_with_its_reason_when_the_answer_is_lost(
    bench: Bench, make_blank: MakeBlank
) -> None:
    make_blank(faults=Faults(write_error_at=60)).insert()
    job = bench.new_job()
    lost = ["spoil"]

    def lose(call: str) -> None:
        if call in lost:
            lost.remove(call)
            raise Unavailable("PEER_AWAY", "The answer was lost.")

    bench.world.after = lose
    ended = bench.run(job)
    assert (ended.state, ended.errand_note) == (State.SPOILED, "")
    assert bench.world.spoiled == {1001: ended.reason}
    assert "PEER_AWAY" not in ended.reason
    assert list(bench.world.spoilage) == [ended.spoilage_id]
    bench.check_books()


def test_a_neighbour_that_is_away_is_waited_for_with_the_reason_shown(
    bench: Bench, make_blank: MakeBlank
) -> None:
    make_blank().insert()
    job = bench.new_job()
    reasons: list[str] = []
    away = {"claim": 2, "reserve": 2, "consume": 2, "printed": 2}

    def absent(call: str) -> None:
        reasons.append(bench.jobs.reload(job).reason.split(":")[0])
        if away.get(call, 0):
            away[call] -= 1
            raise Unavailable("PEER_AWAY", f"{call} does not answer.")

    bench.world.before = absent
    ended = bench.run(job)
    assert (ended.state, ended.reason) == (State.PRINTED, "")
    assert reasons.count("PEER_AWAY") >= 4
    bench.check_books()


def test_a_job_is_left_where_it_stands_when_the_service_stops(bench: Bench) -> None:
    stop = threading.Event()
    job = bench.new_job()

    def stop_soon() -> None:
        eventually(lambda: bench.jobs.reload(job).reason.startswith("CARD_AWAITED"))
        stop.set()

    hand = threading.Thread(target=stop_soon)
    hand.start()
    left = bench.personalizer().run(job, stop)
    hand.join()
    assert left.state is State.WRITING
    assert bench.world.held


def test_a_finger_that_says_too_little_names_the_field(bench: Bench) -> None:
    poor = replace(bench.world.queue[0].fingers[0], template=finger_record(5))
    bench.world.queue[0] = replace(bench.world.queue[0], fingers=(poor,))
    job = bench.run()
    assert job.reason.startswith("FINGER_TOO_FEW_MINUTIAE: fingers[0] has 5 minutiae")
    assert len(bench.world.free) == 10


def test_two_changes_of_one_job_at_the_same_moment_are_not_both_stored(bench: Bench) -> None:
    job = bench.jobs.reload(bench.new_job())
    bench.jobs.save(job.waiting("one"))
    with pytest.raises(Aborted, match="was changed meanwhile"):
        bench.jobs.save(job.waiting("two"))
