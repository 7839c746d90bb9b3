"""What enrolment tells the inventory: who waits in each region, for deduplication and for a card, and who
came.

The inventory forecasts the use of blanks and cannot know of people; it gets numbers and no names. Enrolment
works all the same when nobody listens.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import grpc
import sqlalchemy as sa
from tunggal.inventory.v1 import planning_pb2, planning_pb2_grpc

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import TunggalError, remote_error
from services.common.logs import get_logger
from services.common.moments import timestamp
from services.enroll.pipeline import ACTOR
from services.enroll.record import Status
from services.enroll.tables import EVENTS, RECORDS

#: Seconds between two reports. A forecast of days is not moved by minutes.
PAUSE: Final = 600.0
_ARRIVALS: Final = timedelta(days=28)
_AT_ONCE: Final = 500

#: Who waits for the search, those included whose search failed and who will be sent again.
_UNDEDUPLICATED: Final = (
    Status.BIO_CAPTURED,
    Status.PROCESSING,
    Status.SENT_FOR_ENROLLMENT,
    Status.RECEIVED_AT_CENTRAL,
    Status.SEARCH_FAILURE_AT_CENTRAL,
)
#: Who waits for a card, one that is being printed included.
_PRINT_READY: Final = (Status.PRINT_READY_RECORD, Status.SENT_FOR_CARD_PRINTING)

_log = get_logger()


@dataclass
class Demand:
    """The people of one region."""

    undeduplicated: int = 0
    print_ready: int = 0
    #: Records that became print-ready, and that were of people who are there already, in the last 28 days.
    arrivals: int = 0
    duplicates: int = 0


def count(conn: sa.Connection, now: datetime) -> dict[str, Demand]:
    """Counts by region."""
    found: dict[str, Demand] = defaultdict(Demand)
    waiting = (
        sa.select(RECORDS.c.region, RECORDS.c.status, sa.func.count())
        .where(RECORDS.c.status.in_((*_UNDEDUPLICATED, *_PRINT_READY)))
        .group_by(RECORDS.c.region, RECORDS.c.status)
    )
    for region, status, number in conn.execute(waiting):
        if status in _PRINT_READY:
            found[region].print_ready += number
        else:
            found[region].undeduplicated += number
    # One that a station gave back becomes print-ready again, but not by the pipeline.
    came = (
        sa.select(EVENTS.c.region, EVENTS.c.status, sa.func.count())
        .where(
            EVENTS.c.sequence > _last_before(conn, now - _ARRIVALS),
            EVENTS.c.event_time > now - _ARRIVALS,
            EVENTS.c.status.in_((Status.PRINT_READY_RECORD, Status.DUPLICATE_RECORD)),
            EVENTS.c.actor == ACTOR,
        )
        .group_by(EVENTS.c.region, EVENTS.c.status)
    )
    for region, status, number in conn.execute(came):
        if status == Status.PRINT_READY_RECORD:
            found[region].arrivals = number
        else:
            found[region].duplicates = number
    return dict(found)


def _last_before(conn: sa.Connection, moment: datetime) -> int:
    """A sequence number that no event after ``moment`` is below: times rise with the sequence, so halving
    finds it without an index on time.
    """
    low, high = 0, conn.scalar(sa.select(sa.func.max(EVENTS.c.sequence))) or 0
    while low < high:
        middle = (low + high + 1) // 2
        event = conn.execute(
            sa.select(EVENTS.c.sequence, EVENTS.c.event_time)
            .where(EVENTS.c.sequence <= middle)
            .order_by(EVENTS.c.sequence.desc())
            .limit(1)
        ).first()
        if event is None or event.event_time <= moment:
            low = middle
        else:
            high = event.sequence - 1
    return low


class DemandReporter:
    """Reports in a thread of its own; what does not arrive is told again with the next report."""

    def __init__(self, db: Database, clock: Clock, channel: grpc.Channel, pause: float = PAUSE) -> None:
        self._db = db
        self._clock = clock
        self._stub = planning_pb2_grpc.PlanningServiceStub(channel)
        self._pause = pause
        # Regions of the last report: where nobody is left, that has to be said, too.
        self._told: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Reports until ``stop`` is set."""
        while True:
            try:
                self.report()
            except TunggalError as error:
                _log.warning("demand_not_reported", reason=error.reason)
            if stop.wait(self._pause):
                return

    def report(self) -> int:
        """Tells the inventory once.

        Returns:
            Regions that were told of.

        Raises:
            TunggalError: The database or the inventory does not answer.
        """
        now = self._clock.now()
        with self._db.read() as conn:
            counted = count(conn, now)
        found = sorted((dict.fromkeys(self._told, Demand()) | counted).items())
        time = timestamp(now)
        for begin in range(0, len(found), _AT_ONCE):
            request = planning_pb2.ReportDemandRequest(
                request_id=str(uuid.uuid4()),
                demands=[
                    planning_pb2.Demand(
                        location=region,
                        undeduplicated=demand.undeduplicated,
                        print_ready=demand.print_ready,
                        arrivals_28_days=demand.arrivals,
                        duplicates_28_days=demand.duplicates,
                        time=time,
                    )
                    for region, demand in found[begin : begin + _AT_ONCE]
                ],
            )
            try:
                self._stub.ReportDemand(request)
            except grpc.RpcError as error:
                raise remote_error(error) from error
        self._told = set(counted)
        return len(found)
