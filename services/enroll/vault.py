"""Biometric data at rest: the packet's images and the minutiae for the chip, each file encrypted by itself.

A file opens only in the row that it was written for: the record's id and the file's place are bound to the
ciphertext.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.common.crypto import KeyRing
from services.enroll.packet import Announcement, CapturedImage, ImageKind
from services.enroll.tables import CHIP_FINGERS, IMAGES


@dataclass(frozen=True, slots=True)
class ChipFinger:
    """A finger for the chip.

    Attributes:
        position: Finger position as the contract numbers it.
        record: ISO/IEC 19794-2:2005 finger minutiae record; opaque here.
        quality: 0 to 100.
    """

    position: int
    record: bytes
    quality: int


class Vault:
    """Seals and opens the files of records, in the transaction of the connection that it is given."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def put_images(self, conn: sa.Connection, record_id: str, images: Sequence[CapturedImage]) -> None:
        """Stores the images of a packet."""
        rows = []
        for number, image in enumerate(images):
            sealed = self._keys.seal(image.content, _bound_to(record_id, "image", number))
            rows.append(
                {
                    "record_id": record_id,
                    "number": number,
                    "kind": int(image.announced.kind),
                    "position": image.announced.position,
                    "dpi": image.announced.dpi,
                    "sha256": image.announced.sha256,
                    "key_id": sealed.key_id,
                    "content": sealed.blob,
                }
            )
        conn.execute(sa.insert(IMAGES), rows)

    def images(self, conn: sa.Connection, record_id: str, *kinds: ImageKind) -> list[CapturedImage]:
        """Reads the images of these kinds, in the order sent.

        Raises:
            DataLoss: A key is missing (``KEY_MISSING``) or a file was changed (``CIPHERTEXT_DAMAGED``).
        """
        query = (
            sa.select(IMAGES)
            .where(IMAGES.c.record_id == record_id, IMAGES.c.kind.in_([int(kind) for kind in kinds]))
            .order_by(IMAGES.c.number)
        )
        return [self._image(row) for row in conn.execute(query)]

    def put_chip_fingers(self, conn: sa.Connection, record_id: str, fingers: Sequence[ChipFinger]) -> None:
        """Stores the fingers for the chip, best first."""
        rows = []
        for number, finger in enumerate(fingers):
            sealed = self._keys.seal(finger.record, _bound_to(record_id, "chip", number))
            rows.append(
                {
                    "record_id": record_id,
                    "number": number,
                    "position": finger.position,
                    "quality": finger.quality,
                    "key_id": sealed.key_id,
                    "content": sealed.blob,
                }
            )
        conn.execute(sa.insert(CHIP_FINGERS), rows)

    def chip_fingers(self, conn: sa.Connection, record_id: str) -> list[ChipFinger]:
        """Reads the fingers for the chip, best first.

        Raises:
            DataLoss: As :meth:`images`.
        """
        query = (
            sa.select(CHIP_FINGERS)
            .where(CHIP_FINGERS.c.record_id == record_id)
            .order_by(CHIP_FINGERS.c.number)
        )
        return [
            ChipFinger(
                position=row.position,
                record=self._open(row, _bound_to(record_id, "chip", row.number)),
                quality=row.quality,
            )
            for row in conn.execute(query)
        ]

    def _image(self, row: sa.Row[Any]) -> CapturedImage:
        content = self._open(row, _bound_to(row.record_id, "image", row.number))
        announced = Announcement(
            kind=ImageKind(row.kind),
            position=row.position,
            size=len(content),
            sha256=bytes(row.sha256),
            dpi=row.dpi,
        )
        return CapturedImage(announced, content)

    def _open(self, row: sa.Row[Any], associated: bytes) -> bytes:
        return self._keys.open(row.key_id, bytes(row.content), associated)


def _bound_to(record_id: str, what: str, number: int) -> bytes:
    return f"{record_id}/{what}/{number}".encode()
