"""Where the issuer's keystore is: what all commands of `tunggal keys` begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cardperso.settings import Settings
from services.common.clock import SystemClock

if TYPE_CHECKING:
    from services.cardperso.issuer import Issuer

DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="TUNGGAL_DATA_DIR", metavar="DIR", help="Where the service stores."),
]
DATA = Path("var/cardperso")


def settings(data_dir: Path) -> Settings:
    """What the TUNGGAL_… variables say of the keystore."""
    return Settings(data_dir=data_dir)


@contextmanager
def opened(data_dir: Path) -> Iterator[Issuer]:
    """The issuer with its keystore, logged out at the end."""
    # Only a keystore in use needs what cards need.
    from services.cardperso.issuer import configured

    issuer = configured(settings(data_dir), SystemClock())
    try:
        yield issuer
    finally:
        issuer.close()
