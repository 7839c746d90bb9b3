"""The signed token in the QR code."""

from __future__ import annotations

import base64
import datetime as dt
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from services.cardperso.face.token import TokenRefused, digest, issue, verify
from services.cardperso.holder import Holder
from services.cardperso.keys.revocation import Revoked, revocation_list
from services.cardperso.verify import Trust
from tests.cardperso.signing_office import CSCA, TODAY, Office, open_office

UID, OBJECT = "04A1B2C3D4E5F6", b"security object"


@pytest.fixture
def token(holder: Holder, office: Office) -> str:
    return issue(holder, UID, OBJECT, office)


def part(token: str, number: int) -> dict[str, object]:
    text = token.split(".")[number]
    content: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return content


def test_a_token_says_whose_card_it_is_and_what_is_on_its_chip(
    token: str, holder: Holder, office: Office
) -> None:
    claims = verify(token, [office.certificate], office.trust)
    assert (claims.issuer, claims.issue_date) == ("ID/32.16", dt.date(2026, 11, 21))
    assert (claims.nik, claims.name) == (holder.nik, "SITI NURHALIZA RAHMAWATI")
    assert (claims.chip_uid, claims.digest) == (UID, digest(OBJECT))
    assert claims.signer == office.certificate


def test_a_token_is_a_compact_jws_as_others_make_them(token: str) -> None:
    assert part(token, 0)["alg"] == "ES256"
    assert part(token, 1)["iat"] == int(dt.datetime(2026, 11, 21, tzinfo=dt.UTC).timestamp())
    assert "=" not in token


def test_openssl_verifies_a_token_with_the_signers_key(token: str, office: Office, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    message, _, tail = token.rpartition(".")
    raw = base64.urlsafe_b64decode(tail + "==")
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = office.certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for name, content in (("key.pem", key), ("signature", signature), ("message", message.encode())):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    result = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert result.stdout.strip() == "Verified OK"


def test_the_longest_token_fits_a_code_that_a_card_can_carry(holder: Holder, office: Office) -> None:
    longest = replace(holder, full_name="W" * 200, issue_region="32.16.01")
    assert len(issue(longest, "04" * 10, OBJECT, office)) <= 362


def test_a_claim_that_was_changed_is_refused(token: str, office: Office) -> None:
    claims = part(token, 1) | {"name": "SOMEBODY ELSE"}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    head, _, tail = token.split(".")
    with pytest.raises(TokenRefused, match="was changed"):
        verify(f"{head}.{body}.{tail}", [office.certificate], office.trust)


def test_a_token_of_an_unknown_signer_is_refused_by_name(token: str, office: Office, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = open_office(tmp_path / "other")
    with pytest.raises(TokenRefused, match="is not known here") as caught:
        verify(token, [other.certificate], other.trust)
    assert caught.value.reason == "TOKEN_SIGNER_UNKNOWN"
    with pytest.raises(TokenRefused, match="No trusted authority"):
        verify(token, [office.certificate], other.trust)


def test_a_signer_whose_time_is_over_is_refused(token: str, office: Office) -> None:
    late = Trust((office.ca,), TODAY.replace(year=2044))
    with pytest.raises(TokenRefused, match="valid from"):
        verify(token, [office.certificate], late)


def test_a_token_of_a_revoked_signer_is_refused_with_the_day(token: str, office: Office) -> None:
    entries = [Revoked(office.certificate.serial_number, TODAY, "key-compromise")]
    made = revocation_list(
        office.store, CSCA, office.ca, entries, number=1, at=TODAY, next_at=TODAY + dt.timedelta(days=90)
    )
    assert verify(token, [office.certificate], office.trust).signer == office.certificate
    with pytest.raises(TokenRefused, match="revoked on 2026-11-21"):
        verify(token, [office.certificate], replace(office.trust, revocations=(made,)))


def test_an_unsigned_token_is_refused(token: str, office: Office) -> None:
    head = base64.urlsafe_b64encode(json.dumps(part(token, 0) | {"alg": "none"}).encode()).decode()
    with pytest.raises(TokenRefused) as caught:
        verify(f"{head.rstrip('=')}.{token.split('.')[1]}.", [office.certificate], office.trust)
    assert caught.value.reason == "TOKEN_MALFORMED"


@given(st.text(max_size=60) | st.lists(st.from_regex(r"\A[A-Za-z0-9_-]{0,20}\Z"), max_size=4).map(".".join))
def test_no_text_can_crash_the_verifier(text: str) -> None:
    with pytest.raises(TokenRefused):
        verify(text, [], Trust((), TODAY))
