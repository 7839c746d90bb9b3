"""`tunggal serve SERVICE`: run one of the four services in this process until it is told to stop."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from cli.errors import missing_extra, readable
from services.common.errors import InvalidArgument
from services.common.settings import SERVICES


@readable
def serve(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="inventory, abis, enroll or cardperso.")],
) -> None:
    """Run a service; settings come from TUNGGAL_* in the environment. SIGTERM drains it."""
    if service not in SERVICES:
        raise InvalidArgument(
            "SERVICE_UNKNOWN",
            f"there is no service {service!r}",
            field="SERVICE",
            remedy=f"Use one of {', '.join(SERVICES)}.",
        )
    # Imported only now: an image that carries one service has the libraries of that one only.
    try:
        app = importlib.import_module(f"services.{service}.app")
        settings = importlib.import_module(f"services.{service}.settings").Settings()
    except ModuleNotFoundError as error:
        raise missing_extra(error, service) from error
    from services.common.server import run

    run(app.build(settings))
