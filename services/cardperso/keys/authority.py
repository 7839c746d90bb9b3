"""The issuing state's certificates in use: a directory of PEM files beside a keystore that has their keys.

A country signing CA signs document signers, and a document signer signs the chips of its time. Each has a
version, as its key has. A renewal makes the next one; the certificates of old ones stay, for cards in the
field are verified with them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.cardperso.keys.certificates import Authority, Validity, country_signing_ca, document_signer
from services.cardperso.keys.errors import KeyNotFound, SignerExpired
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore, versions
from services.common.files import file_lock, write_new

CSCA, DOCUMENT_SIGNER = "csca", "document-signer"
_YEAR = timedelta(days=365)
_EARLY = timedelta(days=1)
"""A certificate is valid a little before it is made, for clocks that are slow."""


@dataclass(frozen=True)
class Terms:
    """How long the keys sign, and the certificates can be verified with. A card that is valid for life
    outlives any certificate; these are the longest that passports have (ICAO Doc 9303-12, 4.1 and 4.2).
    """

    ca_signs: timedelta = 5 * _YEAR
    ca_ends: timedelta = 25 * _YEAR
    signer_signs: timedelta = 1 * _YEAR
    signer_ends: timedelta = 16 * _YEAR


@dataclass(frozen=True)
class Signer:
    """A document signer: `ref` names its key in `store`, `certificate` goes on the chip."""

    store: Keystore
    ref: KeyRef
    certificate: x509.Certificate


class Authorities:
    """The certificates in `directory`.

    Args:
        directory: of PEM files.
        country: of the issuing state, two letters.
        organization: that issues.
        terms: of new certificates.
    """

    def __init__(self, directory: Path, country: str, organization: str, terms: Terms | None = None) -> None:
        self.directory = directory
        self._country = country
        self._organization = organization
        self._terms = terms or Terms()

    def anchors(self) -> list[x509.Certificate]:
        """All country signing certificates, oldest first: what verifies the document signers."""
        return [certificate for _, certificate in self._all(CSCA)]

    def signers(self) -> list[x509.Certificate]:
        """All document signer certificates, oldest first."""
        return [certificate for _, certificate in self._all(DOCUMENT_SIGNER)]

    def signer(self, store: Keystore, now: datetime) -> Signer:
        """The newest document signer.

        Raises:
            KeyNotFound: there is none.
            SignerExpired: its time to sign is over.
        """
        found = self._all(DOCUMENT_SIGNER)
        if not found:
            raise KeyNotFound(DOCUMENT_SIGNER)
        version, certificate = found[-1]
        ref = KeyRef(DOCUMENT_SIGNER, version)
        until = signs_until(certificate)
        if now >= until:
            raise SignerExpired(str(ref), until)
        return Signer(store, ref, certificate)

    def found(self, store: Keystore, now: datetime) -> None:
        """Make the first CA and the first document signer where there is none."""
        with self._exclusive():
            if not self._all(CSCA):
                self._new_ca(store, now)
            if not self._all(DOCUMENT_SIGNER):
                self._new_signer(store, now)

    def new_ca(self, store: Keystore, now: datetime) -> x509.Certificate:
        """Make the next country signing CA: a new key and its self-signed certificate."""
        with self._exclusive():
            return self._new_ca(store, now)

    def new_signer(self, store: Keystore, now: datetime) -> x509.Certificate:
        """Make the next document signer under the newest CA.

        Raises:
            KeyNotFound: there is no CA.
            SignerExpired: the CA's time to sign is over.
        """
        with self._exclusive():
            return self._new_signer(store, now)

    def _new_ca(self, store: Keystore, now: datetime) -> x509.Certificate:
        ref = self._next_key(store, CSCA)
        begins = now - _EARLY
        validity = Validity(begins, now + self._terms.ca_signs, now + self._terms.ca_ends)
        certificate = country_signing_ca(store, ref, self._subject("CSCA", ref), validity)
        return self._keep(ref, certificate)

    def _new_signer(self, store: Keystore, now: datetime) -> x509.Certificate:
        authorities = self._all(CSCA)
        if not authorities:
            raise KeyNotFound(CSCA)
        version, ca = authorities[-1]
        ca_ref = KeyRef(CSCA, version)
        if now >= signs_until(ca):
            raise SignerExpired(str(ca_ref), signs_until(ca))
        ref = self._next_key(store, DOCUMENT_SIGNER)
        begins, ends = max(now - _EARLY, ca.not_valid_before_utc), now + self._terms.signer_ends
        validity = Validity(begins, now + self._terms.signer_signs, min(ends, ca.not_valid_after_utc))
        certificate = document_signer(
            store, ref, self._subject("Document Signer", ref), validity, ca=ca, ca_key=ca_ref
        )
        return self._keep(ref, certificate)

    def _next_key(self, store: Keystore, name: str) -> KeyRef:
        """A new signing key. One that a torn attempt left without certificate is taken up again."""
        certified = max((version for version, _ in self._all(name)), default=0)
        known = [info.ref for info in versions(store, name)]
        if known and known[-1].version > certified:
            return known[-1]
        return store.generate(KeyRef(name, certified + 1), KeyKind.SIGNING).ref

    def _subject(self, role: str, ref: KeyRef) -> Authority:
        return Authority(self._country, self._organization, f"{self._organization} {role} {ref.version}")

    def _keep(self, ref: KeyRef, certificate: x509.Certificate) -> x509.Certificate:
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        write_new(self.directory / f"{ref.name}-{ref.version:03}.pem", pem, mode=0o644)
        return certificate

    def _all(self, name: str) -> list[tuple[int, x509.Certificate]]:
        """Versions and certificates of this name."""
        found = []
        for path in sorted(self.directory.glob(f"{name}-*.pem")):
            version = path.stem.removeprefix(f"{name}-")
            if version.isdecimal():
                found.append((int(version), x509.load_pem_x509_certificate(path.read_bytes())))
        return sorted(found, key=lambda each: each[0])

    def _exclusive(self) -> contextlib.AbstractContextManager[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        return file_lock(self.directory / ".lock")


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
