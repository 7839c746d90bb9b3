"""`tunggal keys`: the issuer's keys and certificates, where the keystore is. No command shows a secret."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

from cli.errors import readable
from cli.keys_revocation import refresh, revoke
from cli.keystore import DATA, DataDir, opened
from cli.keystore import settings as keystore_settings
from cli.options import AsJson
from services.cardperso.keys import FileKeystore, KeyInfo, KeyRef, Keystore, ceremony, check_value, versions
from services.cardperso.keys import rotate as next_version
from services.cardperso.keys.authority import CSCA, DOCUMENT_SIGNER
from services.cardperso.keys.ceremony import Component, Occasion
from services.cardperso.keys.certificates import signs_until
from services.cardperso.keys.keystore import KeyKind
from services.common.clock import SystemClock
from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from services.common.files import write_new

CEREMONY = "ceremony"
"""Signing key of the protocols."""
_PRIVATE = 0o600

app = typer.Typer(
    help="Look after the issuer's keys: ceremonies, versions, certificates. Where the keystore is, file or "
    "PKCS#11 token, is said by the same TUNGGAL_… variables as for the service.",
    no_args_is_help=True,
)

app.command("revoke")(revoke)
app.command("revocations")(refresh)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="card-master, transport-master, reader-master, or another.")
]
Custodians = Annotated[
    list[str], typer.Option("--custodian", metavar="WHO", help="Each of them once; two at least.")
]


@app.command()
@readable
def init(data_dir: DataDir = DATA) -> None:
    """Make an empty keystore file, with the passphrase that is in its file already."""
    settings = keystore_settings(data_dir)
    if settings.pkcs11_module:
        raise FailedPrecondition(
            "KEYSTORE_IS_TOKEN",
            "the keystore is a PKCS#11 token",
            remedy="Initialize it with the tools of its maker.",
        )
    passphrase = settings.keystore_passphrase_file.read_text().strip()
    FileKeystore.create(settings.keystore, passphrase).close()
    Console().print(f"{settings.keystore} is made, without any key.", soft_wrap=True)


@app.command(name="list")
@readable
def show(data_dir: DataDir = DATA, as_json: AsJson = False) -> None:
    """List all keys with their versions and check values, and the certificates."""
    with opened(data_dir) as issuer:
        keys = issuer.store.contents()
        certificates = [*issuer.authorities.anchors(), *issuer.authorities.signers()]
    if as_json:
        plain = {
            "keys": [_key(info) for info in keys],
            "certificates": [_certificate(c) for c in certificates],
        }
        typer.echo(json.dumps(plain, indent=2))
        return
    table = Table(header_style="bold")
    for column in ("Key", "Version", "Kind", "Bits", "Check value"):
        table.add_column(column, justify="right" if column in ("Version", "Bits") else "left")
    for info in keys:
        facts = _key(info)
        table.add_row(
            info.ref.name,
            f"{info.ref.version:02X}",
            info.kind.value,
            f"{8 * info.size}",
            str(facts["check_value"]),
        )
    Console().print(table)
    table = Table(header_style="bold")
    for column in ("Certificate", "Signs until", "Valid until"):
        table.add_column(column)
    for each in certificates:
        table.add_row(
            each.subject.rfc4514_string(),
            f"{signs_until(each):%Y-%m-%d}",
            f"{each.not_valid_after_utc:%Y-%m-%d}",
        )
    Console().print(table)


@app.command()
@readable
def split(
    name: Name,
    custodian: Custodians,
    directory: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Gets one file a custodian, for nobody else's eyes.")
    ],
    kind: Annotated[KeyKind, typer.Option(help="What the key is.")] = KeyKind.AES_MASTER,
    size: Annotated[int, typer.Option(help="Bytes of the key.")] = 32,
) -> None:
    """Make a new key in components: all custodians together have it, fewer know nothing of it.

    The key itself is forgotten at once; 'hold' puts it together.
    """
    key = ceremony.new_key(kind, size)
    components = ceremony.split(key, custodian)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}-{component.custodian}.component" for component in components]
    taken = [path for path in paths if path.exists()]
    if taken:
        raise AlreadyExists(
            "COMPONENT_EXISTS", f"{taken[0]} exists", field="--to", remedy="Give an empty directory."
        )
    for path, component in zip(paths, components, strict=True):
        write_new(path, component.paper().encode() + b"\n", mode=_PRIVATE)
    _tell(components, check_value(key))
    for path in paths:
        Console().print(str(path), soft_wrap=True)


@app.command()
@readable
def hold(
    name: Name,
    custodian: Custodians,
    place: Annotated[str, typer.Option(help="Where the ceremony takes place.")],
    witness: Annotated[list[str], typer.Option(metavar="WHO", help="Looks on; no custodian.")],
    protocol: Annotated[Path, typer.Option(metavar="FILE", help="Gets the signed protocol.")],
    component: Annotated[
        list[str] | None,
        typer.Option(metavar="WHO=FILE", help="A component in a file; the others are typed in unseen."),
    ] = None,
    expect: Annotated[
        str, typer.Option(metavar="HEX", help="Check value of the whole, as 'split' or the maker told it.")
    ] = "",
    version: Annotated[int, typer.Option(min=0, max=127, help="Key version; 0 for the next one.")] = 0,
    kind: Annotated[KeyKind, typer.Option(help="What the key is.")] = KeyKind.AES_MASTER,
    data_dir: DataDir = DATA,
) -> None:
    """Hold a key ceremony: custodians give their components, the key is stored, a protocol is signed."""
    if protocol.exists():
        raise AlreadyExists(
            "PROTOCOL_EXISTS", f"{protocol} exists", field="--protocol", remedy="Give a new file."
        )
    files = dict(_named_file(each) for each in component or [])
    components = [
        ceremony.read_component(who, kind.algorithm, _component(who, files.get(who))) for who in custodian
    ]
    expected = _hexadecimal(expect) if expect else None
    occasion = Occasion(place, SystemClock().now(), tuple(witness))
    with opened(data_dir) as issuer:
        store = issuer.store
        ref = KeyRef(name, version or _next(store, name))
        signed = ceremony.hold(
            store, ref, kind, components, occasion=occasion, signer=_signer(store), expected=expected
        )
        write_new(protocol, signed.encode() + b"\n", mode=0o644)
        stored = next(info for info in store.contents() if info.ref == ref)
    _tell(components, stored.check_value)
    Console().print(f"{ref} is stored; the protocol is {protocol}.", soft_wrap=True)


@app.command()
@readable
def rotate(name: Name, data_dir: DataDir = DATA) -> None:
    """Make the next version of a key inside of the keystore; cards in the field keep theirs."""
    with opened(data_dir) as issuer:
        info = next_version(issuer.store, name)
    Console().print(f"{info.ref} is made, check value {info.check_value.hex().upper()}.", soft_wrap=True)


@app.command()
@readable
def renew(
    what: Annotated[str, typer.Argument(metavar="csca|document-signer", help="Whose turn it is.")],
    data_dir: DataDir = DATA,
) -> None:
    """Make the next country signing CA or document signer: a new key and its certificate."""
    with opened(data_dir) as issuer:
        now = SystemClock().now()
        if what == CSCA:
            certificate = issuer.authorities.new_ca(issuer.store, now)
        elif what == DOCUMENT_SIGNER:
            certificate = issuer.authorities.new_signer(issuer.store, now)
        else:
            raise InvalidArgument(
                "NOT_RENEWABLE",
                f"{what!r} is neither",
                field="what",
                remedy=f"Say {CSCA} or {DOCUMENT_SIGNER}.",
            )
    Console().print(
        f"{certificate.subject.rfc4514_string()} signs until {signs_until(certificate):%Y-%m-%d} and can be "
        f"verified until {certificate.not_valid_after_utc:%Y-%m-%d}.",
        soft_wrap=True,
    )


@app.command()
@readable
def check(
    protocol: Annotated[Path, typer.Argument(metavar="FILE", help="Protocol of a ceremony.")],
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Public key to trust; left out: the keystore's own.")
    ] = None,
    data_dir: DataDir = DATA,
) -> None:
    """Check that a ceremony's protocol is as it was signed, and show what it says."""
    if key is not None:
        public = serialization.load_pem_public_key(key.read_bytes())
    else:
        with opened(data_dir) as issuer:
            public = issuer.store.public_key(KeyRef(CEREMONY, 1))
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise InvalidArgument("KEY_UNFIT", f"{key} is no key on an elliptic curve", field="--key")
    statement = ceremony.verify_protocol(protocol.read_text(), public)
    typer.echo(json.dumps(statement, indent=2, ensure_ascii=False))


