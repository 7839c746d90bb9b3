"""`report.json`: the day in numbers, for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from cli.demo.checks import check, made_cards, spoiled_cards
from cli.demo.outcome import ADJUDICATE, DUPLICATE, UNIQUE, count_duplicates
from cli.demo.result import DayResult


def report(day: DayResult) -> dict[str, Any]:
    """The report as plain data.

    `enrolled` counts people, `submitted` their records; `stock.allocated` is what was moved to the regency
    during the day, `stock.set_aside` what waits for dispatch at its end. Times are in seconds unless
    the name says milliseconds.
    """
    duplicates = count_duplicates(day.outcomes)
    statuses = Counter(outcome.status for outcome in day.outcomes)
    submitted_people = {outcome.person for outcome in day.outcomes}
    stock = day.stock
    checks = check(day)
    return {
        "ok": all(item.holds for item in checks),
        "checks": [asdict(item) for item in checks],
        "region": day.region,
        "seed": day.seed,
        "fingerprints": day.fingerprints or "synthetic",
        "started": day.started,
        "machine": day.machine,
        "enrolled": len(submitted_people),
        "submitted": len(day.outcomes),
        "duplicates": {
            "injected": duplicates.injected,
            "found": duplicates.found,
            "false": duplicates.false,
            "adjudicated": duplicates.adjudicated,
            "missed": list(duplicates.missed),
        },
        "print_ready": statuses[UNIQUE],
        "adjudicate": statuses[ADJUDICATE],
        "enroll_failures": sum(
            n for status, n in statuses.items() if status not in (UNIQUE, DUPLICATE, ADJUDICATE)
        ),
        "cards_issued": sum(status == "CARD_ISSUED" for status in day.final_status.values()),
        "spoiled": len(spoiled_cards(day)),
        "chip_readback_mismatches": sum(len(card.mismatches) for card in day.cards),
        "journal": {
            "sessions": day.journal.sessions,
            "apdus": day.journal.apdus,
            "broken_sequence": day.journal.broken,
        },
        "stock": {
            "contracted": stock.contracted,
            "received": stock.received,
            "outstanding": stock.outstanding,
            "allocated": stock.allocated_to_region,
            "set_aside": stock.total.allocated,
            "in_transit": stock.total.in_transit,
            "reserved": stock.total.reserved,
            "consumed": stock.total.consumed,
            "spoiled": stock.total.spoiled,
            "on_hand": stock.total.on_hand,
            "levels": [asdict(level) for level in stock.levels],
        },
        "seconds": {
            **{stage: round(seconds, 3) for stage, seconds in day.seconds.items()},
            "total": round(sum(day.seconds.values()), 3),
        },
        "chip_seconds": [round(card.chip_seconds, 4) for card in made_cards(day)],
        "rpc": day.rpc,
        "restarts": day.restarts,
        "submissions": [asdict(outcome) for outcome in day.outcomes],
        "cards": [asdict(card) for card in day.cards],
    }
