"""Who sends what to whom: the shares of a plan as shipments, none below its least size.

What a location gets may come from several senders, and each of these shipments has to be worth its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

#: The sender whose stock is shared out, among those who lend.
SOURCE: Final = ""
#: Pairs of senders and receivers up to which the fewest shipments are looked for, and for how long.
_PAIRS: Final = 400
_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Shipment:
    """What one sender sends to one receiver."""

    #: A location that lends, or :data:`SOURCE`.
    sender: str
    receiver: str
    lots: int


def shipments(gets: Mapping[str, int], could: Mapping[str, int], least: int) -> list[Shipment] | None:
    """Shipments of at least so many lots with which each location gets what it is to get; ``None`` where
    none were found.

    Args:
        gets: Lots that each location gets, or gives, where that is below zero.
        could: Lots that each sender could give as well, where these cannot be sent as they are.
        least: Lots of the smallest shipment.

    """
    wants = {place: lots for place, lots in gets.items() if lots > 0}
    has = {SOURCE: sum(gets.values())} | {place: -lots for place, lots in gets.items() if lots < 0}
    simple = _one_after_the_other(has, wants)
    if all(each.lots >= least for each in simple):
        return simple
    able = {place: lots for place, lots in could.items() if lots >= least and place not in wants}
    found = _largest_first(able, wants, least)
    if found is None and 0 < len(able) * len(wants) <= _PAIRS:
        found = _fewest(able, wants, least)
    return found


def _one_after_the_other(has: Mapping[str, int], wants: Mapping[str, int]) -> list[Shipment]:
    """The source first, then whoever lends."""
    left = dict(has)
    found = []
    for receiver, lots in wants.items():
        wanted = lots
        while wanted > 0:
            sender = next(place for place, units in left.items() if units > 0)
            sent = min(wanted, left[sender])
            found.append(Shipment(sender, receiver, sent))
            left[sender] -= sent
            wanted -= sent
    return found


def _largest_first(has: Mapping[str, int], wants: Mapping[str, int], least: int) -> list[Shipment] | None:
    """Whoever wants the most is served first, by one sender if that can be, with the least to spare."""
    left = dict(has)
    found = []
    for receiver, lots in sorted(wants.items(), key=lambda want: -want[1]):
        wanted = lots
        while wanted > 0:
            enough = [place for place, units in left.items() if units >= wanted]
            if enough:
                sender, sent = min(enough, key=left.__getitem__), wanted
            elif left:
                # What is left to be sent has to be worth its way, too.
                sender = max(left, key=left.__getitem__)
                sent = min(left[sender], wanted - least)
            else:
                return None
            if sent < least:
                return None
            found.append(Shipment(sender, receiver, sent))
            left[sender] -= sent
            wanted -= sent
    return found


def _fewest(has: Mapping[str, int], wants: Mapping[str, int], least: int) -> list[Shipment] | None:
    """The fewest shipments of at least so many lots each; ``None`` where none were found."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import block_array, diags_array, eye_array, kron

    senders, receivers = list(has), list(wants)
    count = len(senders) * len(receivers)
    each = eye_array(count)
    most = np.minimum.outer(list(has.values()), list(wants.values())).ravel().astype(float)
    of_sender = kron(eye_array(len(senders)), np.ones((1, len(receivers))))
    of_receiver = kron(np.ones((1, len(senders))), eye_array(len(receivers)))
    wanted = np.array(list(wants.values()), float)
    # The unknowns are the lots of each pair, and whether it has a shipment.
    rows = [[of_sender, None], [of_receiver, None], [each, -least * each], [-each, diags_array(most)]]
    solved = milp(
        np.concatenate([np.zeros(count), np.ones(count)]),
        constraints=LinearConstraint(
            block_array(rows, format="csr"),
            np.concatenate([np.zeros(len(senders)), wanted, np.zeros(2 * count)]),
            np.concatenate([list(has.values()), wanted, np.full(2 * count, np.inf)]),
        ),
        integrality=np.ones(2 * count),
        bounds=Bounds(np.zeros(2 * count), np.concatenate([most, np.ones(count)])),
        options={"time_limit": _SECONDS},
    )
    if solved.x is None:
        return None
    lots = np.rint(solved.x[:count]).astype(int).reshape(len(senders), len(receivers))
    return [
        Shipment(sender, receiver, int(lots[i, k]))
        for k, receiver in enumerate(receivers)
        for i, sender in enumerate(senders)
        if lots[i, k]
    ]
