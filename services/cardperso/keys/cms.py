"""CMS SignedData by a key that stays in the keystore (RFC 5652; ICAO Doc 9303-10, 4.6.2 and 9303-12, 7.3)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.cardperso import tlv
from services.cardperso.keys.errors import KeyMismatch
from services.cardperso.keys.keystore import KeyRef, Keystore

LDS_SECURITY_OBJECT = bytes.fromhex("678108010101")
"""2.23.136.1.1.1: hashes of the data groups of a document."""

_INTEGER, _OCTET_STRING, _OBJECT, _SEQUENCE, _SET, _FIRST = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0
_SIGNED_DATA = bytes.fromhex("2A864886F70D010702")
_CONTENT_TYPE = bytes.fromhex("2A864886F70D010903")
_MESSAGE_DIGEST = bytes.fromhex("2A864886F70D010904")
SIGNING_TIME = bytes.fromhex("2A864886F70D010905")
"""1.2.840.113549.1.9.5, the attribute that says when a signature was made."""
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
_LAST_OF_UTC_TIME = 2049
_SHA256 = bytes.fromhex("300B0609608648016503040201")
_ECDSA_WITH_SHA256 = bytes.fromhex("300A06082A8648CE3D040302")
_VERSION_3, _VERSION_1 = b"\x03", b"\x01"


def signed_data(
    store: Keystore,
    signer: KeyRef,
    certificate: x509.Certificate,
    content_type: bytes,
    content: bytes,
    at: datetime,
) -> bytes:
    """ContentInfo with SignedData in DER: the content, the signer's certificate and one signature.

    Args:
        store: where the key is.
        signer: key that signs.
        certificate: its certificate, which goes along.
        content_type: encoded object identifier of what is signed.
        content: what is signed, in DER.
        at: the time, which is signed too.

    Raises:
        KeyMismatch: the certificate is not that of the key.
        KeyNotFound, KeystoreUnavailable: see there.
    """
    if certificate.public_key() != store.public_key(signer):
        raise KeyMismatch(f"The certificate is not that of the key {signer}.")
    kind = tlv.encode(_OBJECT, content_type)
    digest = tlv.encode(_OCTET_STRING, hashlib.sha256(content).digest())
    # DER orders the members of a set by their encodings (X.690, 11.6).
    named = [(_CONTENT_TYPE, kind), (_MESSAGE_DIGEST, digest), (SIGNING_TIME, _time(at))]
    attributes = b"".join(sorted(_attribute(name, value) for name, value in named))
    # What is signed is a SET OF; in the message it carries a context tag instead (RFC 5652, 5.4).
    signature = store.sign(signer, tlv.encode(_SET, attributes))
    signer_info = _sequence(
        tlv.encode(_INTEGER, _VERSION_1),
        _issuer_and_serial(certificate),
        _SHA256,
        tlv.encode(_FIRST, attributes),
        _ECDSA_WITH_SHA256,
        tlv.encode(_OCTET_STRING, signature),
    )
    body = _sequence(
        tlv.encode(_INTEGER, _VERSION_3),
        tlv.encode(_SET, _SHA256),
        _sequence(kind, tlv.encode(_FIRST, tlv.encode(_OCTET_STRING, content))),
        tlv.encode(_FIRST, certificate.public_bytes(serialization.Encoding.DER)),
        tlv.encode(_SET, signer_info),
    )
    return _sequence(tlv.encode(_OBJECT, _SIGNED_DATA), tlv.encode(_FIRST, body))


def _time(at: datetime) -> bytes:
    """A time to the second: two digits of the year until 2049, four from then on (RFC 5652, 11.3)."""
    at = at.astimezone(UTC)
    if at.year <= _LAST_OF_UTC_TIME:
        return tlv.encode(UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())
    return tlv.encode(GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


def _attribute(name: bytes, value: bytes) -> bytes:
    return _sequence(tlv.encode(_OBJECT, name), tlv.encode(_SET, value))


def _issuer_and_serial(certificate: x509.Certificate) -> bytes:
    serial = certificate.serial_number
    encoded = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return _sequence(certificate.issuer.public_bytes(), tlv.encode(_INTEGER, encoded))


def _sequence(*members: bytes) -> bytes:
    return tlv.encode(_SEQUENCE, b"".join(members))
