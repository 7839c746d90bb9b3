"""The issuing state's certificates in use: a directory of PEM files beside a keystore that has their keys.

A country signing CA signs document signers, and a document signer signs the chips of its time. Each has a
version, as its key has. A renewal makes the next one; the certificates of old ones stay, for cards in the
field are verified with them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.cardperso.keys import revocation
from services.cardperso.keys.certificates import (
    Authority,
    Validity,
    country_signing_ca,
    document_signer,
    signs_until,
)
from services.cardperso.keys.errors import KeyNotFound, SignerExpired, SignerRevoked
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore, versions
from services.cardperso.keys.revocation import Revoked
from services.common.files import file_lock, write_new

CSCA, DOCUMENT_SIGNER = "csca", "document-signer"
_YEAR = timedelta(days=365)
_EARLY = timedelta(days=1)
"""A certificate is valid a little before it is made, for clocks that are slow."""
_LIST_LASTS = timedelta(days=90)
"""After which a new revocation list is due at the latest (ICAO Doc 9303-12, 5.5)."""


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
    """A document signer: `ref` names its key in `store`, `certificate` goes on the chip, `at` is the time at
    which it signs.
    """

    store: Keystore
    ref: KeyRef
    certificate: x509.Certificate
    at: datetime


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
            SignerRevoked: it was revoked.
            RevocationListDamaged: see there.
        """
        found = self._all(DOCUMENT_SIGNER)
        if not found:
            raise KeyNotFound(DOCUMENT_SIGNER)
        version, certificate = found[-1]
        ref = KeyRef(DOCUMENT_SIGNER, version)
        until = signs_until(certificate)
        if now >= until:
            raise SignerExpired(str(ref), until)
        revoked = revocation.find(certificate, self.revocations())
        if revoked is not None:
            raise SignerRevoked(str(ref), revoked.at)
        return Signer(store, ref, certificate, now)

    def revocations(self) -> list[x509.CertificateRevocationList]:
        """The newest revocation list of each CA that has made one.

        Raises:
            RevocationListDamaged: a list is not what its CA has signed.
        """
        found = (self._list(version, ca) for version, ca in self._all(CSCA))
        return [each for each in found if each is not None]

    def revoke(self, store: Keystore, version: int, reason: str, now: datetime) -> Path:
        """Revoke a document signer, and with it all that it has signed; the file of the list that says so.

        A signer that is revoked already keeps the time and the reason; the list is made anew.

        Args:
            store: where the key of its CA is.
            version: of the document signer.
            reason: a key of `revocation.REASONS`.
            now: the time.

        Raises:
            KeyNotFound: there is no such document signer, or no key of its CA.
            RevocationListDamaged, KeystoreUnavailable: see there.
        """
        with self._exclusive():
            certificate = dict(self._all(DOCUMENT_SIGNER)).get(version)
            if certificate is None:
                raise KeyNotFound(f"{DOCUMENT_SIGNER}/{version}")
            ca_version, ca = next(
                (known, ca) for known, ca in self._all(CSCA) if ca.subject == certificate.issuer
            )
            return self._new_list(
                store, ca_version, ca, [Revoked(certificate.serial_number, now, reason)], now
            )

    def renew_lists(self, store: Keystore, now: datetime) -> list[Path]:
        """Make the revocation list of every CA anew, with the same entries; also of one that never had any.

        Raises:
            KeyNotFound, KeystoreUnavailable, RevocationListDamaged: see there.
        """
        with self._exclusive():
            return [self._new_list(store, version, ca, [], now) for version, ca in self._all(CSCA)]

    def _list_path(self, version: int) -> Path:
        return self.directory / f"{CSCA}-{version:03}.crl"

    def _list(self, version: int, ca: x509.Certificate) -> x509.CertificateRevocationList | None:
        path = self._list_path(version)
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            return None
        return revocation.read(pem, ca, path.name)

    def _new_list(
        self, store: Keystore, version: int, ca: x509.Certificate, more: list[Revoked], now: datetime
    ) -> Path:
        before = self._list(version, ca)
        entries = {entry.serial: entry for entry in (*more, *revocation.entries_of(before))}
        made = revocation.revocation_list(
            store,
            KeyRef(CSCA, version),
            ca,
            entries.values(),
            number=revocation.number_of(before) + 1,
            at=now,
            next_at=now + _LIST_LASTS,
        )
        path = self._list_path(version)
        write_new(path, made.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return path

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
