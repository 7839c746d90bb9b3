"""`tunggal readers`: the card readers of a station and what lies on them."""

from __future__ import annotations

import json

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import cardperso_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub

from cli.errors import readable
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, TlsDir, connect


@readable
def readers(
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List the PC/SC readers of the card station."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        answer = CardPersoServiceStub(channel).ListReaders(cardperso_pb2.ListReadersRequest())
    if as_json:
        plain = [
            MessageToDict(reader, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for reader in answer.readers
        ]
        typer.echo(json.dumps(plain, indent=2))
        return
    table = Table(header_style="bold")
    for column in ("Reader", "Card", "ATR", "Job"):
        table.add_column(column)
    for reader in answer.readers:
        table.add_row(reader.name, "yes" if reader.card_present else "no", reader.atr, reader.job_id)
    Console().print(table)
