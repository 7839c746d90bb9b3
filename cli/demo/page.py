"""`report.html`: the day for people, one file without anything from outside."""

from __future__ import annotations

import io
import math
from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from cli.demo.charts import Funnel, data_uri, funnel, matched_minutiae
from cli.demo.checks import check, made_cards, spoiled_cards
from cli.demo.outcome import ADJUDICATE, DUPLICATE, UNIQUE, Outcome, count_duplicates
from cli.demo.report import report
from cli.demo.result import DayResult, Faces

CARDS_SHOWN = 3
_FACE_WIDTH = 760


def page(day: DayResult) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seconds"] = _seconds
    environment.filters["thousands"] = lambda number: f"{number:,}"
    checks = check(day)
    numbers = report(day)
    return environment.get_template(
        "report.html.j2"
    ).render(
        day=day,
        report=numbers,
        checks=checks,
        failed=[item for item in checks if not item.holds],
        duplicates=count_duplicates(day.outcomes),
        duplicate_rows=_duplicate_rows(day),
        funnel=Markup(funnel(_funnel(day))),  # noqa: S704
        match=_match(day),
        cards=[_card(faces) for faces in day.faces[:CARDS_SHOWN]],
        spoiled=spoiled_cards(day)[:1],
        stages=_stages(day),
        stock_bar=_stock_bar(numbers["stock"]),
        chip=_chip(day),
    )


def _funnel(day: DayResult) -> Funnel:
    counts = Counter(outcome.status for outcome in day.outcomes)
    decided = [o for o in day.outcomes if o.status != "BIO_CAPTURED"]
    return Funnel(
        submitted=len(day.outcomes),
        decided=len(decided),
        print_ready=counts[UNIQUE],
        duplicate=counts[DUPLICATE],
        adjudicate=counts[ADJUDICATE],
        failed=len(decided) - counts[UNIQUE] - counts[DUPLICATE] - counts[ADJUDICATE],
        printed=len(made_cards(day)),
        issued=sum(status == "CARD_ISSUED" for status in day.final_status.values()),
    )


def _duplicate_rows(day: DayResult) -> list[dict[str, Any]]:
    """One row a submission that is a duplicate in truth or by decision."""
    by_record = {outcome.record_id: outcome for outcome in day.outcomes}
    missed = set(count_duplicates(day.outcomes).missed)
    rows = []
    for outcome in day.outcomes:
        if outcome.status not in (DUPLICATE, ADJUDICATE) and outcome.key not in missed:
            continue
        match = by_record.get(outcome.matching_record_id)
        rows.append({"outcome": outcome, "match": match, "verdict": _verdict(outcome, match, missed)})
    return rows


def _verdict(outcome: Outcome, match: Outcome | None, missed: set[str]) -> tuple[str, str]:
    if outcome.status == ADJUDICATE:
        return "warn", "people decide"
    if outcome.key in missed and outcome.status == UNIQUE:
        return "bad", "missed"
    if match is None or match.person != outcome.person:
        return "bad", "false"
    return "good", "found, at the same moment" if outcome.together else "found"


def _match(day: DayResult) -> dict[str, Any] | None:
    if day.matched is None:
        return None
    sizes = [
        Image.open(io.BytesIO(picture.png)).size for picture in (day.matched.probe, day.matched.reference)
    ]
    return {
        "svg": Markup(matched_minutiae(day.matched, (sizes[0], sizes[1]))),  # noqa: S704
        "pairs": len(day.matched.pairs),
        "score": day.matched.score,
        "odds": _odds(day.matched.score),
        "finger": day.matched.finger,
        "probe": day.matched.probe_caption,
        "reference": day.matched.reference_caption,
    }


def _odds(score: float) -> str:
    """In words up to a million: what lies beyond was never measured."""
    if score > math.log(1e6):
        return "over a million to one"
    return f"{math.exp(score):,.0f} : 1"


def _card(faces: Faces) -> dict[str, Any]:
    return {
        "name": faces.name,
        "uid": faces.uid,
        "serial": faces.serial,
        "front": data_uri(_smaller(faces.front), "image/webp"),
        "back": data_uri(_smaller(faces.back), "image/webp"),
    }


def _smaller(png: bytes) -> bytes:
    """The face at screen size: the full one lies beside the report."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((_FACE_WIDTH, _FACE_WIDTH), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=82, method=6)
    return out.getvalue()


_STAGES = {
    "start": "Start services",
    "people": "Capture people",
    "licences": "License",
    "stock": "Supply blanks",
    "enrol": "Enrol",
    "deduplicate": "Deduplicate",
    "cards": "Make cards",
    "reconcile": "Reconcile",
}


def _stages(day: DayResult) -> list[dict[str, Any]]:
    longest = max(day.seconds.values(), default=1.0) or 1.0
    return [
        {"name": _STAGES[name], "seconds": seconds, "share": 100 * seconds / longest}
        for name, seconds in day.seconds.items()
    ]


def _stock_bar(stock: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [
        ("on_hand", "on hand"),
        ("set_aside", "set aside"),
        ("in_transit", "in transit"),
        ("reserved", "reserved"),
        ("consumed", "became cards"),
        ("spoiled", "spoiled"),
    ]
    received = max(stock["received"], 1)
    return [
        {"kind": key, "label": label, "count": stock[key], "share": 100 * stock[key] / received}
        for key, label in parts
        if stock[key]
    ]


def _chip(day: DayResult) -> dict[str, float]:
    made = made_cards(day)
    if not made:
        return {"apdus": 0, "ms": 0.0}
    seconds = sorted(card.chip_seconds for card in made)
    return {
        "apdus": sorted(card.apdus for card in made)[len(made) // 2],
        "ms": 1000 * seconds[len(seconds) // 2],
    }


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
