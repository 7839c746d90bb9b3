"""Why a forecast says what it says, in one line that anyone can check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from services.inventory.planning.demand import Demand
from services.inventory.words import counted

#: Less growth a year is none that is worth a word.
_GROWTH: Final = 0.03


@dataclass(frozen=True)
class Reasons:
    """What the demand of one location is made of."""

    #: Working days on which its use told the demand, and the arrivals of 28 days where enroll reports them.
    told_days: int = 0
    arrivals: int | None = None
    #: Day since which the level is another one, and how many times the one before it is.
    changed_since: date | None = None
    change: float = 1.0
    #: Day since which use is so many times the level, which may be a campaign.
    surging_since: date | None = None
    surge: float = 1.0
    #: How many times as much is used after a year.
    growth: float = 1.0
    #: Last day of a site.
    closes: date | None = None


def of_use(model: Demand, row: int, last: date, told_days: int, closes: date | None) -> Reasons:
    """Those of a location whose own use, known until ``last``, tells its demand."""
    changes = model.changes
    return Reasons(
        told_days=told_days,
        changed_since=_since(last, int(changes.jump_age[row])),
        change=float(np.exp(changes.jump_size[row])),
        surging_since=_since(last, int(changes.surge_age[row])),
        surge=float(np.exp(changes.surge_size[row])),
        growth=float(np.exp(365 * model.growth[row])),
        closes=closes,
    )


def explained(why: Reasons, per_day: float, waiting: int, today: date) -> str:
    """The line."""
    if why.arrivals is not None:
        arrivals = counted(why.arrivals, "arrival")
        parts = [f"{per_day:,.1f} a working day by {arrivals} of 28 days that enrolment reported"]
    elif why.told_days:
        parts = [f"{per_day:,.1f} a working day by own use of {counted(why.told_days, 'working day')}"]
    else:
        parts = ["no day of use has ended here yet"]
    if why.changed_since:
        parts.append(f"since about {why.changed_since:%-d %B %Y} {why.change:,.1f} times what it was before")
    if why.surging_since:
        parts.append(
            f"since {why.surging_since:%-d %B %Y} {why.surge:,.1f} times that was used: a campaign, or a "
            "level that stays, so the interval reaches that far"
        )
    if abs(why.growth - 1) >= _GROWTH:
        parts.append(f"{'rising' if why.growth > 1 else 'falling'} by {abs(why.growth - 1):.0%} a year")
    if waiting:
        parts.append(counted(waiting, "person who waits comes first", "people who wait come first"))
    if why.closes and why.closes < today:
        parts.append(f"the site was to close on {why.closes:%-d %B %Y}: nobody comes any more")
    elif why.closes:
        parts.append(f"the site closes on {why.closes:%-d %B %Y}")
    return "; ".join(parts) + "."


def _since(last: date, age: int) -> date | None:
    return last - timedelta(days=age - 1) if age else None
