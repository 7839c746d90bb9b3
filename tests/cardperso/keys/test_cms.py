"""A signed object, checked by OpenSSL's own command as any reader would."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.cardperso.keys.certificates import Authority, Validity, country_signing_ca, document_signer
from services.cardperso.keys.cms import LDS_SECURITY_OBJECT, signed_data
from services.cardperso.keys.errors import KeyMismatch
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore

CSCA, SIGNER = KeyRef("csca", 1), KeyRef("document-signer", 1)
VALIDITY = Validity(*(datetime(year, 1, 1, tzinfo=UTC) for year in (2026, 2027, 2045)))
TODAY = datetime(2026, 6, 1, tzinfo=UTC)
CONTENT = bytes.fromhex("3003020100") + bytes(300)


@pytest.fixture
def chain(store: Keystore) -> tuple[x509.Certificate, x509.Certificate]:
    for ref in (CSCA, SIGNER):
        store.generate(ref, KeyKind.SIGNING)
    ca = country_signing_ca(store, CSCA, Authority("UT", "Utopia", "CSCA"), VALIDITY)
    office = Authority("UT", "Utopia", "Document signer")
    return ca, document_signer(store, SIGNER, office, VALIDITY, ca=ca, ca_key=CSCA)


def verified(directory: Path, message: bytes, ca: x509.Certificate) -> bytes | None:
    """What OpenSSL finds signed in the message; None where it does not verify."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (directory / "message.der").write_bytes(message)
    (directory / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    at = int(TODAY.timestamp())
    command = [
        "openssl",
        "cms",
        "-verify",
        "-binary",
        "-inform",
        "DER",
        "-in",
        str(directory / "message.der"),
    ]
    command += ["-CAfile", str(directory / "ca.pem"), "-purpose", "any", "-attime", str(at)]
    result = subprocess.run(command, check=False, capture_output=True)
    return result.stdout if result.returncode == 0 else None


def test_a_signed_object_verifies_up_to_the_country(
    store: Keystore, chain: tuple[x509.Certificate, x509.Certificate], tmp_path: Path
) -> None:
    ca, certificate = chain
    message = signed_data(store, SIGNER, certificate, LDS_SECURITY_OBJECT, CONTENT, TODAY)
    assert verified(tmp_path, message, ca) == CONTENT


def test_a_changed_content_or_another_country_does_not_verify(
    store: Keystore, chain: tuple[x509.Certificate, x509.Certificate], tmp_path: Path
) -> None:
    ca, certificate = chain
    message = signed_data(store, SIGNER, certificate, LDS_SECURITY_OBJECT, CONTENT, TODAY)
    at = message.index(CONTENT)
    changed = message[: at + 10] + b"\1" + message[at + 11 :]
    assert verified(tmp_path, changed, ca) is None
    store.generate(KeyRef("other", 1), KeyKind.SIGNING)
    other = country_signing_ca(store, KeyRef("other", 1), Authority("XX", "Other", "CSCA"), VALIDITY)
    assert verified(tmp_path, message, other) is None


def test_a_certificate_of_another_key_is_refused(
    store: Keystore, chain: tuple[x509.Certificate, x509.Certificate]
) -> None:
    ca, _ = chain
    with pytest.raises(KeyMismatch, match="document-signer/1"):
        signed_data(store, SIGNER, ca, LDS_SECURITY_OBJECT, CONTENT, TODAY)
