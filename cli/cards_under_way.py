"""Which cards are on their way through the three books, and therefore no difference yet.

A card is made in steps: the inventory books its blank, cardperso notes that, enroll books its record,
cardperso notes that. One that is called void goes back in steps: cardperso says so, then enroll hears of it,
then the inventory. In between the books cannot agree. Whoever asks just then must not be alarmed, and nothing
that is missing may hide behind it: so all three must show exactly what the step leaves, and not for long.
"""

from __future__ import annotations

from tunggal.cardperso.v1.reconciliation_pb2 import CARD_STEP_BOOK, CARD_STEP_GIVE_UP, CARD_STEP_VOID

from cli.cards_merged import Card
from cli.cards_told import Consumed, Found, Issued, Personalized


def step_of(card: Card, found: Found) -> str:
    """What a card waits for that is under way; empty for any other card.

    Args:
        card: a card that was at rest, see :func:`cli.cards_merged.at_rest`.
        found: the answers that it was part of.
    """
    if len(card.jobs) != 1 or len(card.blanks) > 1 or len(card.records) > 1:
        return ""
    (job,) = card.jobs
    blank = card.blanks[0] if card.blanks else None
    record = card.records[0] if card.records else None
    begin = since(card)
    if not begin or abs(found.read_time - begin) > found.patience or not _same(job, blank, record):
        return ""
    if job.step == CARD_STEP_BOOK and blank is not None:
        if record is not None:
            # Enroll is told only after it was noted that the inventory knows.
            return "enroll has booked it, cardperso has yet to note that" if job.time else ""
        lent = (job.record_id, job.job_id) in found.loans
        return "enroll has yet to book its record" if lent else ""
    if job.step == CARD_STEP_GIVE_UP and record is None:
        return "cardperso gives it up, and puts its blank aside"
    if job.step == CARD_STEP_VOID and blank is not None:
        return "cardperso has called it void, and tells the others"
    return ""


def since(card: Card) -> int:
    """Since when an unfinished card is on its way, in seconds since 1970: since it was called void, or else
    since its blank was booked; 0 where nobody knows.
    """
    voided = next((job.void_time for job in card.jobs if job.step == CARD_STEP_VOID), 0)
    booked = card.blanks[0].time if card.blanks else next((job.time for job in card.jobs), 0)
    return voided or booked


def _same(job: Personalized, blank: Consumed | None, record: Issued | None) -> bool:
    """Whether inventory and enroll have nothing else on the card than its job."""
    if blank is not None and (blank.serial, blank.location) != (job.serial, job.location):
        return False
    return record is None or record.record_id == job.record_id
