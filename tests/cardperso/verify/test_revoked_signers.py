"""When a signature was made, whether its signer might sign then, and whether it was revoked since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.cardperso import tlv
from services.cardperso.chip.security_object import security_object
from services.cardperso.keys.keystore import KeyRef
from services.cardperso.keys.revocation import Revoked, revocation_list
from services.cardperso.verify import Problem, Trust, signed_data
from services.cardperso.verify.passive import Authentication, authenticate
from services.cardperso.verify.signed_data import signing_time
from tests.cardperso.signing_office import CSCA, TODAY, Office, open_office

GROUPS = {1: ("biodata", b"data group one")}


def signed_on(office: Office, at: datetime) -> bytes:
    return security_object({1: GROUPS[1][1]}, replace(office, at=at))


def problems(found: Authentication) -> list[Problem]:
    return [finding.problem for finding in found.findings]


def revoked(office: Office, serial: int) -> Trust:
    entries = [Revoked(serial, TODAY, "key-compromise")]
    made = revocation_list(
        office.store, CSCA, office.ca, entries, number=1, at=TODAY, next_at=TODAY + timedelta(days=90)
    )
    return replace(office.trust, revocations=(made,))


@pytest.mark.parametrize(
    "at", [TODAY, datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)]
)
def test_the_time_of_a_signature_is_signed_and_read_back(office: Office, at: datetime) -> None:
    sod = signed_on(office, at)
    signed = signed_data.parse(tlv.find(sod, 0x77) or b"")
    assert signing_time(signed) == at
    signed_data.verify(signed)


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (datetime(2025, 12, 31, tzinfo=UTC), [Problem.SIGNED_OUT_OF_TIME]),
        (datetime(2026, 1, 1, tzinfo=UTC), []),
        (datetime(2027, 1, 1, tzinfo=UTC), []),
        (datetime(2027, 1, 2, tzinfo=UTC), [Problem.SIGNED_OUT_OF_TIME]),
    ],
)
def test_a_signer_signs_in_its_time_only(office: Office, at: datetime, found: list[Problem]) -> None:
    assert problems(authenticate(signed_on(office, at), GROUPS, office.trust)) == found


def test_a_certificate_that_ended_after_it_signed_is_told_from_one_that_never_should_have(
    office: Office,
) -> None:
    late = replace(office.trust, at=datetime(2041, 1, 1, tzinfo=UTC))
    (finding,) = authenticate(signed_on(office, TODAY), GROUPS, late).findings
    assert finding.problem == Problem.SIGNER_EXPIRED
    assert "made in time, on 2026-11-21" in finding.detail
    out = authenticate(signed_on(office, datetime(2040, 6, 1, tzinfo=UTC)), GROUPS, late)
    assert problems(out) == [Problem.SIGNER_EXPIRED, Problem.SIGNED_OUT_OF_TIME]


def test_a_revoked_signer_is_named_with_day_and_reason(office: Office) -> None:
    sod = signed_on(office, TODAY)
    (finding,) = authenticate(sod, GROUPS, revoked(office, office.certificate.serial_number)).findings
    assert finding.problem == Problem.SIGNER_REVOKED
    assert "2026-11-21 (key-compromise)" in finding.detail
    assert not authenticate(sod, GROUPS, revoked(office, 4711)).findings


def test_a_list_of_another_authority_with_the_same_serial_number_says_nothing(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = open_office(tmp_path / "other", "UT")
    theirs = revoked(other, office.certificate.serial_number).revocations
    found = authenticate(signed_on(office, TODAY), GROUPS, replace(office.trust, revocations=theirs))
    assert not found.findings


def test_a_time_that_is_none_is_a_broken_object(office: Office) -> None:
    sod = signed_on(office, TODAY)
    broken = sod.replace(b"261121000000Z", b"26112100000AZ")
    assert broken != sod
    found = problems(authenticate(broken, GROUPS, office.trust))
    assert Problem.OBJECT_MALFORMED in found
    assert Problem.SIGNATURE_WRONG in found


def test_the_key_of_the_authority_is_what_signs_the_list(office: Office) -> None:
    made = revoked(office, 1).revocations[0]
    assert made.is_signature_valid(office.store.public_key(CSCA))
    assert not made.is_signature_valid(office.store.public_key(KeyRef("document-signer", 1)))
