"""Everything that a finished day is judged and reported by."""

from __future__ import annotations

from dataclasses import dataclass

from cli.demo.outcome import Card, Outcome


@dataclass(frozen=True)
class Level:
    """Counts of blanks at one location, as the inventory gives them."""

    location: str
    on_hand: int
    allocated: int
    in_transit: int
    reserved: int
    consumed: int
    spoiled: int

    @property
    def total(self) -> int:
        """All blanks there."""
        return self.on_hand + self.allocated + self.in_transit + self.reserved + self.consumed + self.spoiled


@dataclass(frozen=True)
class Stock:
    """Blanks at the end of the day.

    Attributes:
        contracted: by all contracts.
        received: delivered and taken into stock.
        outstanding: still owed.
        allocated_to_region: moved to the regency during the day.
        levels: by location.
        total: over all locations.
    """

    contracted: int
    received: int
    outstanding: int
    allocated_to_region: int
    levels: tuple[Level, ...]
    total: Level


@dataclass(frozen=True)
class Custody:
    """One step in the life of a blank, for people to read."""

    time: str
    kind: str
    source: str
    target: str
    actor: str
    reason: str


@dataclass(frozen=True)
class Picture:
    """A fingerprint image (PNG) and minutiae in its pixels: x, y from the upper left, angle in degrees."""

    png: bytes
    minutiae: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class MatchedPair:
    """One duplicate's finger beside the finger it matched.

    Attributes:
        probe: of the later submission.
        reference: of the earlier one.
        pairs: indices into the minutiae of both.
        score: natural log-likelihood ratio.
        probe_caption: who the probe claims to be.
        reference_caption: who the reference is.
        finger: name of the finger.
    """

    probe: Picture
    reference: Picture
    pairs: tuple[tuple[int, int], ...]
    score: float
    probe_caption: str
    reference_caption: str
    finger: str


@dataclass(frozen=True)
class Faces:
    """Both sides of one card, PNG."""

    name: str
    uid: str
    serial: int
    front: bytes
    back: bytes


@dataclass(frozen=True)
class Journal:
    """The journal of the card station.

    Attributes:
        sessions: with cards.
        apdus: in them.
        broken: first session of the chain that is missing or was changed; 0 where all hold.
        unverified: jobs with a card whose last session does not say that it was verified.
    """

    sessions: int
    apdus: int
    broken: int
    unverified: tuple[str, ...]


@dataclass(frozen=True)
class DayResult:
    """A finished day.

    Attributes:
        region: code of the regency.
        region_name: its name.
        seed: of the population and of all request ids.
        fingerprints: where real images came from; empty for synthetic ones.
        started: date and time in the regency, for people.
        machine: what it ran on, for people.
        people: how many different people came.
        outcomes: by submission.
        cards: by job.
        bindings: chip UID by blank serial number, as the inventory has it.
        journal: what the card station wrote down of its cards.
        final_status: status of each record at the end of the day, by record id.
        stock: at the end.
        spoiled_custody: the life of the first spoiled blank.
        matched: a duplicate to look at; None where there is none.
        faces: some cards to look at.
        seconds: by stage, in order.
        rpc: count, p50 and p99 by method.
        restarts: by service.
    """

    region: str
    region_name: str
    seed: int
    fingerprints: str
    started: str
    machine: str
    people: int
    outcomes: tuple[Outcome, ...]
    cards: tuple[Card, ...]
    bindings: dict[int, str]
    journal: Journal
    final_status: dict[str, str]
    stock: Stock
    spoiled_custody: tuple[Custody, ...]
    matched: MatchedPair | None
    faces: tuple[Faces, ...]
    seconds: dict[str, float]
    rpc: dict[str, dict[str, float]]
    restarts: dict[str, int]
