"""The use behind a forecast: what was used each day, what is expected, and what changed on the way."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from matplotlib import dates
from tunggal.inventory.v1 import planning_pb2

_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#E69F00", "#009E73", "#999999"
#: Its functions have no types of their own.
_dates: Final[Any] = dates


def use(axes: Any, each: planning_pb2.LocationForecast, start: date, last: date) -> None:
    """Bars of the last days up to ``start``, hollow where an empty shelf hid the demand; the expected use of
    the days until ``last``; and the days on which the level changed or the site closes.
    """
    first = start - timedelta(days=len(each.used))
    hidden = set(each.empty_days)
    for label, colour, empty in (("used", _GREY, False), ("used, the shelf was empty then", "none", True)):
        days = [k for k in range(len(each.used)) if (k in hidden) is empty and (each.used[k] or empty)]
        if days:
            edge = {"edgecolor": _GREY, "hatch": "////", "linewidth": 0.5} if empty else {}
            heights = [max(each.used[k], 0.02 * max(each.used)) if empty else each.used[k] for k in days]
            axes.bar([first + timedelta(days=k) for k in days], heights, color=colour, label=label, **edge)
    ahead = [k for k in range((last - start).days + 1) if k < len(each.expected_use)]
    axes.plot(
        [start + timedelta(days=k) for k in ahead],
        [each.expected_use[k] for k in ahead],
        color=_BLUE,
        linewidth=1.0,
        drawstyle="steps-mid",
        label="expected use",
    )
    top = 1.3 * max([*each.used, *(each.expected_use[k] for k in ahead), 1.0])
    for day, colour, text in (
        (each.changed_since, _GREEN, f"{each.change:,.1f} × the level before"),
        (each.surging_since, _ORANGE, f"{each.surge:,.1f} × the level"),
        (each.closes, "black", "closes"),
    ):
        if day and first <= date.fromisoformat(day) <= last:
            at = _dates.date2num(date.fromisoformat(day))
            axes.axvline(at, color=colour, linewidth=1.2, linestyle="--")
            axes.annotate(
                f"{date.fromisoformat(day):%-d %b}: {text}",
                (at, 0.93 * top),
                (4, 0),
                textcoords="offset points",
                color=colour,
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )
    axes.axvline(_dates.date2num(start), color="black", linewidth=0.8, alpha=0.6)
    axes.set_xlim(_dates.date2num(first) - 0.5, _dates.date2num(last))
    axes.set_ylim(0, top)
    axes.set_ylabel("blanks a day")
