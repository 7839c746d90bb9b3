"""`tunggal certificate`: a certificate of the development CA for another client or service."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, AsJson, TlsDir
from services.common import tls


@readable
def certificate(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A service, or KIND-NAME such as operator-bekasi.")
    ],
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    trust_domain: Annotated[str, typer.Option(envvar="TUNGGAL_TRUST_DOMAIN")] = "tunggal.local",
    as_json: AsJson = False,
) -> None:
    """Write NAME.pem and NAME.key, signed by the development CA, which is made where it is missing."""
    path = tls.spiffe_path(name)
    tls.ensure_dev_ca(tls_dir, trust_domain, (name,))
    identity = f"spiffe://{trust_domain}/{path}"
    files = {"certificate": str(tls_dir / f"{name}.pem"), "key": str(tls_dir / f"{name}.key")}
    if as_json:
        typer.echo(json.dumps({"identity": identity, **files}))
        return
    typer.echo(f"{identity}: {files['certificate']}, {files['key']}")
