"""Taking in a submission: checked in memory to its last byte, then written in one transaction or not at
all.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.common.clock import Clock
from services.enroll import person
from services.enroll.packet import CapturedImage
from services.enroll.person import Person
from services.enroll.record import Record
from services.enroll.regions import Regions
from services.enroll.store import Store
from services.enroll.vault import Vault


class Intake:
    """Makes records of people who may be enrolled."""

    def __init__(self, store: Store, vault: Vault, regions: Regions, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._regions = regions
        self._clock = clock

    def check(self, captured: Person) -> None:
        """Refuses people of whom no record may be made, before their images are even received.

        Raises:
            InvalidArgument, FailedPrecondition: See :func:`services.enroll.person.check`.
        """
        person.check(captured, self._regions, self._clock.now())

    def accept(
        self,
        conn: sa.Connection,
        captured: Person,
        biodata: bytes,
        images: Sequence[CapturedImage],
        actor: str,
    ) -> Record:
        """Writes a checked submission as the newest record."""
        record = self._store.insert(
            conn,
            nik=captured.nik,
            region=captured.region,
            biodata=biodata,
            actor=actor,
            at=self._clock.now(),
        )
        self._vault.put_images(conn, record.record_id, images)
        return record
