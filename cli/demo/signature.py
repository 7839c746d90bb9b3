"""Passive authentication of a chip's files: who has signed them, and are they what was signed?

Written from ICAO Doc 9303-10 and RFC 5652, and not with the code of the service that signs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cli.demo.tlv import objects

_SEQUENCE, _SET, _OCTETS, _INTEGER, _FIRST = 0x30, 0x31, 0x04, 0x02, 0xA0
_MESSAGE_DIGEST = bytes.fromhex("06092A864886F70D010904")


def signature_faults(
    security_object: bytes, groups: Mapping[int, bytes], anchor: x509.Certificate
) -> Iterator[str]:
    """What is wrong with a chip's security object and its data groups, each in a sentence.

    Args:
        security_object: content of EF.SOD.
        groups: data groups by number.
        anchor: certificate of the country signing CA.

    Raises:
        ValueError, IndexError, KeyError: the object is not one.
    """
    signed_data = _inside(_inside(dict(objects(security_object))[0x77], _SEQUENCE), _FIRST)
    parts = list(objects(_inside(signed_data, _SEQUENCE)))
    encapsulated, certificates, signers = parts[2][1], parts[3][1], parts[4][1]
    content = _inside(_inside(encapsulated, _FIRST), _OCTETS)
    certificate = x509.load_der_x509_certificate(certificates)
    signer = list(objects(_inside(signers, _SEQUENCE)))
    attributes, signature = signer[3][1], signer[5][1]
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        yield "the signer has no key on an elliptic curve"
        return
    try:
        certificate.verify_directly_issued_by(anchor)
    except (InvalidSignature, ValueError, TypeError):
        yield "the signer is not one of the issuing state"
    try:
        # What is signed is a SET OF (RFC 5652, 5.4).
        key.verify(signature, bytes([_SET]) + _length(attributes) + attributes, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        yield "the signature of the security object is wrong"
    if not any(
        value == _MESSAGE_DIGEST + bytes([_SET, 34, _OCTETS, 32]) + hashlib.sha256(content).digest()
        for _, value in objects(attributes)
    ):
        yield "the signature is about other hashes"
    listed = {
        number[-1]: digest
        for _, entry in objects(list(objects(_inside(content, _SEQUENCE)))[2][1])
        for (_, number), (_, digest) in [tuple(objects(entry))]
    }
    if set(listed) != set(groups):
        yield f"hashes of the data groups {sorted(listed)}, but the groups are {sorted(groups)}"
    for number, data in groups.items():
        if listed.get(number) != hashlib.sha256(data).digest():
            yield f"data group {number} is not the one that was signed"


def _inside(content: bytes, tag: int) -> bytes:
    """Value of the first object with this tag."""
    return next(value for found, value in objects(content) if found == tag)


def _length(content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([size])
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(raw)]) + raw
