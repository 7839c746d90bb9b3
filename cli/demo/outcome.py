"""What became of every submission and every card, and what of it counts as found, missed or false."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

UNIQUE = "PRINT_READY_RECORD"
DUPLICATE = "DUPLICATE_RECORD"
ADJUDICATE = "ADJUDICATE_RECORD"


@dataclass(frozen=True)
class Outcome:
    """A submission and the decision on its record.

    Attributes:
        key: the submission's key in the day.
        person: who it truly was.
        together: whether it came at the same moment as another of the same person.
        nik: under which NIK.
        name: under which name.
        record_id: the record.
        arrival: its arrival number.
        status: decision, a name of `RecordStatus` without its prefix.
        reason: why, where something was to be said.
        matching_record_id: the record it was found to be, or to resemble.
        score: score of that match, natural log-likelihood ratio.
        seconds: from acknowledgement to decision, on the service's clock.
    """

    key: str
    person: str
    together: bool
    nik: str
    name: str
    record_id: str
    arrival: int
    status: str
    reason: str = ""
    matching_record_id: str = ""
    score: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Card:
    """A card job and what an independent look at its chip and its blank said.

    Attributes:
        job_id: the job.
        state: how it ended, a name of `CardJobState` without its prefix.
        record_id: whose card; empty where none was claimed.
        serial: the blank's serial number; 0 where none was reserved.
        uid: the chip UID that the service reported.
        inserted_uid: the UID of the card that lay on the reader.
        doomed: whether the card was one that loses power while it is written.
        reason: why it was spoiled or failed.
        apdus: APDUs exchanged.
        chip_seconds: between the first APDU and the last.
        mismatches: what differs between the chip and the submission, one sentence each.
    """

    job_id: str
    state: str
    record_id: str = ""
    serial: int = 0
    uid: str = ""
    inserted_uid: str = ""
    doomed: bool = False
    reason: str = ""
    apdus: int = 0
    chip_seconds: float = 0.0
    mismatches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Duplicates:
    """How well duplicates were found.

    Attributes:
        injected: submissions of a person who has another one that arrived earlier.
        found: those of them that ended as duplicates of the same person; of n submissions at most n - 1.
        false: duplicates of a person who has no other submission, or matched to another person.
        adjudicated: submissions of any kind that people must decide.
        missed: keys of injected submissions that were not found.
    """

    injected: int
    found: int
    false: int
    adjudicated: int
    missed: tuple[str, ...] = field(default=())


def count_duplicates(outcomes: Iterable[Outcome]) -> Duplicates:
    """Compare the decisions with the truth."""
    every = sorted(outcomes, key=lambda outcome: outcome.arrival)
    person_of = {outcome.record_id: outcome.person for outcome in every}
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in every:
        groups[outcome.person].append(outcome)
    found = false = 0
    missed: list[str] = []
    for person, visits in groups.items():
        said = [visit for visit in visits if visit.status == DUPLICATE]
        right = [visit for visit in said if person_of.get(visit.matching_record_id) == person]
        # A person all of whose visits were refused is wronged, however well they match each other.
        accepted = right[: len(visits) - 1]
        found += len(accepted)
        false += len(said) - len(accepted)
        unfound = [visit.key for visit in visits if visit not in accepted]
        missed += unfound[1:]
    return Duplicates(
        injected=len(every) - len(groups),
        found=found,
        false=false,
        adjudicated=sum(outcome.status == ADJUDICATE for outcome in every),
        missed=tuple(missed),
    )
