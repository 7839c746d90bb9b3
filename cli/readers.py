"""`tunggal readers`: the card readers of a station and what lies on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import cardperso_pb2, reader_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.cardperso.v1.reader_pb2_grpc import ReaderServiceStub

from cli.errors import readable
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, TlsDir, connect
from services.common.errors import remote_error

_STREAM_SECONDS = 3600.0
"""Every call has a deadline; this one is made again."""


@readable
def readers(
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on and tell every change, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the PC/SC readers of the card station."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        answer = CardPersoServiceStub(channel).ListReaders(cardperso_pb2.ListReadersRequest())
        if as_json and not watch:
            typer.echo(json.dumps([_plain(reader) for reader in answer.readers], indent=2))
        elif not as_json:
            _show(answer.readers)
        if watch:
            _follow(ReaderServiceStub(channel), as_json=as_json)


def _show(readers: Iterable[cardperso_pb2.Reader]) -> None:
    table = Table(header_style="bold")
    for column in ("Reader", "Card", "ATR", "Job"):
        table.add_column(column)
    for reader in readers:
        table.add_row(reader.name, "yes" if reader.card_present else "no", reader.atr, reader.job_id)
    Console().print(table)


def _follow(stub: ReaderServiceStub, *, as_json: bool) -> None:
    """Print what changes; for programs, the whole list at every change, one line each."""
    before: reader_pb2.WatchReadersResponse | None = None
    while True:
        try:
            for now in stub.WatchReaders(reader_pb2.WatchReadersRequest(), timeout=_STREAM_SECONDS):
                if as_json:
                    plain = {"readers": [*map(_plain, now.readers)], "unavailable": [*now.unavailable]}
                    lines = [json.dumps(plain)]
                else:
                    clock = f"{datetime.now().astimezone():%H:%M:%S}"
                    lines = [f"{clock}  {line}" for line in changes(before, now)] if before else []
                for line in lines:
                    typer.echo(line)
                before = now
        except grpc.RpcError as error:
            if remote_error(error).code is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise


def changes(before: reader_pb2.WatchReadersResponse, now: reader_pb2.WatchReadersResponse) -> list[str]:
    """What differs between two answers, one sentence each."""
    lost, back = (
        set(now.unavailable) - set(before.unavailable),
        set(before.unavailable) - set(now.unavailable),
    )
    lines = [f"pcscd {name}".strip() + " does not answer" for name in sorted(lost)]
    lines += [f"pcscd {name}".strip() + " is back" for name in sorted(back)]
    old = {reader.name: reader for reader in before.readers}
    new = {reader.name: reader for reader in now.readers}
    lines += [f"{name}: reader gone" for name in old if name not in new]
    for name, reader in new.items():
        known = old.get(name, cardperso_pb2.Reader())
        if name not in old:
            lines.append(f"{name}: reader connected")
        if known.card_present and not reader.card_present:
            lines.append(f"{name}: card removed")
        if reader.card_present and (not known.card_present or known.atr != reader.atr):
            lines.append(f"{name}: card inserted, ATR {reader.atr}")
        if known.job_id != reader.job_id:
            lines.append(
                f"{name}: job {reader.job_id}" if reader.job_id else f"{name}: job {known.job_id} ended"
            )
    return lines


def _plain(reader: cardperso_pb2.Reader) -> dict[str, Any]:
    return MessageToDict(reader, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
