"""A country signing CA and a document signer, to sign chips with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from services.cardperso.chip.access import READER_MASTER
from services.cardperso.keys.certificates import Authority, Validity, country_signing_ca, document_signer
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore
from services.cardperso.verify import Trust

CSCA, SIGNER = KeyRef("csca", 1), KeyRef("document-signer", 1)
TODAY = datetime(2026, 11, 21, tzinfo=UTC)
YEARS = (2026, 2027, 2040)


@dataclass(frozen=True)
class Office:
    """Who signs: `store` and `ref` for the key, `certificate` under `ca`."""

    store: Keystore
    ref: KeyRef
    certificate: x509.Certificate
    ca: x509.Certificate
    at: datetime = TODAY

    @property
    def trust(self) -> Trust:
        return Trust((self.ca,), TODAY)


def open_office(
    directory: Path, country: str = "ID", years: tuple[int, int, int] = YEARS, ca_ends: int = 2045
) -> Office:
    """A new office with a keystore in `directory`."""
    store = FileKeystore.create(directory / f"keys-{country}-{years[0]}.json", "passphrase")
    for ref in (CSCA, SIGNER):
        store.generate(ref, KeyKind.SIGNING)
    store.generate(KeyRef(READER_MASTER, 1), KeyKind.AES_MASTER, 16)
    begins, until, ends = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    of_ca = Validity(datetime(2020, 1, 1, tzinfo=UTC), until, datetime(ca_ends, 1, 1, tzinfo=UTC))
    ca = country_signing_ca(store, CSCA, Authority(country, "Civil registry", "CSCA"), of_ca)
    name = Authority(country, "Civil registry", "Document signer")
    validity = Validity(begins, until, ends)
    certificate = document_signer(store, SIGNER, name, validity, ca=ca, ca_key=CSCA)
    return Office(store, SIGNER, certificate, ca)
