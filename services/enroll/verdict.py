"""From what the ABIS decided to where the record goes: the fingers and the NIK must both be new.

| fingers   | NIK                      | the record becomes                           |
|-----------|--------------------------|----------------------------------------------|
| new       | free                     | PRINT_READY_RECORD, and holds the NIK        |
| new       | held by another record   | ADJUDICATE_RECORD, ``NIK_IN_USE``            |
| unclear   | free or held             | ADJUDICATE_RECORD, and holds the NIK if free |
| known     | the same or another      | DUPLICATE_RECORD of the record found         |

A NIK that is recorded again goes through the same deduplication as every other: it ends as a duplicate of
the first record, or (another person under the same NIK) with people who decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.enroll.deduplication import Decision, Outcome
from services.enroll.record import Record, Status
from services.enroll.store import Store


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a record goes, why, and whom it resembles."""

    status: Status
    reason: str = ""
    matching_record_id: str = ""
    match_score: float = 0.0


def judge(conn: sa.Connection, store: Store, record: Record, outcome: Outcome) -> Verdict:
    """Judges a record, and gives it its NIK where the verdict leaves it alive."""
    match outcome.decision:
        case Decision.DUPLICATE:
            same = store.nik_of(conn, outcome.matching_subject) == record.nik
            reason = (
                "DUPLICATE_SAME_NIK: The person has a record already, under the same NIK."
                if same
                else "DUPLICATE_OTHER_NIK: The person has a record already, under another NIK."
            )
            return Verdict(Status.DUPLICATE_RECORD, reason, outcome.matching_subject, outcome.score)
        case Decision.ADJUDICATE:
            store.hold_nik(conn, record)
            return Verdict(
                Status.ADJUDICATE_RECORD,
                "RESEMBLANCE: The fingers resemble those of another record too much for a machine to decide.",
                outcome.matching_subject,
                outcome.score,
            )
        case Decision.UNIQUE:
            holder = store.hold_nik(conn, record)
            if holder == record.record_id:
                return Verdict(Status.PRINT_READY_RECORD)
            return Verdict(
                Status.ADJUDICATE_RECORD,
                "NIK_IN_USE: The record of a person with other fingers holds this NIK.",
                holder,
            )
