"""Stations, batches and chips as messages."""

from __future__ import annotations

import datetime as dt

from tunggal.cardperso.v1 import production_pb2 as pb

from services.cardperso.production.batch import Batch, BatchState, Tally
from services.cardperso.production.station import Printer, Station
from services.common.moments import timestamp

PRINTERS = {
    pb.PRINTER_STATE_READY: Printer.READY,
    pb.PRINTER_STATE_OFFLINE: Printer.OFFLINE,
    pb.PRINTER_STATE_RIBBON_OUT: Printer.RIBBON_OUT,
    pb.PRINTER_STATE_ATTENTION: Printer.ATTENTION,
}
_PRINTERS = {state: number for number, state in PRINTERS.items()}
BATCH_STATES = {
    pb.BATCH_STATE_OPEN: BatchState.OPEN,
    pb.BATCH_STATE_PAUSED: BatchState.PAUSED,
    pb.BATCH_STATE_DONE: BatchState.DONE,
    pb.BATCH_STATE_CANCELLED: BatchState.CANCELLED,
}
_BATCH_STATES = {state: number for number, state in BATCH_STATES.items()}
REJECT_REASONS = {
    pb.REJECT_REASON_PRINT: "REJECTED_PRINT",
    pb.REJECT_REASON_SURFACE: "REJECTED_SURFACE",
    pb.REJECT_REASON_CHIP: "REJECTED_CHIP",
    pb.REJECT_REASON_CONTENT: "REJECTED_CONTENT",
    pb.REJECT_REASON_OTHER: "REJECTED",
}


def station(found: Station, job_id: str, now: dt.datetime) -> pb.Station:
    """A station's message."""
    alive = found.is_alive(now)
    state = pb.STATION_STATE_PAUSED if found.paused else pb.STATION_STATE_ACTIVE
    lost = f"STATION_LOST: its host {found.host} is gone."
    return pb.Station(
        name=found.name,
        host=found.host,
        location=found.location,
        reader=found.reader,
        printer=found.printer,
        state=state if alive else pb.STATION_STATE_LOST,
        reason=found.obstacle if alive else lost,
        printer_state=_PRINTERS.get(found.printer_state, pb.PRINTER_STATE_UNSPECIFIED),
        lease_time=timestamp(found.lease_time),
        job_id=job_id,
    )


def batch(found: Batch, tally: Tally) -> pb.Batch:
    """A batch's message."""
    return pb.Batch(
        batch_id=found.batch_id,
        region=found.region,
        location=found.location,
        quantity=found.quantity,
        state=_BATCH_STATES[found.state],
        reason=found.reason,
        operator=found.operator,
        made=tally.made,
        under_way=tally.under_way,
        spoiled=tally.spoiled,
        create_time=timestamp(found.create_time),
    )


def failed_chip(chip_uid: str, failures: int, last: dt.datetime, *, suspended: bool) -> pb.FailedChip:
    """A chip's message."""
    return pb.FailedChip(chip_uid=chip_uid, failures=failures, last_time=timestamp(last), suspended=suspended)
