"""The queue for cards: a region's print-ready records, lent to card stations in order of arrival.

A claim stands until its end is booked: printed, released, or lapsed because the station fell silent. A
record that comes back has its old place, because the place is its arrival number. One that stations give
back again and again would stop everybody behind it; it is held back for a while, visibly and with its
reason, and keeps its place.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database, lock
from services.common.errors import AlreadyExists, FailedPrecondition, NotFound, TunggalError
from services.common.logs import get_logger
from services.enroll import claims
from services.enroll.claims import Claim, ClaimState
from services.enroll.record import Record, Status
from services.enroll.store import Store
from services.enroll.void_card import is_void

ACTOR = "queue"
#: From so many releases on a record is held back, at first for so long.
HELD_FROM = 5
FIRST_HOLD = timedelta(minutes=1)
MAX_HOLD = timedelta(hours=1)

_log = get_logger()


class CardQueue:
    """Lends records and takes reports. Methods that take a connection work in its transaction."""

    def __init__(
        self,
        db: Database,
        store: Store,
        clock: Clock,
        bell: Bell,
        *,
        claim_time: timedelta,
        poll_seconds: float,
    ) -> None:
        self._db = db
        self._store = store
        self._clock = clock
        self._bell = bell
        self._claim_time = claim_time
        self._poll_seconds = poll_seconds

    def claim_next(self, conn: sa.Connection, region: str, claimant: str, actor: str) -> Claim:
        """Lends the record of the region that arrived first.

        Raises:
            NotFound: ``QUEUE_EMPTY``.
        """
        # One claim of a region after the other: two at once could not both know which record is the oldest.
        lock(conn, f"enroll.queue.{region}")
        now = self._clock.now()
        record = claims.oldest_print_ready(conn, region, now)
        if record is None:
            raise NotFound(
                "QUEUE_EMPTY",
                f"No print-ready record waits in {region}.",
                field="region",
                remedy="Ask again later; WatchRecordEvents tells when a record becomes print-ready.",
            )
        claim = claims.insert(conn, record.record_id, claimant, now, now + self._claim_time)
        self._store.move(conn, record, Status.SENT_FOR_CARD_PRINTING, actor=actor, at=now)
        return claim

    def renew(self, conn: sa.Connection, claim_id: str) -> datetime:
        """Prolongs a claim from now on.

        Returns:
            When it lapses.

        Raises:
            NotFound: ``CLAIM_UNKNOWN``.
            FailedPrecondition: ``CLAIM_ENDED``.
        """
        claim = claims.standing(conn, claim_id, lock=True)
        expire_time = self._clock.now() + self._claim_time
        claims.update(conn, claim, expire_time=expire_time)
        return expire_time

    def release(self, conn: sa.Connection, claim_id: str, reason: str, actor: str) -> Record:
        """Gives the record back to its place in the queue.

        Raises:
            NotFound: ``CLAIM_UNKNOWN``.
            FailedPrecondition: ``CLAIM_ENDED``.
        """
        claim = claims.standing(conn, claim_id, lock=True)
        return self._end(conn, claim, ClaimState.RELEASED, f"CLAIM_RELEASED: {reason}", actor)

    def report_printed(self, conn: sa.Connection, claim_id: str, chip_uid: str, actor: str) -> Record:
        """Books the card of a claimed record.

        Raises:
            NotFound: ``CLAIM_UNKNOWN``.
            FailedPrecondition: ``CLAIM_ENDED``.
            AlreadyExists: ``CHIP_UID_IN_USE``.
        """
        claim = claims.standing(conn, claim_id, lock=True)
        record = self._store.lock(conn, claim.record_id)
        if is_void(conn, chip_uid):
            raise _chip_in_use(chip_uid, "on a card that was rejected")
        claims.update(conn, claim, state=ClaimState.PRINTED.value)
        try:
            with conn.begin_nested():
                return self._store.move(
                    conn, record, Status.CARD_PRINTED, actor=actor, at=self._clock.now(), chip_uid=chip_uid
                )
        except IntegrityError as error:
            raise _chip_in_use(chip_uid, "on another record's card") from error

    def report_issued(self, conn: sa.Connection, record_id: str, chip_uid: str, actor: str) -> Record:
        """Books that the holder has the card.

        Raises:
            NotFound: ``RECORD_UNKNOWN``.
            FailedPrecondition: ``CHIP_UID_DISAGREES``, or the record has no printed card.
        """
        record = self._store.lock(conn, record_id)
        if record.chip_uid and record.chip_uid != chip_uid:
            raise FailedPrecondition(
                "CHIP_UID_DISAGREES",
                f"The chip {chip_uid} is not the one on this record's card.",
                field="chip_uid",
                remedy="Hand over the card that was made for this record.",
                metadata={"chip_uid": record.chip_uid},
            )
        return self._store.move(conn, record, Status.CARD_ISSUED, actor=actor, at=self._clock.now())

    def end_lapsed(self) -> int:
        """Gives every record back whose claim stands past its time.

        Returns:
            How many there were.
        """
        with self._db.read() as conn:
            if not claims.lapsed(conn, self._clock.now(), lock=False):
                return 0

        def work(conn: sa.Connection) -> int:
            dead = claims.lapsed(conn, self._clock.now(), lock=True)
            for claim in dead:
                reason = f"CLAIM_LAPSED: {claim.claimant} fell silent."
                self._end(conn, claim, ClaimState.LAPSED, reason, ACTOR)
            return len(dead)

        return self._db.run(work)

    def run(self, stop: threading.Event) -> None:
        """Ends lapsed claims until told to stop."""
        while not stop.wait(self._poll_seconds):
            try:
                if self.end_lapsed():
                    self._bell.ring()
            except TunggalError as error:
                _log.warning("lapsed_claims_wait", reason=error.reason, detail=error.message)

    def _end(self, conn: sa.Connection, claim: Claim, state: ClaimState, reason: str, actor: str) -> Record:
        claims.update(conn, claim, state=state.value)
        record = self._store.lock(conn, claim.record_id)
        now = self._clock.now()
        released = claims.releases(conn, claim.record_id)
        # A station that fell silent says nothing about the record.
        held = state is ClaimState.RELEASED and released >= HELD_FROM
        return self._store.move(
            conn,
            record,
            Status.PRINT_READY_RECORD,
            actor=actor,
            at=now,
            reason=reason,
            attempts=released,
            next_attempt_time=now + hold(released) if held else None,
        )


def _chip_in_use(chip_uid: str, where: str) -> AlreadyExists:
    return AlreadyExists(
        "CHIP_UID_IN_USE",
        f"The chip {chip_uid} is {where}.",
        field="chip_uid",
        remedy="Report the blank as spoiled, and look where the card came from.",
    )


def hold(released: int) -> timedelta:
    """Returns how long a record is held back after so many releases: a minute, doubling up to an hour."""
    doublings = min(released - HELD_FROM, 30)
    return min(FIRST_HOLD * (1 << doublings), MAX_HOLD)
