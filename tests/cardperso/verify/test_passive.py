"""Passive authentication: every check by itself, and bytes that are no security object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cardperso import tlv
from services.cardperso.chip.security_object import security_object
from services.cardperso.keys import cms
from services.cardperso.verify import Problem, Trust, signed_data
from services.cardperso.verify.passive import Authentication, authenticate
from tests.cardperso.signing_office import CSCA, TODAY, Office, open_office

GROUPS = {1: ("biodata", b"data group one"), 2: ("portrait", b"data group two")}


@pytest.fixture
def sod(office: Office) -> bytes:
    return security_object({number: content for number, (_, content) in GROUPS.items()}, office)


def problems(found: Authentication) -> list[tuple[Problem, str]]:
    return [(finding.problem, finding.subject) for finding in found.findings]


def test_what_was_signed_is_found_genuine(sod: bytes, office: Office) -> None:
    found = authenticate(sod, GROUPS, office.trust)
    assert not found.findings
    assert found.signer == office.certificate


def test_each_group_is_judged_by_itself(sod: bytes, office: Office) -> None:
    changed = {1: GROUPS[1], 2: ("portrait", b"another face"), 3: ("iris", b"never signed")}
    assert problems(authenticate(sod, changed, office.trust)) == [
        (Problem.GROUP_CHANGED, "portrait"),
        (Problem.GROUP_UNSIGNED, "iris"),
    ]
    assert problems(authenticate(sod, {1: GROUPS[1]}, office.trust)) == [(Problem.GROUP_GONE, "")]


def test_all_checks_are_made_whatever_the_others_say(sod: bytes, office: Office, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = open_office(tmp_path / "other")
    raw = sod[:-1] + bytes([sod[-1] ^ 1])
    found = authenticate(raw, {1: ("biodata", b"changed"), 2: GROUPS[2]}, other.trust)
    assert problems(found) == [
        (Problem.SIGNATURE_WRONG, ""),
        (Problem.SIGNER_UNTRUSTED, ""),
        (Problem.GROUP_CHANGED, "biodata"),
    ]


def test_a_certificate_that_is_not_for_documents_is_unfit(office: Office) -> None:
    """A CA may not sign documents by itself, even though everybody trusts it."""
    message = security_object(
        {number: content for number, (_, content) in GROUPS.items()},
        replace(office, ref=CSCA, certificate=office.ca),
    )
    assert (Problem.SIGNER_UNFIT, "") in problems(authenticate(message, GROUPS, office.trust))


def test_something_else_that_the_signer_has_signed_is_no_security_object(office: Office) -> None:
    data = bytes.fromhex("2A864886F70D010701")
    message = cms.signed_data(office.store, office.ref, office.certificate, data, b"a letter", TODAY)
    found = authenticate(tlv.encode(0x77, message), GROUPS, office.trust)
    assert problems(found) == [(Problem.OBJECT_MALFORMED, "")]
    broken = cms.signed_data(
        office.store, office.ref, office.certificate, cms.LDS_SECURITY_OBJECT, b"0\0", TODAY
    )
    assert problems(authenticate(tlv.encode(0x77, broken), GROUPS, office.trust)) == [
        (Problem.OBJECT_MALFORMED, "")
    ]


@given(st.binary(max_size=300))
def test_no_bytes_can_crash_the_check(raw: bytes) -> None:
    for content in (raw, tlv.encode(0x77, raw), tlv.encode(0x77, tlv.encode(0x30, raw))):
        found = authenticate(content, GROUPS, Trust((), TODAY))
        assert found.findings


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
@given(at=st.integers(min_value=0), value=st.integers(0, 255))
def test_no_changed_byte_of_a_security_object_crashes_the_check_or_lets_other_hashes_through(
    sod: bytes, office: Office, at: int, value: int
) -> None:
    at %= len(sod)
    changed = sod[:at] + bytes([value]) + sod[at + 1 :]
    found = authenticate(changed, GROUPS, office.trust)
    if not found.findings:
        # Some bytes say nothing: version numbers, the list of digests that the message begins with.
        was, now = (signed_data.parse(tlv.find(each, 0x77) or b"") for each in (sod, changed))
        assert (now.content, now.certificate) == (was.content, was.certificate)
