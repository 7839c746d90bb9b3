"""Options that several commands share: where the services are, and whose certificate calls them."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from typing import Annotated

import grpc
import typer

from services.common.client import channel
from services.common.settings import SERVICES

OPERATOR = "operator-cli"


def default_endpoint(service: str) -> str:
    """Where a service listens unless it is told otherwise."""
    return f"127.0.0.1:{7100 + SERVICES[service]}"


def _endpoint(service: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{service}",
        metavar="HOST:PORT",
        envvar=f"TUNGGAL_{service.upper()}_ENDPOINT",
        help=f"Where {service} listens.",
    )
    return option


InventoryEndpoint = Annotated[str, _endpoint("inventory")]
EnrollEndpoint = Annotated[str, _endpoint("enroll")]
CardPersoEndpoint = Annotated[str, _endpoint("cardperso")]
TlsDir = Annotated[
    Path,
    typer.Option(
        "--tls-dir", envvar="TUNGGAL_TLS_DIR", help="Directory with ca.pem, operator-cli.pem and .key."
    ),
]


def _me() -> str:
    """The operator's id: the name of the account, in the characters that ids have."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        account = ""
    name = re.sub(r"[^A-Za-z0-9._@-]", "-", account).lstrip("._@-")
    return name if len(name) > 1 else "operator"


Operator = Annotated[
    str,
    typer.Option(
        envvar="TUNGGAL_OPERATOR", help="Who does this; the account's name unless given.", default_factory=_me
    ),
]


def _drawable(file: Path | None) -> Path | None:
    """A file that can be drawn into, before anything is asked or booked."""
    if file is not None and file.suffix.lower() not in (".png", ".svg"):
        raise typer.BadParameter(f"{file} is neither .png nor .svg.")
    if file is not None and file.is_dir():
        raise typer.BadParameter(f"{file} is a directory.")
    return file


PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", callback=_drawable, help="Draw it; .png or .svg by the name."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]

DEFAULT_TLS_DIR = Path("var/tls")
INVENTORY = default_endpoint("inventory")
ENROLL = default_endpoint("enroll")
CARDPERSO = default_endpoint("cardperso")


def connect(service: str, endpoint: str, tls_dir: Path) -> grpc.Channel:
    """A channel with the operator's certificate to a service, which must show the certificate of its name."""
    return channel(endpoint, tls_dir, OPERATOR, server=service)
