"""What the card station wrote down of every command to every card."""

from __future__ import annotations

from collections.abc import Iterable

from tunggal.cardperso.v1 import journal_pb2 as pb
from tunggal.cardperso.v1.journal_pb2_grpc import JournalServiceStub

from cli.demo.calls import patiently
from cli.demo.checks import MADE
from cli.demo.outcome import Card
from cli.demo.result import Journal


def read_journal(journal: JournalServiceStub, cards: Iterable[Card]) -> Journal:
    """Read the sessions of all jobs, and let the service check its chain."""
    sessions = apdus = 0
    unverified = []
    for card in cards:
        request = pb.ReadJournalRequest(job_id=card.job_id)
        found = patiently(lambda request=request: journal.ReadJournal(request)).sessions  # type: ignore[misc]
        sessions += len(found)
        apdus += sum(len(session.exchanges) for session in found)
        last = found[-1] if found else pb.CardSession()
        if card.state in MADE and (last.outcome, last.chip_uid) != ("VERIFIED", card.uid):
            unverified.append(card.job_id)
    chain = patiently(lambda: journal.VerifyJournal(pb.VerifyJournalRequest()))
    return Journal(sessions, apdus, chain.broken_sequence, tuple(unverified))
