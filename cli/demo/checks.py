"""What must hold at the end of a day, whatever died in between; each check says what it saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cli.demo.outcome import ADJUDICATE, DUPLICATE, UNIQUE, Card, count_duplicates
from cli.demo.result import DayResult

REAL_FINGERS_FOUND = 0.75
"""Share of duplicates to be found in real images of any quality, often of one finger only, at the threshold
of a deduplication. How many it is tells how good images and matcher are; fewer tells that something broke.
Of synthetic people, who bring four fingers, all must be found."""

_SHOWN = 3
MADE = ("PRINTED", "HANDED_OVER")
_DECIDED = (UNIQUE, DUPLICATE, ADJUDICATE)


@dataclass(frozen=True)
class Check:
    """One condition."""

    name: str
    holds: bool
    seen: str


def check(day: DayResult) -> list[Check]:
    """All conditions, in the order of the day."""
    return [*_deduplication(day), *_cards(day), *_stock(day)]


def _deduplication(day: DayResult) -> list[Check]:
    undecided = [f"{o.nik} is {o.status}: {o.reason}" for o in day.outcomes if o.status not in _DECIDED]
    doubled = len(day.outcomes) - len({o.record_id for o in day.outcomes})
    duplicates = count_duplicates(day.outcomes)
    needed = duplicates.injected * (REAL_FINGERS_FOUND if day.fingerprints else 1.0)
    found = f"{duplicates.found} of {duplicates.injected}"
    if duplicates.missed:
        found += f"; missed {', '.join(duplicates.missed)}"
    checks = [
        Check(
            "every submission was decided, each one under a record of its own",
            not undecided and not doubled,
            _some(undecided) or f"{len(day.outcomes)} submissions, {doubled} doubled",
        ),
        Check(
            f"at least {REAL_FINGERS_FOUND:.0%} of the duplicates were found"
            if day.fingerprints
            else "every duplicate was found",
            duplicates.found >= needed,
            found,
        ),
        Check("nobody was called a duplicate falsely", duplicates.false == 0, f"{duplicates.false} false"),
    ]
    together = [o for o in day.outcomes if o.together]
    if together:
        said = sorted(o.status for o in together)
        checks.append(
            Check(
                "of one person enrolled twice at the same moment exactly one record is unique",
                said == [DUPLICATE, UNIQUE],
                " and ".join(said),
            )
        )
    return checks


def _cards(day: DayResult) -> list[Check]:
    unique = {o.record_id for o in day.outcomes if o.status == UNIQUE}
    made = made_cards(day)
    per_record = Counter(card.record_id for card in made)
    wrong = [record for record in unique if per_record[record] != 1]
    unentitled = set(per_record) - unique
    not_issued = [record for record in unique if day.final_status.get(record) != "CARD_ISSUED"]
    mismatches = [f"{card.uid}: {text}" for card in day.cards for text in card.mismatches]
    killed = sum(day.restarts.values())
    failed = [card.reason for card in day.cards if card.state not in (*MADE, "SPOILED")]
    return [
        Check(
            "every print-ready record has exactly one card, and nobody else has one",
            not wrong and not unentitled,
            f"{len(unique)} print-ready, {len(made)} cards, {len(wrong)} without exactly one, "
            f"{len(unentitled)} unentitled",
        ),
        Check(
            "every holder has the card",
            not not_issued,
            f"{len(unique) - len(not_issued)} of {len(unique)} records are CARD_ISSUED",
        ),
        Check(
            "no card job failed, unless its service was killed",
            len(failed) <= killed,
            _some(failed) or f"{len(day.cards)} jobs",
        ),
        Check(
            "every chip holds what its holder submitted, signed, read without the service that wrote it",
            not mismatches,
            _some(mismatches) or f"{len(made)} chips compared, 0 mismatches",
        ),
        Check(
            "every command to every card is in a journal that nobody has changed",
            not day.journal.broken and not day.journal.unverified and day.journal.sessions >= len(made),
            f"{day.journal.apdus} commands in {day.journal.sessions} sessions, "
            f"{'chain whole' if not day.journal.broken else f'broken at {day.journal.broken}'}, "
            f"{len(day.journal.unverified)} cards without a verified session",
        ),
    ]


def _stock(day: DayResult) -> list[Check]:
    stock, total = day.stock, day.stock.total
    made, spoiled = made_cards(day), spoiled_cards(day)
    uids = [card.uid for card in made]
    unbound = [card.serial for card in made if day.bindings.get(card.serial) != card.inserted_uid]
    parts = (
        f"{total.on_hand} on hand + {total.allocated} set aside + {total.in_transit} in transit + "
        f"{total.reserved} reserved + {total.consumed} consumed + {total.spoiled} spoiled"
    )
    died = [card for card in spoiled if card.doomed]
    killed = sum(day.restarts.values())
    return [
        Check(
            "contracted = received + outstanding",
            stock.contracted == stock.received + stock.outstanding,
            f"{stock.contracted} = {stock.received} + {stock.outstanding}",
        ),
        Check(
            "received = on hand + set aside + in transit + reserved + consumed + spoiled",
            stock.received == total.total,
            f"{stock.received} = {parts}",
        ),
        Check(
            "one blank was consumed a card, bound to the UID of the chip that lay on the reader",
            total.consumed == len(made) == len(set(uids)) and not unbound,
            f"{total.consumed} consumed, {len(made)} cards, {len(set(uids))} UIDs, "
            f"{len(unbound)} bound wrongly",
        ),
        Check(
            "the blank that died on the reader is spoiled, and no other one unless a service was killed",
            total.spoiled == len(spoiled) and 1 == len(died) <= len(spoiled) <= 1 + killed,
            f"{total.spoiled} booked, {len(spoiled)} jobs, {len(died)} injected, {killed} services killed",
        ),
        Check(
            "nothing is left reserved, set aside or on its way",
            total.reserved == total.allocated == total.in_transit == 0,
            f"{total.reserved} reserved, {total.allocated} set aside, {total.in_transit} in transit",
        ),
    ]


def _some(sentences: list[str]) -> str:
    """The first few; the report has them all."""
    more = f"; and {len(sentences) - _SHOWN} more" if len(sentences) > _SHOWN else ""
    return "; ".join(sentences[:_SHOWN]) + more


def made_cards(day: DayResult) -> list[Card]:
    """Jobs that ended with a card."""
    return [card for card in day.cards if card.state in MADE]


def spoiled_cards(day: DayResult) -> list[Card]:
    """Jobs that spoiled a blank."""
    return [card for card in day.cards if card.state == "SPOILED"]
