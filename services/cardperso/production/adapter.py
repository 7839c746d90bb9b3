"""What the RPCs of the production floor share: each is done once, and written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message

from services.cardperso import people
from services.cardperso.desk import Desk
from services.cardperso.production.floor import Floor
from services.cardperso.store import Store
from services.common import audit, requests
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database

R = TypeVar("R", bound=Message)


class Adapter:
    """Between the contract and the production floor; `limit` failed sessions suspend a chip."""

    def __init__(
        self, database: Database, store: Store, desk: Desk, floor: Floor, clock: Clock, bell: Bell, limit: int
    ) -> None:
        self._database = database
        self._store = store
        self._desk = desk
        self._floor = floor
        self._clock = clock
        self._bell = bell
        self._limit = limit

    def _once(
        self,
        context: grpc.ServicerContext,
        request: Any,
        response_type: type[R],
        resource: str,
        work: Callable[[sa.Connection], R],
    ) -> R:
        """The answer of `work`, once for a request id, written down in the same transaction."""
        method = request.DESCRIPTOR.name.removesuffix("Request")
        now, reason = self._clock.now(), getattr(request, "reason", "")

        def transaction(conn: sa.Connection) -> R:
            def first_time() -> R:
                answer = work(conn)
                audit.append(
                    conn,
                    actor=people.acting(context, getattr(request, "operator", "")),
                    action=method,
                    resource=resource,
                    reason=reason if isinstance(reason, str) else "",
                    digest=requests.digest_of(request),
                    at=now,
                )
                return answer

            return requests.once(conn, method, request, response_type, first_time, clock=self._clock)

        answer = self._database.run(transaction)
        self._bell.ring()
        return answer
