"""Certificates of the issuing state, signed by keys that stay in the keystore (ICAO Doc 9303-12, clause 7.1).

Two levels: the country signing CA (CSCA) is made in a key ceremony and signs document signers; a document
signer signs the security object of every chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.cardperso import tlv
from services.cardperso.keys.errors import KeyMismatch
from services.cardperso.keys.keystore import KeyRef, Keystore

_SEQUENCE, _BIT_STRING = 0x30, 0x03
ECDSA_WITH_SHA256 = bytes.fromhex("300A06082A8648CE3D040302")
"""Algorithm identifier in DER."""


@dataclass(frozen=True)
class Authority:
    """Who a certificate speaks of."""

    country: str
    organization: str
    name: str

    def encode(self) -> x509.Name:
        """The distinguished name: country, organization, common name."""
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, self.country),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization),
                x509.NameAttribute(NameOID.COMMON_NAME, self.name),
            ]
        )


@dataclass(frozen=True)
class Validity:
    """When a certificate begins and ends, and until when its key may sign. What was signed must be verifiable
    until the last document expires, so a certificate lives longer than its key signs.

    Raises:
        KeyMismatch: the times are not in order.
    """

    begins: datetime
    signs_until: datetime
    ends: datetime

    def __post_init__(self) -> None:
        if not self.begins < self.signs_until <= self.ends:
            raise KeyMismatch("A certificate begins, its key stops signing, then the certificate ends.")


def country_signing_ca(
    store: Keystore, key: KeyRef, subject: Authority, validity: Validity
) -> x509.Certificate:
    """The self-signed certificate of the signing key `key`.

    Raises:
        KeyNotFound, KeyMismatch, KeystoreUnavailable: see there.
    """
    public = store.public_key(key)
    name = subject.encode()
    builder = _builder(name, name, public, public, validity).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return sign(builder.add_extension(_usage(certificates=True), critical=True), store, key)


def document_signer(
    store: Keystore,
    key: KeyRef,
    subject: Authority,
    validity: Validity,
    *,
    ca: x509.Certificate,
    ca_key: KeyRef,
) -> x509.Certificate:
    """The certificate of the document signer `key` under the CSCA `ca`, whose key is `ca_key`.

    Raises:
        KeyMismatch: `ca` is not the certificate of `ca_key`, or of another country, or ends earlier.
        KeyNotFound, KeystoreUnavailable: see there.
    """
    authority = store.public_key(ca_key)
    if ca.public_key() != authority:
        raise KeyMismatch(f"The CA certificate is not that of the key {ca_key}.")
    (country,) = ca.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    if country.value != subject.country:
        raise KeyMismatch("CA and document signer must be of one country (Doc 9303-12, 7.1.1).")
    if validity.ends > ca.not_valid_after_utc:
        raise KeyMismatch("A document signer cannot outlive its CA.")
    builder = _builder(subject.encode(), ca.subject, store.public_key(key), authority, validity)
    return sign(builder.add_extension(_usage(certificates=False), critical=True), store, ca_key)


def sign(builder: x509.CertificateBuilder, store: Keystore, signer: KeyRef) -> x509.Certificate:
    """The certificate that `builder` describes, signed by a key of the store.

    The library signs with keys that it holds only. So a throw-away key of the same kind signs first, and its
    signature, which is not part of what is signed, gives way to the right one.
    """
    draft = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    signed = draft.tbs_certificate_bytes
    signature = tlv.encode(_BIT_STRING, b"\0" + store.sign(signer, signed))
    return x509.load_der_x509_certificate(tlv.encode(_SEQUENCE, signed + ECDSA_WITH_SHA256 + signature))


def signs_until(certificate: x509.Certificate) -> datetime:
    """Until when the key of a certificate may sign; as long as it is valid where it does not say."""
    try:
        period = certificate.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod).value
    except x509.ExtensionNotFound:
        return certificate.not_valid_after_utc
    until = period.not_after
    if until is None:
        return certificate.not_valid_after_utc
    return until if until.tzinfo else until.replace(tzinfo=UTC)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    authority: ec.EllipticCurvePublicKey,
    validity: Validity,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.begins)
        .not_valid_after(validity.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        .add_extension(x509.PrivateKeyUsagePeriod(validity.begins, validity.signs_until), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    """Sign certificates and revocation lists, or documents (Doc 9303-12, table of key usage)."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
