"""`tunggal station` and `tunggal batch`: who makes cards, and how many are to be made."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import production_pb2 as pb
from tunggal.cardperso.v1.production_pb2_grpc import ProductionServiceStub

from cli.errors import readable
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, Operator, TlsDir, connect
from cli.pages import every

station = typer.Typer(help="Stations that make cards: readers with their printers.", no_args_is_help=True)
batch = typer.Typer(help="Orders for a number of cards of a regency's queue.", no_args_is_help=True)


class PrinterState(StrEnum):
    """How a printer is."""

    READY = "ready"
    OFFLINE = "offline"
    RIBBON_OUT = "ribbon-out"
    ATTENTION = "attention"


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the station.")]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="Identifier of the batch (UUID).")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; others will read it.")]


@station.command(name="list")
@readable
def stations(
    cardperso: CardPersoEndpoint = CARDPERSO, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List all stations, what they do and why they do not."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        found = ProductionServiceStub(channel).ListStations(pb.ListStationsRequest()).stations
    _show_stations(found, as_json=as_json)


@station.command()
@readable
def register(
    name: Name,
    location: Annotated[str, typer.Option(help="Regency or site whose blanks it uses, such as 32.16.")],
    reader: Annotated[str, typer.Option(help="Reader of the host that is called.")],
    printer: Annotated[str, typer.Option(help="Printer beside it; left out: it only encodes.")] = "",
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a reader a station of a location."""
    request = pb.RegisterStationRequest(
        request_id=_new_id(), name=name, location=location, reader=reader, printer=printer
    )
    with connect("cardperso", cardperso, tls_dir) as channel:
        made = ProductionServiceStub(channel).RegisterStation(request).station
    _show_stations([made], as_json=as_json)


@station.command(name="pause")
@readable
def pause_station(
    name: Name,
    reason: Reason,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a station take no more cards; the one under way is finished."""
    request = pb.PauseStationRequest(request_id=_new_id(), name=name, reason=reason)
    with connect("cardperso", cardperso, tls_dir) as channel:
        changed = ProductionServiceStub(channel).PauseStation(request).station
    _show_stations([changed], as_json=as_json)


@station.command(name="resume")
@readable
def resume_station(
    name: Name,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a station take cards again."""
    request = pb.ResumeStationRequest(request_id=_new_id(), name=name)
    with connect("cardperso", cardperso, tls_dir) as channel:
        changed = ProductionServiceStub(channel).ResumeStation(request).station
    _show_stations([changed], as_json=as_json)


@station.command()
@readable
def printer(
    name: Name,
    state: Annotated[PrinterState, typer.Argument(help="How its printer is.")],
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say how a station's printer is; while it is not ready the station takes no cards."""
    request = pb.ReportPrinterRequest(
        request_id=_new_id(), name=name, state=pb.PrinterState.Value(f"PRINTER_STATE_{state.name}")
    )
    with connect("cardperso", cardperso, tls_dir) as channel:
        changed = ProductionServiceStub(channel).ReportPrinter(request).station
    _show_stations([changed], as_json=as_json)


@batch.command()
@readable
def create(
    region: Annotated[str, typer.Argument(metavar="REGENCY", help="Whose queue is served, such as 32.16.")],
    quantity: Annotated[int, typer.Argument(min=1, max=100_000, metavar="N", help="Cards to make.")],
    operator: Operator,
    location: Annotated[
        str, typer.Option(help="Site in the regency that makes them; left out: the regency's own stations.")
    ] = "",
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Order cards; stations of the location make them until they are done or the queue is empty."""
    request = pb.CreateBatchRequest(
        request_id=_new_id(),
        region=region,
        location=location or region,
        quantity=quantity,
        operator=operator,
    )
    with connect("cardperso", cardperso, tls_dir) as channel:
        made = ProductionServiceStub(channel).CreateBatch(request).batch
    _show_batches([made], as_json=as_json)


@batch.command(name="list")
@readable
def batches(
    cardperso: CardPersoEndpoint = CARDPERSO, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List all batches and count their cards."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        list_batches = ProductionServiceStub(channel).ListBatches
        found: list[pb.Batch] = every(list_batches, pb.ListBatchesRequest(), "batches")
    _show_batches(found, as_json=as_json)


@batch.command(name="show")
@readable
def show_batch(
    batch_id: BatchId,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Count the cards of one batch."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        found = ProductionServiceStub(channel).GetBatch(pb.GetBatchRequest(batch_id=batch_id)).batch
    _show_batches([found], as_json=as_json)


@batch.command(name="pause")
@readable
def pause_batch(
    batch_id: BatchId,
    reason: Reason,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Begin no more cards of a batch."""
    request = pb.PauseBatchRequest(request_id=_new_id(), batch_id=batch_id, reason=reason)
    with connect("cardperso", cardperso, tls_dir) as channel:
        changed = ProductionServiceStub(channel).PauseBatch(request).batch
    _show_batches([changed], as_json=as_json)


@batch.command(name="resume")
@readable
def resume_batch(
    batch_id: BatchId,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Begin the cards of a batch again."""
    request = pb.ResumeBatchRequest(request_id=_new_id(), batch_id=batch_id)
    with connect("cardperso", cardperso, tls_dir) as channel:
        changed = ProductionServiceStub(channel).ResumeBatch(request).batch
    _show_batches([changed], as_json=as_json)


@batch.command()
@readable
def cancel(
    batch_id: BatchId,
    reason: Reason,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """End a batch; cards under way are finished."""
    request = pb.CancelBatchRequest(request_id=_new_id(), batch_id=batch_id, reason=reason)
    with connect("cardperso", cardperso, tls_dir) as channel:
        changed = ProductionServiceStub(channel).CancelBatch(request).batch
    _show_batches([changed], as_json=as_json)


def _show_stations(found: Iterable[pb.Station], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_plain(each) for each in found], indent=2))
        return
    table = Table(header_style="bold")
    for column in ("Station", "Location", "Host", "Reader", "Printer", "State", "Job", "Why not"):
        table.add_column(column)
    for each in found:
        state = pb.StationState.Name(each.state).removeprefix("STATION_STATE_")
        table.add_row(
            each.name, each.location, each.host, each.reader, each.printer, state, each.job_id, each.reason
        )
    Console().print(table)


def _show_batches(found: Iterable[pb.Batch], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_plain(each) for each in found], indent=2))
        return
    table = Table(header_style="bold")
    for column in ("Batch", "Location", "State", "Ordered", "Made", "Under way", "Spoiled", "Why"):
        table.add_column(
            column, justify="right" if column in ("Ordered", "Made", "Under way", "Spoiled") else "left"
        )
    for each in found:
        counts = (each.quantity, each.made, each.under_way, each.spoiled)
        state = pb.BatchState.Name(each.state).removeprefix("BATCH_STATE_")
        table.add_row(each.batch_id, each.location, state, *(f"{count:,}" for count in counts), each.reason)
    Console().print(table)


def _plain(message: pb.Station | pb.Batch) -> dict[str, object]:
    plain: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return plain


def _new_id() -> str:
    return str(uuid.uuid4())
