"""Three services, one number: blanks consumed = chips personalized = records with a card, per site and day.

Each service tells what it knows, and none of them can make the other two agree: inventory has the serial and
the chip UID, cardperso the serial, the chip UID and the record, enroll the record and the chip UID. The chip
UID, which is unique for ever, brings them together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Consumed:
    """A blank that became a card, by inventory; ``day`` is ISO, as everywhere here."""

    serial: int
    location: str
    chip_uid: str
    day: str
    #: Why the card came back, if it did. It was made all the same, and belongs to the day it was made on.
    withdrawn: str = ""


@dataclass(frozen=True)
class Personalized:
    """A chip that was written and verified, by cardperso; ``day`` is that of the job's last change."""

    job_id: str
    serial: int
    location: str
    chip_uid: str
    record_id: str
    day: str
    created: str = ""
    #: Whether everybody has been told of the card.
    finished: bool = True

    def concerns(self, has_place: Callable[[str], bool]) -> bool:
        """Whether the job is finished and was made there."""
        return self.finished and has_place(self.location)


@dataclass(frozen=True)
class Issued:
    """A record whose card is printed or handed over, by enroll."""

    record_id: str
    region: str
    chip_uid: str
    day: str
    created: str = ""


@dataclass(frozen=True)
class PutAside:
    """A blank that cardperso has spoiled, with what a second person said of it; ``booked`` is whether the
    inventory has it among what waits for destruction, ``untold`` what a neighbour has yet to hear.
    """

    job_id: str
    serial: int
    location: str
    day: str
    reviewed: bool
    booked: bool
    untold: str


@dataclass(frozen=True)
class Difference:
    """One card on which the services do not agree."""

    location: str
    day: str
    serial: int
    chip_uid: str
    record_id: str
    what: str


@dataclass
class Tally:
    """What each service counts at one site on one day."""

    consumed: int = 0
    personalized: int = 0
    issued: int = 0
    #: Of those consumed, cards that came back.
    withdrawn: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the three numbers are one."""
        return self.consumed == self.personalized == self.issued


@dataclass
class Reconciliation:
    """Tallies by site and day, and every difference with its serial."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    differences: list[Difference] = field(default_factory=list)
    put_aside: list[PutAside] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs anywhere."""
        return not self.differences and all(tally.agrees for tally in self.tallies.values())


def reconcile(
    consumed: Sequence[Consumed],
    personalized: Sequence[Personalized],
    issued: Sequence[Issued],
    put_aside: Iterable[PutAside] = (),
) -> Reconciliation:
    """Compare what the services know of the same days.

    Blanks that were ``put_aside`` are no cards: they are listed, and differ where the inventory does not have
    them as spoiled. A job that is not finished counts for none, and explains why its card
    is missing.
    """
    found = Reconciliation()
    blanks = {each.chip_uid: each for each in consumed}
    finished = [each for each in personalized if each.finished]
    waiting = {each.chip_uid: each for each in personalized if not each.finished}
    jobs = {each.chip_uid: each for each in finished}
    records = {each.chip_uid: each for each in issued}
    found.differences += _twice(finished, issued)
    for uid in sorted(blanks.keys() | jobs.keys() | records.keys()):
        blank, job, record = blanks.get(uid), jobs.get(uid), records.get(uid)
        location, day = _where(blank, job, record)
        tally = found.tallies[location, day]
        tally.consumed += blank is not None
        tally.withdrawn += bool(blank and blank.withdrawn)
        tally.personalized += job is not None
        tally.issued += record is not None
        serial = blank.serial if blank else job.serial if job else 0
        record_id = record.record_id if record else job.record_id if job else ""
        for what in _differences(blank, job, record, waiting.get(uid)):
            found.differences.append(Difference(location, day, serial, uid, record_id, what))
    found.put_aside = sorted(put_aside, key=lambda each: (each.location, each.day, each.serial))
    found.differences += [
        Difference(each.location, each.day, each.serial, "", "", _NOT_SPOILED)
        for each in found.put_aside
        if not each.booked
    ]
    found.differences.sort(key=lambda each: (each.location, each.day, each.serial, each.chip_uid))
    return found


_NOT_SPOILED = "cardperso has spoiled this blank, inventory has not"


def _where(blank: Consumed | None, job: Personalized | None, record: Issued | None) -> tuple[str, str]:
    """Site and day that a card is counted at: inventory's word before cardperso's before enroll's."""
    if blank is not None:
        return blank.location, blank.day
    if job is not None:
        return job.location, job.day
    assert record is not None
    return record.region, record.day


def _differences(
    blank: Consumed | None, job: Personalized | None, record: Issued | None, waiting: Personalized | None
) -> list[str]:
    what = []
    if blank is None:
        what.append("inventory knows no blank that was consumed with this chip")
    if job is None and waiting is not None:
        what.append(f"cardperso has not finished its job {waiting.job_id}")
    elif job is None:
        what.append("cardperso has personalized no such chip")
    if record is None:
        what.append("enroll has no record with this card")
    if blank and job and blank.serial != job.serial:
        what.append(f"inventory has it on blank {blank.serial}, cardperso on blank {job.serial}")
    if blank and job and blank.location != job.location:
        what.append(f"consumed at {blank.location}, personalized at {job.location}")
    if job and record and job.record_id != record.record_id:
        what.append(f"cardperso wrote it for record {job.record_id}, enroll has it on {record.record_id}")
    return what


def _twice(personalized: Sequence[Personalized], issued: Sequence[Issued]) -> list[Difference]:
    """A chip that one service knows more than once."""
    jobs = Counter(each.chip_uid for each in personalized)
    records = Counter(each.chip_uid for each in issued)
    last_job = {each.chip_uid: each for each in personalized}
    last_record = {each.chip_uid: each for each in issued}
    found = [
        Difference(
            last_job[uid].location,
            last_job[uid].day,
            last_job[uid].serial,
            uid,
            last_job[uid].record_id,
            f"cardperso has this chip {times} times",
        )
        for uid, times in jobs.items()
        if times > 1
    ]
    return found + [
        Difference(
            last_record[uid].region,
            last_record[uid].day,
            0,
            uid,
            last_record[uid].record_id,
            f"enroll has this chip on {times} records",
        )
        for uid, times in records.items()
        if times > 1
    ]
