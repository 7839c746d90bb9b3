"""Certificates of the issuing state, checked by the library and by OpenSSL's own command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.cardperso.keys.certificates import Authority, Validity, country_signing_ca, document_signer
from services.cardperso.keys.errors import KeyMismatch
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore

CSCA, SIGNER = KeyRef("csca", 1), KeyRef("document-signer", 1)
STATE = Authority("UT", "Utopia", "CSCA Utopia 1")
OFFICE = Authority("UT", "Utopia", "Document signer 1")
LONG = Validity(*(datetime(year, 1, 1, tzinfo=UTC) for year in (2026, 2031, 2046)))
SHORT = Validity(*(datetime(year, 1, 1, tzinfo=UTC) for year in (2026, 2027, 2045)))


@pytest.fixture
def filled(store: Keystore) -> Keystore:
    for ref in (CSCA, SIGNER):
        store.generate(ref, KeyKind.SIGNING)
    return store


def both(store: Keystore) -> tuple[x509.Certificate, x509.Certificate]:
    ca = country_signing_ca(store, CSCA, STATE, LONG)
    return ca, document_signer(store, SIGNER, OFFICE, SHORT, ca=ca, ca_key=CSCA)


def test_the_document_signer_is_under_the_country_signing_ca(filled: Keystore) -> None:
    ca, signer = both(filled)
    ca.verify_directly_issued_by(ca)
    signer.verify_directly_issued_by(ca)
    with pytest.raises(ValueError, match=r"[Ii]ssuer"):
        ca.verify_directly_issued_by(signer)
    assert signer.public_key() == filled.public_key(SIGNER)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = signer.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    period = signer.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod).value
    assert period.not_after is not None
    assert period.not_after.year == 2027


def test_openssl_accepts_the_chain(filled: Keystore, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    for name, certificate in zip(("ca", "signer"), both(filled), strict=True):
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (tmp_path / f"{name}.pem").write_bytes(pem)
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-attime",
        str(int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())),
    ]
    result = subprocess.run(
        [*command, "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "signer.pem")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.stdout.strip().endswith("signer.pem: OK"), result.stderr


def test_what_does_not_go_together_is_refused(filled: Keystore) -> None:
    ca, _ = both(filled)
    with pytest.raises(KeyMismatch, match="not that of the key"):
        document_signer(filled, SIGNER, OFFICE, SHORT, ca=ca, ca_key=SIGNER)
    with pytest.raises(KeyMismatch, match="one country"):
        document_signer(filled, SIGNER, replace(OFFICE, country="ID"), SHORT, ca=ca, ca_key=CSCA)
    late = replace(SHORT, ends=datetime(2047, 1, 1, tzinfo=UTC))
    with pytest.raises(KeyMismatch, match="outlive"):
        document_signer(filled, SIGNER, OFFICE, late, ca=ca, ca_key=CSCA)
    with pytest.raises(KeyMismatch, match="begins"):
        Validity(LONG.ends, LONG.begins, LONG.ends)
