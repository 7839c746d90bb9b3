"""The RPCs of the journal: session → message."""

from __future__ import annotations

import grpc
import sqlalchemy as sa
from tunggal.cardperso.v1 import journal_pb2 as pb
from tunggal.cardperso.v1 import journal_pb2_grpc

from services.cardperso.journal import Exchange, Journal, Session
from services.cardperso.store import Store
from services.common import audit, requests
from services.common.clock import Clock
from services.common.db import Database
from services.common.identity import caller
from services.common.moments import timestamp

_OPERATORS = frozenset({"operator/*"})

#: Who may call what: SPIFFE paths by method.
ALLOW = {"ReadJournal": _OPERATORS, "VerifyJournal": _OPERATORS}


class JournalService(journal_pb2_grpc.JournalServiceServicer):
    """Adapter between the contract and the journal."""

    def __init__(self, database: Database, store: Store, sessions: Journal, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._sessions = sessions
        self._clock = clock

    def ReadJournal(
        self, request: pb.ReadJournalRequest, context: grpc.ServicerContext
    ) -> pb.ReadJournalResponse:
        """See the contract; whoever reads it is written down."""

        def work(conn: sa.Connection) -> list[Session]:
            job = self._store.job(conn, request.job_id)
            audit.append(
                conn,
                actor=caller(context),
                action="ReadJournal",
                resource=f"jobs/{job.job_id}",
                reason="",
                digest=requests.digest_of(request),
                at=self._clock.now(),
            )
            return self._sessions.sessions(conn, job.job_id)

        return pb.ReadJournalResponse(sessions=map(_session, self._database.run(work)))

    def VerifyJournal(
        self, request: pb.VerifyJournalRequest, context: grpc.ServicerContext
    ) -> pb.VerifyJournalResponse:
        """See the contract."""
        with self._database.read() as conn:
            checked = self._sessions.verify(conn)
        return pb.VerifyJournalResponse(
            sessions=checked.sessions, broken_sequence=checked.broken or 0, hash=checked.hash
        )


def _session(found: Session) -> pb.CardSession:
    return pb.CardSession(
        sequence=found.seq,
        job_id=found.job_id,
        chip_uid=found.chip_uid,
        reader=found.reader,
        station=found.station,
        operator=found.operator,
        begin_time=timestamp(found.begin_time),
        end_time=timestamp(found.end_time),
        outcome=found.outcome,
        salt=found.salt,
        hash=found.hash,
        exchanges=map(_exchange, found.exchanges),
    )


def _exchange(found: Exchange) -> pb.Exchange:
    return pb.Exchange(
        at_us=found.at,
        took_us=found.took,
        name=found.name,
        header=found.header,
        sent=found.sent,
        sent_bytes=found.sent_bytes,
        status="" if found.sw is None else f"{found.sw:04X}",
        received=found.received,
        received_bytes=found.received_bytes,
    )
