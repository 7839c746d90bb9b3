"""One card after the other, with what inventory, cardperso and enroll each say of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import NamedTuple, TypeAlias

from cli.cards_told import Consumed, Found, Issued, Personalized, Sources, Told
from services.common.errors import DataLoss

Each: TypeAlias = Consumed | Personalized | Issued

#: How often a card is asked for whose job goes on while it is looked at; a job has fewer steps.
_LOOKS = 8


class Card(NamedTuple):
    """What the three have of one chip."""

    chip_uid: str
    blanks: list[Consumed]
    jobs: list[Personalized]
    records: list[Issued]

    @property
    def is_whole(self) -> bool:
        """Whether each has it once, and nothing is left to do."""
        return len(self.blanks) == len(self.jobs) == len(self.records) == 1 and self.jobs[0].finished


def by_chip(told: Told) -> Iterator[Card]:
    """The cards in the order of their chips; raises :class:`DataLoss` where a service has another order."""
    streams: tuple[Iterator[Each], ...] = (
        _in_order(told.personalized, "cardperso"),
        _in_order(told.issued, "enroll"),
        _in_order(told.consumed, "inventory"),
    )
    for uid, same in groupby(merge(*streams, key=_uid), key=_uid):
        card = Card(uid, [], [], [])
        for each in same:
            if isinstance(each, Consumed):
                card.blanks.append(each)
            elif isinstance(each, Personalized):
                card.jobs.append(each)
            else:
                card.records.append(each)
        yield card


def at_rest(said: Sources, chip_uids: Iterable[str]) -> Iterator[tuple[Card, Found]]:
    """The cards of these chips, each as it was while its job did nothing.

    The three answer one after the other, and a job may go on meanwhile. So cardperso is asked again when all
    have answered: if the job is as it was before, the others are ahead of it by no more than the one step
    that it has not noted yet. If it is not, all are asked again. A card whose job never rests is taken as it
    was seen last.
    """
    waiting = list(chip_uids)
    for look in range(1, _LOOKS + 1):
        found = said.find(waiting)
        cards = {card.chip_uid: card for card in by_chip(found.told)}
        after: dict[str, list[Personalized]] = defaultdict(list)
        for job in said.jobs(waiting):
            after[job.chip_uid].append(job)
        moving = []
        for uid in waiting:
            card = cards.get(uid, Card(uid, [], [], []))
            if card.jobs != after[uid] and look < _LOOKS:
                moving.append(uid)
            else:
                yield card, found
        if not moving:
            return
        waiting = moving


def _uid(said: Each) -> str:
    return said.chip_uid


def _in_order(stream: Iterable[Each], service: str) -> Iterator[Each]:
    """The stream; cards would seem to be missing where it is not in order."""
    last = ""
    for each in stream:
        if each.chip_uid < last:
            raise DataLoss(
                "CHIPS_OUT_OF_ORDER",
                f"{service} lists chip {each.chip_uid} behind {last}.",
                remedy="Its database sorts texts in an order of its own; use the collation C.",
            )
        last = each.chip_uid
        yield each
