"""A card job whose process dies at any moment: it goes on where it was, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.cardperso.job import State
from services.cardperso.pcsc import CardSession
from sim.card import Faults, ReaderBank, VirtualReader
from tests.cardperso.card_bench import Bench, CrashError
from tests.cardperso.card_makers import eventually, present
from tests.cardperso.conftest import MakeBlank


@pytest.mark.parametrize("call", ["claim", "reserve", "renew", "consume", "printed"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_any_call_loses_and_doubles_nothing(
    bench: Bench, make_blank: MakeBlank, call: str, moment: str
) -> None:
    card = make_blank().insert()
    job = bench.new_job()
    if not (call == "renew" and moment == "after"):
        setattr(bench.world, moment, crash_at(call))
        bench.crash(job)
        setattr(bench.world, moment, lambda _: None)
    ended = bench.run(job)
    assert (ended.state, ended.chip_uid) == (State.PRINTED, card.uid)
    assert bench.world.consumed == {1001: card.uid}
    bench.check_books()


@pytest.mark.parametrize("call", ["spoil", "release-claim"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_giving_up_loses_and_doubles_nothing(
    bench: Bench, make_blank: MakeBlank, call: str, moment: str
) -> None:
    make_blank(faults=Faults(die_at=12)).insert()
    job = bench.new_job()
    setattr(bench.world, moment, crash_at(call))
    bench.crash(job, give_up_at="CARD_REMOVED")
    setattr(bench.world, moment, lambda _: None)
    ended = bench.run(job, give_up_at="CARD_REMOVED")
    assert (ended.state, ended.reason.split(":")[0]) == (State.SPOILED, "CARD_REMOVED")
    assert list(bench.world.spoiled) == [1001]
    assert len(bench.world.queue) == 2
    bench.check_books()


@pytest.mark.parametrize("apdu", [2, 5, 8, 9, 12, 15, 17, 20, 24, 31])
def test_a_crash_in_the_middle_of_the_card_goes_on_with_the_same_card(
    bench: Bench, make_blank: MakeBlank, monkeypatch: pytest.MonkeyPatch, apdu: int
) -> None:
    card = make_blank().insert()
    job = bench.new_job()
    at_apdu(monkeypatch, apdu, CrashError)
    bench.crash(job)
    monkeypatch.undo()
    ended = bench.run(job)
    assert (ended.state, ended.chip_uid) == (State.PRINTED, card.uid)
    assert bench.world.consumed == {1001: card.uid}
    bench.check_books()


@pytest.mark.parametrize("other", [True, False], ids=["another card", "no card"])
def test_after_a_crash_any_other_card_spoils_the_blank(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader, monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    begun = make_blank("begun").insert()
    job = bench.new_job()
    at_apdu(monkeypatch, 16, CrashError)
    bench.crash(job)
    monkeypatch.undo()
    begun.remove()
    eventually(lambda: not present(reader.name))
    if other:
        make_blank("other").insert()
    ended = bench.run(job, give_up_at="CARD_CHANGED" if other else "CARD_TIMEOUT")
    assert (ended.state, ended.chip_uid) == (State.SPOILED, begun.uid)
    assert ended.reason.split(":")[0] == ("CARD_CHANGED" if other else "CARD_TIMEOUT")
    assert list(bench.world.spoiled) == [1001]
    assert len(bench.world.queue) == 2
    bench.check_books()


def test_a_crash_of_pcscd_in_the_middle_of_the_card_is_survived(
    bench: Bench, bank: ReaderBank, make_blank: MakeBlank, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_blank().insert()

    def pull_the_plug() -> Exception | None:
        bank.kill()
        bank.restart()
        card.insert()
        return None

    at_apdu(monkeypatch, 16, pull_the_plug)
    job = bench.run()
    assert (job.state, job.chip_uid) == (State.PRINTED, card.uid)
    bench.check_books()


def test_a_claim_that_lapsed_during_an_outage_gives_the_untouched_blank_back(bench: Bench) -> None:
    job = bench.new_job()
    bench.world.after = crash_at("reserve")
    bench.crash(job)
    bench.world.after = lambda _: None
    for claim_id in bench.world.claims:
        bench.world.ended[claim_id] = "LAPSED"
    ended = bench.run(job)
    assert (ended.state, ended.reason.split(":")[0]) == (State.FAILED, "CLAIM_ENDED")
    assert len(bench.world.free) == 10
    bench.check_books()


def crash_at(call: str) -> Callable[[str], None]:
    def crash(current: str) -> None:
        if current == call:
            raise CrashError

    return crash


def at_apdu(monkeypatch: pytest.MonkeyPatch, number: int, event: Callable[[], BaseException | None]) -> None:
    """Let something happen when the process is about to send its n-th APDU."""
    send = CardSession._exchange
    count = 0

    def counting(self: CardSession, command: object) -> object:
        nonlocal count
        count += 1
        if count == number:
            error = event()
            if error is not None:
                raise error
        return send(self, command)  # type: ignore[arg-type]

    monkeypatch.setattr(CardSession, "_exchange", counting)
