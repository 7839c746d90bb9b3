"""Revocation lists: made by the CA, read back, checked by OpenSSL, refused where anybody has touched them."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.cardperso.keys.authority import Authorities
from services.cardperso.keys.errors import KeyNotFound, RevocationListDamaged, SignerRevoked
from services.cardperso.keys.keystore import Keystore
from services.cardperso.keys.revocation import REASONS, entries_of, find, number_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


@pytest.fixture
def authorities(tmp_path: Path, store: Keystore) -> Authorities:
    made = Authorities(tmp_path / "certificates", "ID", "Civil registry")
    made.found(store, NOW)
    return made


def test_without_a_list_nobody_is_revoked(authorities: Authorities, store: Keystore) -> None:
    assert authorities.revocations() == []
    assert find(authorities.signers()[0], []) is None
    assert authorities.signer(store, NOW).ref.version == 1


@pytest.mark.parametrize("reason", REASONS)
def test_a_revoked_signer_is_on_the_list_and_signs_no_more(
    authorities: Authorities, store: Keystore, reason: str
) -> None:
    path = authorities.revoke(store, 1, reason, NOW)
    assert path.name == "csca-001.crl"
    (revoked,) = authorities.revocations()
    found = find(authorities.signers()[0], [revoked])
    assert found is not None
    assert (found.at, found.reason) == (NOW, reason)
    with pytest.raises(SignerRevoked, match="2026-11-21"):
        authorities.signer(store, NOW)
    authorities.new_signer(store, NOW)
    assert authorities.signer(store, NOW).ref.version == 2


def test_a_list_grows_only_and_keeps_the_first_time(authorities: Authorities, store: Keystore) -> None:
    authorities.revoke(store, 1, "key-compromise", NOW)
    authorities.new_signer(store, NOW)
    authorities.revoke(store, 2, "superseded", LATER)
    authorities.revoke(store, 1, "unspecified", LATER)
    authorities.renew_lists(store, LATER)
    (revoked,) = authorities.revocations()
    first, second = (certificate.serial_number for certificate in authorities.signers())
    assert {entry.serial: (entry.at, entry.reason) for entry in entries_of(revoked)} == {
        first: (NOW, "key-compromise"),
        second: (LATER, "superseded"),
    }
    assert number_of(revoked) == 4
    assert revoked.next_update_utc == LATER + timedelta(days=90)


def test_each_authority_has_a_list_of_its_own(authorities: Authorities, store: Keystore) -> None:
    authorities.new_ca(store, LATER)
    authorities.new_signer(store, LATER)
    paths = authorities.renew_lists(store, LATER)
    assert [path.name for path in paths] == ["csca-001.crl", "csca-002.crl"]
    authorities.revoke(store, 2, "unspecified", LATER)
    first, second = authorities.revocations()
    assert (number_of(first), number_of(second)) == (1, 2)
    assert [find(signer, [first, second]) is not None for signer in authorities.signers()] == [False, True]


def test_a_signer_that_never_was_cannot_be_revoked(authorities: Authorities, store: Keystore) -> None:
    with pytest.raises(KeyNotFound, match="document-signer/7"):
        authorities.revoke(store, 7, "unspecified", NOW)
    assert authorities.revocations() == []


def test_a_list_that_somebody_has_touched_is_an_error_and_not_an_empty_list(
    authorities: Authorities, store: Keystore
) -> None:
    path = authorities.revoke(store, 1, "unspecified", NOW)
    genuine = path.read_bytes()
    lines = genuine.splitlines(keepends=True)
    changed = b"".join([*lines[:2], lines[2].swapcase(), *lines[3:]])
    for content in (b"", b"nothing", changed, genuine[: len(genuine) // 2]):
        path.write_bytes(content)
        with pytest.raises(RevocationListDamaged, match=r"csca-001\.crl"):
            authorities.revocations()
        with pytest.raises(RevocationListDamaged):
            authorities.signer(store, NOW)


def test_a_list_of_another_authority_is_refused(
    authorities: Authorities, store: Keystore, tmp_path: Path
) -> None:
    authorities.new_ca(store, NOW)
    first, second = authorities.renew_lists(store, NOW)
    first.write_bytes(second.read_bytes())
    with pytest.raises(RevocationListDamaged):
        authorities.revocations()


def test_openssl_takes_the_list_and_refuses_the_signer(
    authorities: Authorities, store: Keystore, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    authorities.new_signer(store, NOW)
    path = authorities.revoke(store, 1, "key-compromise", NOW)
    (ca,) = authorities.anchors()
    write(tmp_path / "ca.pem", ca)
    told = []
    for number, signer in enumerate(authorities.signers()):
        write(tmp_path / f"{number}.pem", signer)
        command = ["openssl", "verify", "-crl_check", "-attime", str(int(NOW.timestamp()) + 60)]
        command += [
            "-CAfile",
            str(tmp_path / "ca.pem"),
            "-CRLfile",
            str(path),
            str(tmp_path / f"{number}.pem"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        told.append((done.returncode == 0, "certificate revoked" in done.stderr + done.stdout))
    assert told == [(False, True), (True, False)]


def write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
