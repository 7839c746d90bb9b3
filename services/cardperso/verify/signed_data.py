"""Reading CMS SignedData with one signer, as a security object is (RFC 5652, 5; ICAO Doc 9303-10,
4.6.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from services.cardperso import tlv
from services.cardperso.keys.cms import GENERALIZED_TIME, SIGNING_TIME, UTC_TIME

_SEQUENCE, _SET, _INTEGER, _OBJECT, _OCTETS = 0x30, 0x31, 0x02, 0x06, 0x04
_CONTENT, _CERTIFICATES, _REVOCATIONS = 0xA0, 0xA0, 0xA1
_ATTRIBUTES = 0xA0
_SIGNED_DATA = bytes.fromhex("2A864886F70D010702")
_CONTENT_TYPE = bytes.fromhex("2A864886F70D010903")
_CENTURY = 2050
_MESSAGE_DIGEST = bytes.fromhex("2A864886F70D010904")
DIGESTS: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
"""Digest algorithms by their encoded object identifiers."""
_ECDSA: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("2A8648CE3D040302"): hashes.SHA256(),
    bytes.fromhex("2A8648CE3D040303"): hashes.SHA384(),
    bytes.fromhex("2A8648CE3D040304"): hashes.SHA512(),
}


class MalformedObjectError(ValueError):
    """The bytes are not what the standard says they look like, or use an algorithm that is not known here."""


class WrongSignatureError(Exception):
    """The signature, or what it covers, does not fit the content; the message says what."""


@dataclass(frozen=True)
class SignedData:
    """What was signed, by whom and how. `attributes` is the DER of the set that the signature covers."""

    content_type: bytes
    content: bytes
    certificate: x509.Certificate
    digest: hashes.HashAlgorithm
    attributes: bytes
    algorithm: hashes.HashAlgorithm
    signature: bytes


def parse(message: bytes) -> SignedData:
    """Read a ContentInfo.

    Raises:
        MalformedObjectError: see there.
    """
    try:
        return _parse(message)
    except (tlv.TlvError, ValueError, IndexError, x509.InvalidVersion) as error:
        raise MalformedObjectError(str(error) or "it is cut short") from None


def verify(signed: SignedData) -> None:
    """Check the signature with the public key of the certificate that comes along.

    Raises:
        WrongSignatureError: see there.
    """
    try:
        kind, named = (attribute(signed.attributes, name) for name in (_CONTENT_TYPE, _MESSAGE_DIGEST))
    except (tlv.TlvError, ValueError):
        raise WrongSignatureError("what the signature covers cannot be read") from None
    if kind != tlv.encode(_OBJECT, signed.content_type):
        raise WrongSignatureError("the signature is for content of another type")
    digest = hash_of(signed.digest, signed.content)
    if named != tlv.encode(_OCTETS, digest):
        raise WrongSignatureError("the content is not the one that was signed")
    try:
        key = signed.certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise WrongSignatureError("the signer's key is of a kind that is not known here") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise WrongSignatureError("the signer's key is not for ECDSA")
    try:
        key.verify(signed.signature, signed.attributes, ec.ECDSA(signed.algorithm))
    except InvalidSignature:
        raise WrongSignatureError("the signature is not by the signer's key") from None


def signing_time(signed: SignedData) -> datetime | None:
    """When the signature says it was made; None where it does not say.

    Raises:
        MalformedObjectError: what it says is no time.
    """
    try:
        found = attribute(signed.attributes, SIGNING_TIME)
        if found is None:
            return None
        ((tag, value),) = tlv.decode(found)
        form = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[tag]
        at = datetime.strptime(value.decode("ascii"), form).replace(tzinfo=UTC)
    except (tlv.TlvError, ValueError, KeyError):
        raise MalformedObjectError("the time of the signature cannot be read") from None
    # Two digits from 50 on are of the century before (X.509); strptime draws the line at 69.
    return at.replace(year=at.year - 100) if tag == UTC_TIME and at.year >= _CENTURY else at


def hash_of(algorithm: hashes.HashAlgorithm, content: bytes) -> bytes:
    """Digest of a content."""
    context = hashes.Hash(algorithm)
    context.update(content)
    return context.finalize()


def attribute(attributes: bytes, name: bytes) -> bytes | None:
    """The one value of a signed attribute, in DER; None where it is missing."""
    for _, content in tlv.decode(_inner(attributes, _SET)):
        (_, kind), (_, values) = tlv.decode(content)
        if kind == name:
            return values
    return None


def _parse(message: bytes) -> SignedData:
    kind, wrapped = _members(_inner(message, _SEQUENCE), _OBJECT, _CONTENT)
    if kind != _SIGNED_DATA:
        raise ValueError("it is no signed data")
    parts = list(tlv.decode(_inner(wrapped, _SEQUENCE)))
    (_, _version), (_, _digests), (_, enclosed), *rest = parts
    given = {tag: value for tag, value in rest if tag in (_CERTIFICATES, _SET)}
    if {tag for tag, _ in rest} - {_CERTIFICATES, _REVOCATIONS, _SET} or len(given) != 2:
        raise ValueError("certificate or signature is missing")
    content_type, explicit = _members(enclosed, _OBJECT, _CONTENT)
    certificates = [tlv.encode(_SEQUENCE, value) for _, value in tlv.decode(given[_CERTIFICATES])]
    signers = [value for _, value in tlv.decode(given[_SET])]
    if len(certificates) != 1 or len(signers) != 1:
        raise ValueError("there must be one certificate and one signature")
    certificate = _certificate(certificates[0])
    return _signer(signers[0], content_type, _inner(explicit, _OCTETS), certificate)


def _certificate(der: bytes) -> x509.Certificate:
    """A certificate of which all that is asked for later can be read: the library reads each part when it is
    asked for it.
    """
    certificate = x509.load_der_x509_certificate(der)
    for name in (certificate.subject, certificate.issuer):
        name.rfc4514_string()
    if certificate.not_valid_before_utc > certificate.not_valid_after_utc:
        raise ValueError("the certificate ends before it begins")
    return certificate


def _signer(info: bytes, content_type: bytes, content: bytes, certificate: x509.Certificate) -> SignedData:
    fields = list(tlv.decode(info))
    if [tag for tag, _ in fields[3:6]] != [_ATTRIBUTES, _SEQUENCE, _OCTETS]:
        raise ValueError("the signature has no signed attributes")
    issuer, serial = _members(fields[1][1], _SEQUENCE, _INTEGER)
    named = (tlv.encode(_SEQUENCE, issuer), int.from_bytes(serial, "big", signed=True))
    if named != (certificate.issuer.public_bytes(), certificate.serial_number):
        raise ValueError("the certificate is not the one that the signature names")
    return SignedData(
        content_type=content_type,
        content=content,
        certificate=certificate,
        digest=_algorithm(DIGESTS, fields[2][1]),
        # Signed as a SET OF, carried with a context tag (RFC 5652, 5.4).
        attributes=tlv.encode(_SET, fields[3][1]),
        algorithm=_algorithm(_ECDSA, fields[4][1]),
        signature=fields[5][1],
    )


def _algorithm(known: dict[bytes, hashes.HashAlgorithm], identifier: bytes) -> hashes.HashAlgorithm:
    name = tlv.find(identifier, _OBJECT) or b""
    if name not in known:
        raise ValueError(f"algorithm {name.hex().upper()} is not known here")
    return known[name]


def _inner(der: bytes, tag: int) -> bytes:
    ((found, value),) = tlv.decode(der)
    if found != tag:
        raise ValueError(f"tag {tag:02X} was expected, {found:02X} found")
    return value


def _members(content: bytes, *tags: int) -> list[bytes]:
    parts = list(tlv.decode(content))
    if tuple(tag for tag, _ in parts) != tags:
        raise ValueError("a sequence has other members than it should")
    return [value for _, value in parts]
