"""Passive authentication: are the data groups those that the issuing state has signed (ICAO Doc 9303-11,
5.1)?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from services.cardperso import tlv
from services.cardperso.chip.security_object import EF_SOD
from services.cardperso.keys import revocation
from services.cardperso.keys.certificates import signs_until
from services.cardperso.keys.cms import LDS_SECURITY_OBJECT
from services.cardperso.verify import signed_data
from services.cardperso.verify.result import Finding, Problem
from services.cardperso.verify.signed_data import (
    DIGESTS,
    MalformedObjectError,
    WrongSignatureError,
)

_SEQUENCE, _INTEGER, _OCTETS, _OBJECT = 0x30, 0x02, 0x04, 0x06


@dataclass(frozen=True)
class Trust:
    """Whom to believe, and when: the certificates of country signing CAs, the time of the check, and the
    revocation lists, each known to be signed by its CA.
    """

    authorities: Sequence[x509.Certificate]
    at: datetime
    revocations: Sequence[x509.CertificateRevocationList] = ()


@dataclass(frozen=True)
class Authentication:
    """What is wrong with the signature or with data groups; `signer` is None where nothing could be read."""

    findings: tuple[Finding, ...]
    signer: x509.Certificate | None = None


@dataclass(frozen=True)
class SignedHashes:
    """The content of a security object."""

    digest: hashes.HashAlgorithm
    groups: dict[int, bytes]


def authenticate(sod: bytes, groups: Mapping[int, tuple[str, bytes]], trust: Trust) -> Authentication:
    """Check a security object and all data groups with it. Every check is made, whatever the others say.

    Args:
        sod: content of EF.SOD.
        groups: key and content of each data group by number.
        trust: whom to believe.
    """
    try:
        signed = signed_data.parse(tlv.find(sod, EF_SOD) or b"")
        if signed.content_type != LDS_SECURITY_OBJECT:
            raise MalformedObjectError("what is signed is no list of hashes")
        known = read_hashes(signed.content)
    except (tlv.TlvError, MalformedObjectError) as error:
        detail = f"The security object cannot be read: {error}."
        return Authentication((Finding(Problem.OBJECT_MALFORMED, detail),))
    findings = []
    try:
        signed_data.verify(signed)
    except WrongSignatureError as wrong:
        findings.append(Finding(Problem.SIGNATURE_WRONG, f"The signature is wrong: {wrong}."))
    try:
        at = signed_data.signing_time(signed)
    except MalformedObjectError as error:
        at = None
        findings.append(Finding(Problem.OBJECT_MALFORMED, f"The security object cannot be read: {error}."))
    findings += chain(signed.certificate, trust, at)
    findings += _in_time(signed.certificate, at)
    findings += _compare(known, groups)
    return Authentication(tuple(findings), signed.certificate)


def read_hashes(content: bytes) -> SignedHashes:
    """LDSSecurityObject, either version (9303-10, 4.6.2.3).

    Raises:
        MalformedObjectError: it is none.
    """
    try:
        ((_, inner),) = tlv.decode(content)
        (_, _version), (_, algorithm), (_, entries), *_rest = tlv.decode(inner)
        name = tlv.find(algorithm, _OBJECT) or b""
        found = {}
        for _, entry in tlv.decode(entries):
            (_, number), (_, digest) = tlv.decode(entry)
            found[int.from_bytes(number, "big")] = digest
    except (ValueError, tlv.TlvError):
        raise MalformedObjectError("the list of hashes is broken") from None
    if name not in DIGESTS:
        raise MalformedObjectError(f"algorithm {name.hex().upper()} is not known here")
    return SignedHashes(DIGESTS[name], found)


def _in_time(signer: x509.Certificate, at: datetime | None) -> list[Finding]:
    """Whether a signature was made while its signer might sign: within the validity of the certificate and
    the usage period of its key. One that does not say when it was made is not judged.
    """
    try:
        begins, until = signer.not_valid_before_utc, signs_until(signer)
    except (ValueError, x509.DuplicateExtension):
        return []  # such a certificate is unfit for anything, which `chain` says
    if at is None or begins <= at <= until:
        return []
    detail = (
        f"The signature says that it was made on {at:%Y-%m-%d}; its signer might sign from "
        f"{begins:%Y-%m-%d} to {until:%Y-%m-%d}."
    )
    return [Finding(Problem.SIGNED_OUT_OF_TIME, detail)]


def chain(certificate: x509.Certificate, trust: Trust, signed_at: datetime | None = None) -> list[Finding]:
    """What keeps a trusted CA from vouching for a document signer (9303-12, 7.1).

    Both certificates must be valid at the time of the check, for nobody looks after a key whose certificate
    has ended; where only that is wrong, `signed_at` says whether the signature itself was made in time.
    """
    name = certificate.subject.rfc4514_string()
    issuer = certificate.issuer.rfc4514_string()
    authority = next((ca for ca in trust.authorities if _issued(certificate, ca)), None)
    if authority is None:
        detail = f"No trusted authority has issued the certificate of {name}; it names {issuer}."
        return [Finding(Problem.SIGNER_UNTRUSTED, detail)]
    findings = []
    if not _may(authority, certificates=True) or not _may(certificate, certificates=False):
        findings.append(Finding(Problem.SIGNER_UNFIT, f"The certificate of {name} is not for documents."))
    revoked = revocation.find(certificate, trust.revocations)
    if revoked is not None:
        detail = f"The certificate of {name} was revoked on {revoked.at:%Y-%m-%d} ({revoked.reason})."
        findings.append(Finding(Problem.SIGNER_REVOKED, detail))
    for holder in (certificate, authority):
        if not holder.not_valid_before_utc <= trust.at <= holder.not_valid_after_utc:
            period = f"{holder.not_valid_before_utc:%Y-%m-%d} to {holder.not_valid_after_utc:%Y-%m-%d}"
            whose = holder.subject.rfc4514_string()
            detail = f"The certificate of {whose} is valid from {period}, not on {trust.at:%Y-%m-%d}."
            if signed_at and holder.not_valid_before_utc <= signed_at <= holder.not_valid_after_utc:
                detail += f" The signature was made in time, on {signed_at:%Y-%m-%d}."
            findings.append(Finding(Problem.SIGNER_EXPIRED, detail))
    return findings


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _may(certificate: x509.Certificate, *, certificates: bool) -> bool:
    """Whether the certificate is a CA's, or a signer's."""
    try:
        extensions = certificate.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if certificates:
            constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
            return constraints.ca and usage.key_cert_sign
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    return usage.digital_signature


def _compare(known: SignedHashes, groups: Mapping[int, tuple[str, bytes]]) -> list[Finding]:
    findings = []
    for number, (key, content) in sorted(groups.items()):
        signed = known.groups.get(number)
        if signed is None:
            detail = f"Data group {number} ({key}) is not signed."
            findings.append(Finding(Problem.GROUP_UNSIGNED, detail, key))
        elif signed_data.hash_of(known.digest, content) != signed:
            detail = f"Data group {number} ({key}) was changed after it was signed."
            findings.append(Finding(Problem.GROUP_CHANGED, detail, key))
    for number in sorted(known.groups.keys() - groups.keys()):
        detail = f"Data group {number} was signed and is not on the chip."
        findings.append(Finding(Problem.GROUP_GONE, detail))
    return findings
