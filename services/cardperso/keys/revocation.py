"""Certificate revocation lists of a country signing CA (RFC 5280, 5; ICAO Doc 9303-12, 7.1.4).

A document signer whose key was lost or used by others is revoked, and with it everything that it ever signed:
nobody can tell any more what is genuine. A list is signed by the CA, grows only, and is made anew before the
next one is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from services.cardperso import tlv
from services.cardperso.keys.certificates import ECDSA_WITH_SHA256
from services.cardperso.keys.errors import RevocationListDamaged
from services.cardperso.keys.keystore import KeyRef, Keystore

REASONS = {
    "unspecified": None,
    "key-compromise": x509.ReasonFlags.key_compromise,
    "ca-compromise": x509.ReasonFlags.ca_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
}
"""Why a certificate may be revoked (RFC 5280, 5.3.1); what can be taken back is not among them."""
_SEQUENCE, _BIT_STRING = 0x30, 0x03


@dataclass(frozen=True)
class Revoked:
    """An entry of a list: serial number of a certificate, when it was revoked, why (a key of `REASONS`)."""

    serial: int
    at: datetime
    reason: str


def revocation_list(
    store: Keystore,
    key: KeyRef,
    ca: x509.Certificate,
    entries: Iterable[Revoked],
    *,
    number: int,
    at: datetime,
    next_at: datetime,
) -> x509.CertificateRevocationList:
    """A list, signed by the key of `ca`.

    Args:
        store: where the key is.
        key: of the CA.
        ca: its certificate.
        entries: everything that was ever revoked.
        number: of the list, greater than the one before.
        at: now.
        next_at: when the next list is due at the latest.

    Raises:
        KeyNotFound, KeystoreUnavailable: see there.
    """
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(store.public_key(key))
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(at)
        .next_update(next_at)
        .add_extension(authority, critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(_entry(entry))
    # Signed by a throw-away key first, as certificates are.
    draft = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    signed = draft.tbs_certlist_bytes
    signature = tlv.encode(_BIT_STRING, b"\0" + store.sign(key, signed))
    return x509.load_der_x509_crl(tlv.encode(_SEQUENCE, signed + ECDSA_WITH_SHA256 + signature))


def read(pem: bytes, ca: x509.Certificate, name: str) -> x509.CertificateRevocationList:
    """The list in a file that should be by `ca`.

    Raises:
        RevocationListDamaged: it is none, or not signed by this CA: without it a revoked signer would count.
    """
    try:
        found = x509.load_pem_x509_crl(pem)
        public = ca.public_key()
        if (
            isinstance(public, ec.EllipticCurvePublicKey)
            and found.issuer == ca.subject
            and found.is_signature_valid(public)
        ):
            return found
    except (ValueError, TypeError):
        pass
    raise RevocationListDamaged(name)


def entries_of(revoked: x509.CertificateRevocationList | None) -> list[Revoked]:
    """What is on a list; nothing where there is none."""
    return [] if revoked is None else [_read_entry(entry) for entry in revoked]


def find(certificate: x509.Certificate, lists: Sequence[x509.CertificateRevocationList]) -> Revoked | None:
    """Whether and why a certificate was revoked by its issuer."""
    for known in lists:
        if known.issuer == certificate.issuer:
            entry = known.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                return _read_entry(entry)
    return None


def number_of(revoked: x509.CertificateRevocationList | None) -> int:
    """Number of a list; 0 where there is none."""
    if revoked is None:
        return 0
    return revoked.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _entry(entry: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.at)
    flag = REASONS[entry.reason]
    if flag is not None:
        builder = builder.add_extension(x509.CRLReason(flag), critical=False)
    return builder.build()


def _read_entry(entry: x509.RevokedCertificate) -> Revoked:
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        flag = None
    reason = next((name for name, known in REASONS.items() if known is flag), "unspecified")
    return Revoked(entry.serial_number, entry.revocation_date_utc, reason)
