"""A card that loses power at any command, over a real pcscd: laid back it is finished, gone it is spoiled;
never is a card booked that a reader would not accept.

`torn_cards.txt` has what comes of each command; the whole of it is gone through by the slow test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cardperso.job import Job, State
from sim.card import Faults, VirtualReader
from sim.demo.eeprom import read_eeprom
from tests.cardperso.card_bench import Bench, Patience
from tests.cardperso.card_makers import eventually, make_holder, present
from tests.cardperso.card_neighbours import Neighbours
from tests.cardperso.conftest import MakeBlank

APPLICATION = b"\xf0TUNGGAL\x02"
TABLE = Path(__file__).parent / "torn_cards.txt"
COMMANDS = 31
MET = 2
SAMPLE = (6, 9, 13, 18, 24)


@pytest.fixture
def tear(bench: Bench, make_blank: MakeBlank, reader: VirtualReader) -> Callable[..., str]:
    """Tears a card at its n-th command and says what became of its job."""

    def run(at: int, *, back: bool) -> str:
        bench.world = Neighbours([make_holder()])
        card = make_blank(f"card-{at}-{back}", faults=Faults(die_at=at)).insert()
        image = card.memory.path
        job = bench.new_job()

        def lay_back() -> None:
            eventually(lambda: not card.on_reader, seconds=60)
            torn = read_eeprom(image, APPLICATION)
            assert not torn.files or torn.personalized, "half a card can be read"
            if back:
                card.insert()

        hand = threading.Thread(target=lay_back)
        hand.start()
        # A card that dies before it is met is one that never came: nobody can say when to give up.
        waits = Patience(card_wait=5.0) if at <= MET and not back else None
        ended = bench.run(job, give_up_at="" if back else "CARD_REMOVED", waits=waits)
        hand.join()
        card.remove()
        eventually(lambda: not present(reader.name), seconds=60)
        bench.check_books()
        outcome = told(bench, ended)
        if ended.state is State.PRINTED:
            made = read_eeprom(image, APPLICATION)
            assert made.personalized
            assert made.secured
            assert not made.transport_keys
        return outcome

    return run


def told(bench: Bench, job: Job) -> str:
    with bench.database.read() as conn:
        sessions = bench.journal.sessions(conn, job.job_id)
    outcomes = [session.outcome.split(":")[0] for session in sessions]
    if job.state is State.PRINTED:
        assert outcomes[-1] == "VERIFIED"
        changed = any(each.name == "INSTALL" for session in sessions[:-1] for each in session.exchanges)
        return "resumed" if changed else "made anew"
    if job.state is State.SPOILED:
        assert outcomes == ["CARD_REMOVED"]
        return "spoiled"
    return "blank and record given back"


def expected() -> dict[int, tuple[str, str]]:
    rows = [line.split("|") for line in TABLE.read_text().splitlines() if line[:3].strip().isdecimal()]
    return {int(number): (back.strip(), gone.strip()) for number, _, back, gone in rows}


@pytest.mark.parametrize("at", SAMPLE)
def test_a_card_torn_at_some_command_is_finished_or_spoiled(tear: Callable[..., str], at: int) -> None:
    assert (tear(at, back=True), tear(at, back=False)) == expected()[at]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_card_torn_at_any_command_is_finished_or_spoiled(
    tear: Callable[..., str], bench: Bench, make_blank: MakeBlank, reader: VirtualReader
) -> None:
    whole = make_blank("whole").insert()
    job = bench.run()
    whole.remove()
    eventually(lambda: not present(reader.name), seconds=60)
    with bench.database.read() as conn:
        names = [each.name for each in bench.journal.sessions(conn, job.job_id)[0].exchanges]
    assert len(names) == COMMANDS
    found = [
        f"{at:2} | {names[at - 1]:21} | {tear(at, back=True):9} | {tear(at, back=False)}"
        for at in range(1, COMMANDS + 1)
    ]
    print("\n".join(found))
    assert found == [line for line in TABLE.read_text().splitlines() if line[:2].strip().isdecimal()]
