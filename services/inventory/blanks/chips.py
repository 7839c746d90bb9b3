"""Chips by their UIDs: which came with which lot, and which were used.

A lot without a list says nothing about its chips: any that was not used before may be in its blanks. Once it
has a list, only chips on it may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from services.common.errors import AlreadyExists, FailedPrecondition, NotFound
from services.inventory import tables
from services.inventory.blanks import reservation as reservations
from services.inventory.ledger.serials import SerialRange
from services.inventory.store import Store

LOT_CHIP = sa.Table(
    "lot_chip",
    tables.METADATA,
    sa.Column("chip_uid", sa.String(20), primary_key=True),
    sa.Column("lot_id", sa.String(36), sa.ForeignKey("lot.lot_id"), nullable=False, index=True),
)
_chip, _lot, _reservation = tables.chip, tables.lot, tables.reservation
_ASKED_AT_ONCE = 500


class Standing(StrEnum):
    """What is known of a chip for a certain blank."""

    LISTED = "LISTED"
    UNLISTED = "UNLISTED"
    FOREIGN = "FOREIGN"
    USED = "USED"


@dataclass(frozen=True)
class Known:
    """A chip's standing, and the blank that it belongs to where it was used (else 0)."""

    standing: Standing
    serial: int = 0


def enter(conn: sa.Connection, lot_id: str, chip_uids: Sequence[str]) -> int:
    """Put chips on the list of a lot; how many it has now.

    Raises:
        NotFound: there is no such lot.
        AlreadyExists: a chip is on a list or was used already.
        FailedPrecondition: there would be more chips than blanks.
    """
    lot = conn.execute(sa.select(_lot).where(_lot.c.lot_id == lot_id).with_for_update()).first()
    if lot is None:
        raise NotFound(
            "LOT_UNKNOWN", f"There is no lot {lot_id}.", field="lot_id", remedy="Find it with ListLots."
        )
    # No chip is used or listed elsewhere meanwhile: what is found below holds until the list is there.
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("LOCK TABLE chip IN SHARE ROW EXCLUSIVE MODE"))
    for at in range(0, len(chip_uids), _ASKED_AT_ONCE):
        part = chip_uids[at : at + _ASKED_AT_ONCE]
        for column in (LOT_CHIP.c.chip_uid, _chip.c.chip_uid):
            twice = conn.scalar(sa.select(column).where(column.in_(part)).limit(1))
            if twice is not None:
                raise AlreadyExists(
                    "CHIP_UID_KNOWN",
                    f"Chip UID {twice} is listed or used already.",
                    field=f"chip_uids[{chip_uids.index(twice)}]",
                    remedy="Look at the maker's list: no chip comes twice.",
                    metadata={"chip_uid": twice},
                )
    listed = _count(conn, lot.lot_id) + len(chip_uids)
    blanks = lot.last - lot.first + 1
    if listed > blanks:
        raise FailedPrecondition(
            "CHIPS_EXCEED_LOT",
            f"The lot has {blanks} blanks; its list would have {listed} chips.",
            field="chip_uids",
            remedy="See that the list belongs to this lot.",
        )
    conn.execute(sa.insert(LOT_CHIP), [{"chip_uid": uid, "lot_id": lot.lot_id} for uid in chip_uids])
    return listed


def unlist(conn: sa.Connection, lot_id: str) -> None:
    """Forget the list of a lot whose receipt is taken back: its chips come again with the lot that they are
    in.
    """
    conn.execute(sa.delete(LOT_CHIP).where(LOT_CHIP.c.lot_id == lot_id))


def check(store: Store, reservation_id: str, chip_uid: str) -> Known:
    """What is known of a chip that lies in the blank of a reservation.

    Raises:
        NotFound: there is no such reservation.
    """
    conn = store.connection
    serial = conn.scalar(
        sa.select(_reservation.c.serial).where(_reservation.c.reservation_id == reservation_id)
    )
    if serial is None:
        raise reservations.unknown(reservation_id)
    used = conn.scalar(sa.select(_chip.c.serial).where(_chip.c.chip_uid == chip_uid))
    if used is not None and used != serial:
        return Known(Standing.USED, used)
    return Known(standing(store, serial, chip_uid))


def standing(store: Store, serial: int, chip_uid: str) -> Standing:
    """What the list of a blank's lot says of a chip."""
    lot = store.lot_overlapping(SerialRange(serial, serial))
    conn, lot_id = store.connection, None if lot is None else lot.lot_id
    listed = conn.scalar(sa.select(LOT_CHIP.c.lot_id).where(LOT_CHIP.c.chip_uid == chip_uid))
    if listed is not None and listed == lot_id:
        return Standing.LISTED
    if listed is not None or _count(conn, lot_id, limit=1):
        return Standing.FOREIGN
    return Standing.UNLISTED


def refuse_foreign(store: Store, serial: int, chip_uid: str) -> None:
    """Raise FailedPrecondition where a blank cannot have this chip."""
    if standing(store, serial, chip_uid) is Standing.FOREIGN:
        raise FailedPrecondition(
            "CHIP_FOREIGN",
            f"Chip UID {chip_uid} did not come with the lot of blank {serial}.",
            field="chip_uid",
            remedy="Put the card aside and find out where it is from.",
            metadata={"chip_uid": chip_uid, "serial": str(serial)},
        )


def refuse_other(conn: sa.Connection, serial: int, chip_uid: str) -> None:
    """Raise FailedPrecondition where the card of a blank has another chip."""
    bound = conn.scalar(sa.select(_chip.c.chip_uid).where(_chip.c.serial == serial))
    if bound != chip_uid:
        raise FailedPrecondition(
            "CHIP_UID_DISAGREES",
            f"The card of blank {serial} does not have the chip {chip_uid}.",
            field="chip_uid",
            remedy="Read the UID from the card again; GetBlank tells which one it was booked with.",
            metadata={"chip_uid": bound or "", "serial": str(serial)},
        )


def _count(conn: sa.Connection, lot_id: str | None, limit: int | None = None) -> int:
    some = sa.select(LOT_CHIP.c.chip_uid).where(LOT_CHIP.c.lot_id == lot_id).limit(limit).subquery()
    return int(conn.scalar(sa.select(sa.func.count()).select_from(some)) or 0)