def _signer(store: Keystore) -> KeyRef:
    """The key that signs protocols, made with the first one."""
    ref = KeyRef(CEREMONY, 1)
    if not versions(store, CEREMONY):
        store.generate(ref, KeyKind.SIGNING)
    return ref


def _next(store: Keystore, name: str) -> int:
    known = versions(store, name)
    return known[-1].ref.version + 1 if known else 1


def _named_file(given: str) -> tuple[str, Path]:
    who, equals, path = given.partition("=")
    if not equals or not path:
        raise InvalidArgument(
            "COMPONENT_UNNAMED",
            f"{given!r} is not WHO=FILE",
            field="--component",
            remedy="Name its custodian.",
        )
    return who, Path(path)


def _component(who: str, path: Path | None) -> str:
    if path is not None:
        return path.read_text().strip()
    text: str = typer.prompt(f"Component of {who}", hide_input=True, err=True)
    return text


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidArgument(
            "CHECK_VALUE_WRONG", f"{text!r} is not hexadecimal", field="--expect", remedy="Six digits."
        ) from None


def _tell(components: Sequence[Component], whole: bytes) -> None:
    table = Table(header_style="bold")
    table.add_column("Custodian")
    table.add_column("Check value")
    for component in components:
        table.add_row(component.custodian, component.check_value.hex().upper())
    table.add_section()
    table.add_row("the whole key", whole.hex().upper())
    Console().print(table)


def _key(info: KeyInfo) -> dict[str, str | int]:
    return {
        "name": info.ref.name,
        "version": info.ref.version,
        "kind": info.kind.value,
        "bytes": info.size,
        "check_value": info.check_value.hex().upper(),
    }


def _certificate(certificate: x509.Certificate) -> dict[str, str]:
    until: datetime = signs_until(certificate)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "serial": f"{certificate.serial_number:X}",
        "signs_until": until.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
    }
