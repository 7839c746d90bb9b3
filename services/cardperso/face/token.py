"""The signed token in the QR code: compact JWS with ECDSA on P-256 (RFC 7515; RFC 7518, 3.4) by the document
signer.

It ties the print to the chip: whoever scans it learns, without any reader and without any network, whose
card this is, which chip belongs to it, and what that chip holds. The claims are those of JSON Web Tokens (RFC
7519) as far as there are any:

====  =====================================================================
iss   regency of issue, after the country: `ID/32.16`
iat   date of issue, seconds since 1970 at midnight UTC
sub   NIK
name  name as in a machine readable zone, at most 30 letters
chip  UID of the chip
dg    first 128 bits of SHA-256 over the chip's security object
====  =====================================================================

The header's `kid` begins the SHA-256 of the document signer's certificate; readers have the certificates.
"""

from __future__ import annotations

import binascii
import datetime as dt
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.cardperso.chip.mrz import FILLER, name_field
from services.cardperso.chip.security_object import Signer
from services.cardperso.holder import Holder
from services.cardperso.verify.passive import Trust, chain
from services.cardperso.verify.result import Finding
from services.common.errors import FailedPrecondition

_COORDINATE = 32
_KEY_ID, _DIGEST = 8, 16


class TokenRefused(FailedPrecondition):
    """The token is not genuine; the message says why."""

    def __init__(self, message: str, reason: str = "TOKEN_NOT_GENUINE") -> None:
        super().__init__(reason, message, remedy="Do not trust the card; verify its chip.")


@dataclass(frozen=True)
class Claims:
    """What a genuine token says."""

    issuer: str
    issue_date: dt.date
    nik: str
    name: str
    chip_uid: str
    digest: str
    signer: x509.Certificate


def issue(holder: Holder, chip_uid: str, security_object: bytes, signer: Signer) -> str:
    """The token of a card.

    Args:
        holder: whose card it is.
        chip_uid: of its chip.
        security_object: as it is on the chip.
        signer: the document signer.

    Raises:
        KeyNotFound, KeystoreUnavailable: see there.
    """
    (country,) = signer.certificate.subject.get_attributes_for_oid(x509.NameOID.COUNTRY_NAME)
    issued = dt.datetime.combine(holder.issue_date, dt.time(), dt.UTC)
    claims = {
        "iss": f"{country.value!s}/{holder.issue_region}",
        "iat": int(issued.timestamp()),
        "sub": holder.nik,
        "name": name_field(holder.full_name).replace(FILLER, " "),
        "chip": chip_uid,
        "dg": digest(security_object),
    }
    header = {"alg": "ES256", "kid": key_id(signer.certificate)}
    message = f"{_json(header)}.{_json(claims)}"
    r, s = decode_dss_signature(signer.store.sign(signer.ref, message.encode()))
    signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
    return f"{message}.{_base64(signature)}"


def verify(token: str, signers: Iterable[x509.Certificate], trust: Trust) -> Claims:
    """What a token says, once its signature and the signer's certificate have been checked.

    Args:
        token: as scanned.
        signers: certificates of document signers.
        trust: whom to believe.

    Raises:
        TokenRefused: it is no token, was changed, or is signed by somebody who is not trusted.
    """
    try:
        head, body, tail = token.strip().split(".")
        header, claims, signature = json.loads(_bytes(head)), json.loads(_bytes(body)), _bytes(tail)
        if header["alg"] != "ES256" or len(signature) != 2 * _COORDINATE:
            raise ValueError("another algorithm")
        kid = str(header["kid"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise TokenRefused("This is no token of a card.", "TOKEN_MALFORMED") from None
    certificate = next((each for each in signers if key_id(each) == kid), None)
    if certificate is None:
        raise TokenRefused(f"The signer {kid} of this token is not known here.", "TOKEN_SIGNER_UNKNOWN")
    public = certificate.public_key()
    r, s = (int.from_bytes(part, "big") for part in (signature[:_COORDINATE], signature[_COORDINATE:]))
    try:
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise InvalidSignature
        public.verify(encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise TokenRefused("The token was changed, or somebody else has signed it.") from None
    findings: list[Finding] = chain(certificate, trust)
    if findings:
        raise TokenRefused(findings[0].detail)
    try:
        return Claims(
            issuer=str(claims["iss"]),
            issue_date=dt.datetime.fromtimestamp(claims["iat"], dt.UTC).date(),
            nik=str(claims["sub"]),
            name=str(claims["name"]),
            chip_uid=str(claims["chip"]),
            digest=str(claims["dg"]),
            signer=certificate,
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise TokenRefused("The token lacks what a card says.", "TOKEN_MALFORMED") from None


def digest(security_object: bytes) -> str:
    """What a token says of a chip's content."""
    return _base64(sha256(security_object).digest()[:_DIGEST])


def key_id(certificate: x509.Certificate) -> str:
    """The name of a signer in tokens."""
    return _base64(sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()[:_KEY_ID])


def _json(content: Mapping[str, object]) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
