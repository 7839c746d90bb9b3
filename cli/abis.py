"""`tunggal abis`: look inside the fingerprint engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import readable

app = typer.Typer(help="Look inside the fingerprint engine.", no_args_is_help=True)


@app.command()
@readable
def explain(
    probe: Annotated[
        Path, typer.Argument(metavar="PROBE", help="Image of one finger, or its minutiae record.")
    ],
    reference: Annotated[
        Path | None,
        typer.Argument(
            metavar="[REFERENCE]", help="Image or minutiae record of a finger to compare it with."
        ),
    ] = None,
    html: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the page.")] = Path(
        "explain.html"
    ),
    dpi: Annotated[
        float | None, typer.Option(help="Resolution of the images, where their files do not declare it.")
    ] = None,
) -> None:
    """Show every step of the extraction, and of the comparison, as pictures on one page."""
    # Numba and the kernels are loaded by those who ask for them only.
    from services.abis.explain.page import Sheet, explain
    from services.abis.explain.steps import look

    first = Sheet(probe.name, look(probe.read_bytes(), dpi, field="probe"))
    second = None
    if reference is not None:
        second = Sheet(reference.name, look(reference.read_bytes(), dpi, field="reference"))
    html.write_text(explain(first, second), encoding="utf-8")
    typer.echo(f"{html}: every step of {first.name}{f' and {second.name}, compared' if second else ''}")
