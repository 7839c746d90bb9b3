"""One request, one transaction: request id, booking and audit entry are written together or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.common import audit, requests
from services.common.clock import Clock
from services.common.db import Database
from services.common.grouping import GroupCommit
from services.inventory.desk import Clerk, Desk
from services.inventory.ledger.clocks import Clocks
from services.inventory.ledger.days import DayClosedError
from services.inventory.ledger.entries import Kind, OvertakenError
from services.inventory.metrics import Transfers
from services.inventory.store import Store

A = TypeVar("A")
R = TypeVar("R", bound=Message)

#: Who acts when nobody asked.
ITSELF = "service/inventory"


def new_id() -> str:
    """A new random UUID."""
    return str(uuid4())


class Journal:
    """Books requests, each once, however often it is sent and to however many replicas."""

    def __init__(
        self, database: Database, clock: Clock, transfers: Transfers, clocks: Clocks | None = None
    ) -> None:
        # SQLite has one writer at a time; on PostgreSQL several connections do more than one transaction can.
        self._database = GroupCommit(database) if database.dialect == "sqlite" else database
        self._clock = clock
        self.clocks = clocks or Clocks(clock)
        self._transfers = transfers

    def keep(self, action: str, work: Callable[[Desk], list[str]]) -> list[str]:
        """What the service does of its own accord, such as voiding what has expired: nobody asked for it.

        ``work`` returns the resources that it changed; with none there is no audit entry.
        """
        booked: list[Kind] = []

        def transaction(connection: Connection, now: datetime) -> list[str]:
            booked.clear()
            store = Store(connection)
            changed = work(Desk(store, Clerk(ITSELF, now, new_id, self._clock)))
            for resource in changed:
                audit.append(
                    connection,
                    actor=ITSELF,
                    action=action,
                    resource=resource,
                    reason="",
                    digest=hashlib.sha256(resource.encode()).digest(),
                    at=now,
                )
            booked.extend(store.books.recorded)
            return changed

        changed = self._run(transaction)
        self._transfers.count(booked)
        return changed

    def book(
        self,
        actor: str,
        request: Any,
        response_type: type[R],
        work: Callable[[Desk], tuple[R, str]],
    ) -> R:
        """The answer of ``work``, or the stored one if this request was booked before.

        ``work`` returns the answer and the resource that it changed, for the audit log.
        """
        method = request.DESCRIPTOR.name.removesuffix("Request")
        digest = requests.digest_of(request)
        booked: list[Kind] = []

        def transaction(connection: Connection, now: datetime) -> R:
            booked.clear()  # an earlier attempt was rolled back
            changed: list[str] = []

            def first_time() -> R:
                store = Store(connection)
                answer, resource = work(Desk(store, Clerk(actor, now, new_id, self._clock)))
                changed.append(resource)
                booked.extend(store.books.recorded)
                return answer

            answer = requests.once(
                connection, method, request, response_type, first_time, digest=digest, clock=self._clock
            )
            # Last: from here to the commit nobody else gets further than this.
            for resource in changed:
                audit.append(
                    connection,
                    actor=actor,
                    action=method,
                    resource=resource,
                    reason=getattr(request, "reason", ""),
                    digest=digest,
                    at=now,
                )
            return answer

        answer = self._run(transaction)
        self._transfers.count(booked)
        return answer

    def _run(self, transaction: Callable[[Connection, datetime], A]) -> A:
        """Run it as of now; where others were later on its accounts, once more as of then.

        Raises :class:`ClockError` where this clock, or the time of an account, is wrong, and
        :class:`DayClosedError` where the day is over by somebody else's.
        """
        self.clocks.require_right()
        earliest: datetime | None = None

        def attempt(connection: Connection) -> A:
            now = self._clock.now()
            return transaction(connection, now if earliest is None else max(earliest, now))

        while True:
            try:
                return self._database.run(attempt)
            except (OvertakenError, DayClosedError) as ahead:
                earliest = self.clocks.follow(ahead)
