"""Drawings of forecasts, plans and contracts as PNG or SVG, by the name of the file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import dates
from matplotlib.ticker import FuncFormatter
from tunggal.inventory.v1 import contracts_pb2, planning_pb2

from cli import use_plot
from cli.places import name_of

#: Its functions have no types of their own.
_dates: Final[Any] = dates

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008).
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#999999"
_OF_CONSTRAINT: Final = {
    planning_pb2.CONSTRAINT_MAINTENANCE: ("maintenance ended", "#CC79A7"),
    planning_pb2.CONSTRAINT_LICENCE: ("ABIS licence ended", "#56B4E9"),
    planning_pb2.CONSTRAINT_PRINTERS: ("printers", _ORANGE),
    planning_pb2.CONSTRAINT_RIBBON: ("ribbon", "#F0E442"),
    planning_pb2.CONSTRAINT_BLANKS: ("blanks", _RED),
    planning_pb2.CONSTRAINT_LICENCE_FULL: ("ABIS licence full", "#1B4F72"),
    planning_pb2.CONSTRAINT_SEARCHES: ("ABIS searches", "#7FB3D5"),
}
_MOST_PANELS: Final = 12
_STYLE: Final[Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.dpi": 110,
    "svg.fonttype": "none",
    "svg.hashsalt": "tunggal",
}


def forecast(found: Sequence[planning_pb2.LocationForecast], of_all: int, start: date, path: Path) -> None:
    """Blanks left each evening with the 80 % interval, and below it what holds cards back, of those that run
    dry first ``of_all``.
    """
    last = _end_of_interest(found, start)
    with plt.rc_context(_STYLE):
        columns = 1 if len(found) == 1 else 3 if len(found) > 4 else 2
        rows = -(-max(len(found), 1) // columns)
        # There is room for the use behind the forecast of one.
        alone = len(found) == 1 and bool(found[0].used)
        size = (9.0, 7.4 if alone else 4.6) if columns == 1 else (5.2 * columns, 3.2 * rows)
        figure, grid = plt.subplots(rows + alone, columns, figsize=size, squeeze=False)
        if alone:
            use_plot.use(grid[1, 0], found[0], start, last)
            _days(grid[1, 0])
            grid[1, 0].yaxis.set_major_formatter(_thousands())
            why = textwrap.fill(found[0].explanation, 110, break_on_hyphens=False)
            grid[1, 0].set_title(why, loc="left", fontsize=9)
        for axes, each in zip(grid.flat, found, strict=False):
            _path(axes, each, start, last)
        for axes in list(grid.flat)[len(found) + alone :]:
            axes.set_visible(False)
        legend = {
            label: handle
            for axes in grid.flat
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        columns_of = min(len(legend), 5)
        figure.legend(legend.values(), legend.keys(), loc="lower center", ncol=columns_of, frameon=False)
        top = 1.0
        if len(found) < of_all:
            text = f"Those {len(found)} of {of_all:,} locations that run dry first"
            figure.suptitle(text, x=0.01, ha="left", fontsize=12)
            top = 0.98
        figure.tight_layout(rect=(0, 0.08 if rows == 1 or alone else 0.04, 1, top))
        _save(figure, path)


def soonest(forecasts: Sequence[planning_pb2.LocationForecast]) -> list[planning_pb2.LocationForecast]:
    """Those that run dry first, as many as a drawing has room for."""
    return sorted(forecasts, key=lambda each: (each.run_dry or "9", each.location))[:_MOST_PANELS]


def _end_of_interest(found: Sequence[planning_pb2.LocationForecast], start: date) -> date:
    """The last day worth drawing: some time after the last one has run dry, for nothing happens then."""
    end = start + timedelta(days=max(len(each.expected_blanks) for each in found) - 1)
    if not all(each.run_dry for each in found):
        return end
    dry = max(date.fromisoformat(each.run_dry_late or each.run_dry) for each in found)
    return min(end, max(dry + (dry - start) / 3, start + timedelta(days=28)))


def plan(found: planning_pb2.Plan, path: Path) -> None:
    """Working days that each location lasts, before and with the plan."""
    shares = sorted(found.shares, key=lambda each: each.days_before)
    with plt.rc_context(_STYLE):
        wide = len(shares) > 60
        figure, axes = plt.subplots(figsize=(10.5, 5.0) if wide else (9.0, 1.6 + 0.3 * len(shares)))
        before, after = [s.days_before for s in shares], [s.days_after for s in shares]
        if wide:
            axes.plot(range(len(shares)), before, color=_GREY, label="as it is")
            axes.vlines(range(len(shares)), before, after, color=_BLUE, alpha=0.15, linewidth=1.2)
            axes.plot(range(len(shares)), after, ".", color=_BLUE, markersize=4, label="with the plan")
            axes.set_xlabel(f"{len(shares)} locations, those that run dry first on the left")
            axes.set_ylabel("working days until it runs dry")
        else:
            places = range(len(shares))
            axes.hlines(places, before, after, color=_GREY, linewidth=1.5)
            axes.scatter(before, places, color=_GREY, zorder=3, label="as it is")
            axes.scatter(after, places, color=_BLUE, zorder=3, label="with the plan")
            axes.set_yticks(list(places), [f"{s.location} {name_of(s.location)}" for s in shares])
            axes.invert_yaxis()
            axes.set_xlabel("working days until it runs dry")
            # Room for the units written beside the dots.
            axes.margins(x=0.18)
            for place, share in zip(places, shares, strict=True):
                if share.units:
                    axes.annotate(
                        f"{share.units:+,}",
                        (max(share.days_before, share.days_after), place),
                        (8, 0),
                        textcoords="offset points",
                        va="center",
                        fontsize=9,
                        color=_BLUE if share.units > 0 else _ORANGE,
                    )
        given = found.available - found.left_over
        source = f"{found.source} {name_of(found.source)}"
        axes.set_title(f"{given:,} units of {found.item} from {source}", loc="left", fontsize=11, pad=26)
        axes.axvline(0, color="black", linewidth=0.8) if not wide else axes.axhline(
            0, color="black", linewidth=0.8
        )
        _legend_above(axes)
        figure.tight_layout()
        _save(figure, path)


def contract(
    file: contracts_pb2.ContractFile, received: Sequence[tuple[date, int]], today: date, path: Path
) -> None:
    """What was due and what came, summed up over the days; ``received`` is each delivery's day and units. Of
    what is not delivered, the days on which it is valid.
    """
    if not file.terms.quantity:
        _validity(file, today, path)
        return
    due = sorted((date.fromisoformat(each.due), each.quantity) for each in file.deliveries)
    came = sorted(received)
    days = [today, *(day for day, _ in due), *(day for day, _ in came)]
    # At least some weeks on each side: one delivery today is no spike on the edge.
    first, last = min(days) - timedelta(days=28), max(days) + timedelta(days=28)
    unit = f"{file.terms.item}s" if file.terms.item else "units"
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(9.0, 4.4))
        axes.axhline(
            file.terms.quantity, color=_GREEN, linewidth=1.2, label=f"contracted {file.terms.quantity:,}"
        )
        if due:
            promised = sum(units for _, units in due)
            _steps(axes, due, first, last, _ORANGE, "--", f"due {promised:,} in all")
        total = sum(units for _, units in came)
        _steps(axes, came, first, today, _BLUE, "-", f"received {total:,}")
        _today(axes, today)
        axes.set_xlim(_dates.date2num(first), _dates.date2num(last))
        axes.set_ylim(0, 1.15 * max(file.terms.quantity, 1))
        _days(axes)
        axes.yaxis.set_major_formatter(_thousands())
        axes.set_ylabel(unit)
        axes.set_title(_title(file), loc="left", fontsize=11, pad=26)
        _legend_above(axes)
        figure.tight_layout()
        _save(figure, path)


def _validity(file: contracts_pb2.ContractFile, today: date, path: Path) -> None:
    """The days of a licence or of maintenance as a bar, and where today is."""
    last = date.fromisoformat(file.terms.valid_until)
    since = date.fromisoformat(file.terms.valid_from) if file.terms.valid_from else min(today, last)
    first_day, last_day = min(since, today), max(last, today)
    margin = max((last_day - first_day) / 12, timedelta(days=14))
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(9.0, 2.4))
        left, length = _dates.date2num(since), (last - since).days + 1
        bar = axes.barh([0], [length], left=left, height=0.4, color=_BLUE if today <= last else _GREY)
        axes.bar_label(bar, [f"valid until {last}"], label_type="center", color="white", fontsize=10)
        _today(axes, today)
        axes.set_xlim(_dates.date2num(first_day - margin), _dates.date2num(last_day + margin))
        axes.set_ylim(-0.5, 0.7)
        axes.set_yticks([])
        _days(axes)
        axes.set_title(_title(file), loc="left", fontsize=11)
        figure.tight_layout()
        _save(figure, path)


def _title(file: contracts_pb2.ContractFile) -> str:
    return textwrap.shorten(f"{file.contract_id} · {file.terms.supplier}", 100, placeholder="…")


def _today(axes: Any, today: date) -> None:
    axes.axvline(_dates.date2num(today), color="black", linewidth=0.8, alpha=0.6)
    axes.annotate(
        "today",
        (_dates.date2num(today), 1),
        (4, -12),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        fontsize=9,
    )


def _legend_above(axes: Any) -> None:
    """Beside nothing: above the drawing."""
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncol=3, borderaxespad=0.2)


def _steps(
    axes: Any,
    deliveries: Sequence[tuple[date, int]],
    first: date,
    last: date,
    colour: str,
    style: str,
    label: str,
) -> None:
    """Deliveries summed up from ``first`` to ``last``, with a dot for each."""
    sums = [0]
    for _, units in deliveries:
        sums.append(sums[-1] + units)
    days: list[Any] = [first, *(day for day, _ in deliveries), last]
    axes.step(days, [*sums, sums[-1]], where="post", color=colour, linestyle=style, label=label)
    axes.plot([day for day, _ in deliveries], sums[1:], "o", color=colour, markersize=4)


def _path(axes: Any, each: planning_pb2.LocationForecast, start: date, last: date) -> None:
    days = [start + timedelta(days=k) for k in range(len(each.expected_blanks))]
    axes.fill_between(
        days, each.blanks_high_demand, each.blanks_low_demand, color=_BLUE, alpha=0.18, label="80 % interval"
    )
    axes.plot(days, each.expected_blanks, color=_BLUE, label="blanks left")
    axes.axhline(each.reorder_point, color=_GREEN, linewidth=1, linestyle="--", label="reorder point")
    top = max([*each.blanks_low_demand, each.reorder_point, 1.0])
    for span in each.spans:
        name, colour = _OF_CONSTRAINT[span.constraint]
        left, right = (
            date.fromisoformat(span.first_day),
            date.fromisoformat(span.last_day) + timedelta(days=1),
        )
        axes.axvspan(left, right, ymin=0, ymax=0.035, color=colour, label=f"held back by {name}")
    if each.run_dry:
        axes.axvline(_dates.date2num(date.fromisoformat(each.run_dry)), color=_RED, linewidth=1.2)
        axes.annotate(
            f"runs dry {date.fromisoformat(each.run_dry):%-d %b}",
            (_dates.date2num(date.fromisoformat(each.run_dry)), 0.93 * top),
            (5, 0),
            textcoords="offset points",
            color=_RED,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    axes.set_ylim(0, 1.05 * top)
    axes.set_xlim(_dates.date2num(start), _dates.date2num(last))
    axes.set_ylabel("blanks")
    _days(axes)
    axes.yaxis.set_major_formatter(_thousands())
    axes.set_title(f"{each.location} {name_of(each.location)}", loc="left", fontsize=11)


def _days(axes: Any) -> None:
    locator = _dates.AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(_dates.ConciseDateFormatter(locator))


def _thousands() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{value:,.0f}")


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same drawing twice is the same file.
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
    figure.savefig(path, metadata=metadata)
    plt.close(figure)
