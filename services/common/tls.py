"""Certificates with SPIFFE names: who a process is on the wire, and a development CA that makes them.

The development CA keeps its key in ``tls_dir`` beside the certificates, which is right for one machine under
one person's hands and nowhere else: whoever reads ``ca.key`` can be any service. In production set
``TUNGGAL_DEV_CA=false`` and mount ``ca.pem``, ``NAME.pem`` and ``NAME.key`` from the cluster's own issuer
(SPIRE, cert-manager).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.common.errors import ConfigurationError
from services.common.files import file_lock, write_new
from services.common.settings import SERVICES, ServiceSettings

OPERATORS = ("operator-cli", "operator-supervisor")
DEV_NAMES = (*SERVICES, *OPERATORS)

CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=365)
# A development certificate is renewed at a start within this time of its end.
RENEW_BEFORE = timedelta(days=30)
# Clocks of two machines may differ by this much.
SKEW = timedelta(hours=1)


def spiffe_path(name: str) -> str:
    """The path of a SPIFFE id for a certificate's file name: ``inventory`` → ``service/inventory``,
    ``operator-cli`` → ``operator/cli``.
    """
    if name in SERVICES:
        return f"service/{name}"
    kind, _, rest = name.partition("-")
    if not (kind and rest):
        raise ConfigurationError(f"{name!r} is neither a service nor KIND-NAME such as operator-cli.")
    return f"{kind}/{rest}"


def ensure_dev_ca(tls_dir: Path, trust_domain: str, names: Iterable[str] = DEV_NAMES) -> None:
    """Make what is missing in ``tls_dir``: a CA, and a certificate with its key for each of ``names``.

    Processes that start at the same moment do it once. Certificates near their end are renewed. Where
    ``ca.pem`` came without ``ca.key`` nothing can be made, and :func:`read_pair` says what is missing.
    """
    try:
        tls_dir.mkdir(parents=True, exist_ok=True)
        _ensure(tls_dir, trust_domain, names)
    except OSError as error:
        raise ConfigurationError(
            f"No development certificates can be made in {tls_dir} ({error.strerror}). "
            "Set TUNGGAL_TLS_DIR to a writable directory, or TUNGGAL_DEV_CA=false."
        ) from error


def _ensure(tls_dir: Path, trust_domain: str, names: Iterable[str]) -> None:
    with file_lock(tls_dir / ".lock"):
        if not (tls_dir / "ca.pem").exists():
            _make_ca(tls_dir, trust_domain)
        if not (tls_dir / "ca.key").exists():
            return
        for name in names:
            if not _is_current(tls_dir, name):
                issue(tls_dir, name, spiffe_path(name), trust_domain=trust_domain)


def issue(
    tls_dir: Path,
    name: str,
    path: str,
    *,
    trust_domain: str = "tunggal.local",
    lifetime: timedelta = LIFETIME,
) -> None:
    """Write ``NAME.pem`` and ``NAME.key`` (mode 0600): a certificate of the development CA for
    ``spiffe://TRUST_DOMAIN/PATH``. Only services get DNS names and may act as servers.
    """
    ca, ca_key = _load_ca(tls_dir)
    key = ec.generate_private_key(ec.SECP256R1())
    is_service = path.startswith("service/")
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}/{path}")]
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if is_service:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names += [x509.DNSName(path.removeprefix("service/")), x509.DNSName("localhost")]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    certificate = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), ca.subject, key, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # The key first: a certificate without its key would look complete.
    write_new(tls_dir / f"{name}.key", _pem(key), mode=0o600)
    write_new(tls_dir / f"{name}.pem", certificate.public_bytes(Encoding.PEM), mode=0o644)


def server_credentials(settings: ServiceSettings) -> grpc.ServerCredentials:
    """Credentials that show this service's certificate and ask every client for one of the same CA."""
    root = _read(settings.tls_dir / "ca.pem")
    return grpc.ssl_server_credentials(
        [read_pair(settings.tls_dir, settings.service)], root_certificates=root, require_client_auth=True
    )


def channel_credentials(tls_dir: Path, name: str) -> grpc.ChannelCredentials:
    """Credentials that show the certificate ``name`` and trust servers of the CA in ``tls_dir``."""
    key, chain = read_pair(tls_dir, name)
    return grpc.ssl_channel_credentials(_read(tls_dir / "ca.pem"), private_key=key, certificate_chain=chain)


def read_pair(tls_dir: Path, name: str) -> tuple[bytes, bytes]:
    """The PEM key and certificate chain of ``name``. Raises :class:`ConfigurationError` naming a missing
    file.
    """
    return _read(tls_dir / f"{name}.key"), _read(tls_dir / f"{name}.pem")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The TLS file {path} cannot be read ({error.strerror}). Put it there, or set "
            "TUNGGAL_DEV_CA=true and TUNGGAL_TLS_DIR to a writable directory for development certificates."
        ) from error


def _make_ca(tls_dir: Path, trust_domain: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} development CA")])
    certificate = (
        _builder(name, name, key, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_new(tls_dir / "ca.key", _pem(key), mode=0o600)
    write_new(tls_dir / "ca.pem", certificate.public_bytes(Encoding.PEM), mode=0o644)


def _load_ca(tls_dir: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = load_pem_private_key(_read(tls_dir / "ca.key"), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{tls_dir / 'ca.key'} is not a development CA key (ECDSA).")
    return x509.load_pem_x509_certificate(_read(tls_dir / "ca.pem")), key


def _is_current(tls_dir: Path, name: str) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate((tls_dir / f"{name}.pem").read_bytes())
        key = load_pem_private_key((tls_dir / f"{name}.key").read_bytes(), password=None)
        certificate.verify_directly_issued_by(_load_ca(tls_dir)[0])
    except (FileNotFoundError, ValueError, InvalidSignature):
        return False
    # A kill between the two files of a renewal leaves the new key beside the old certificate.
    belong_together = certificate.public_key() == key.public_key()
    return belong_together and certificate.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
