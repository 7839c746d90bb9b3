"""What came of looking at a card: facts and findings, nothing raised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509


class Problem(StrEnum):
    """What can be wrong with a card."""

    CARD_BLANK = "CARD_BLANK"
    """A card with a card manager and without our application."""
    CARD_FOREIGN = "CARD_FOREIGN"
    """Neither our application nor a card manager."""
    CARD_LOCKED = "CARD_LOCKED"
    """Its issuer, or somebody with its keys, has locked the card: nothing on it can be selected."""
    CARD_UNFINISHED = "CARD_UNFINISHED"
    """The application was installed and not personalized."""
    ACCESS_REFUSED = "ACCESS_REFUSED"
    """Chip and reader do not have the same access keys."""
    SESSION_FORGED = "SESSION_FORGED"
    """A protected response was changed between chip and reader."""
    FILE_MISSING = "FILE_MISSING"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    FILE_OPEN = "FILE_OPEN"
    """A file that only authenticated readers may read can be read by everyone."""
    OBJECT_MALFORMED = "OBJECT_MALFORMED"
    """The security object is not what ICAO Doc 9303-10 says it looks like."""
    SIGNATURE_WRONG = "SIGNATURE_WRONG"
    SIGNER_UNTRUSTED = "SIGNER_UNTRUSTED"
    """No trusted country signing CA has issued the signer's certificate."""
    SIGNER_UNFIT = "SIGNER_UNFIT"
    """The certificate, or its CA's, is not for this use."""
    SIGNER_EXPIRED = "SIGNER_EXPIRED"
    """The certificate, or its CA's, is not valid now."""
    SIGNER_REVOKED = "SIGNER_REVOKED"
    """The CA has revoked the signer: nothing that it signed counts."""
    SIGNED_OUT_OF_TIME = "SIGNED_OUT_OF_TIME"
    """By its own word the signature was made when the signer might not sign."""
    GROUP_CHANGED = "GROUP_CHANGED"
    """A data group does not have the hash that was signed."""
    GROUP_UNSIGNED = "GROUP_UNSIGNED"
    """A data group that the security object does not know."""
    GROUP_GONE = "GROUP_GONE"
    """The security object knows a data group that is not there."""
    CODE_NOT_GENUINE = "CODE_NOT_GENUINE"
    """The code that is printed on the card is not signed by the issuing state."""
    CODE_OF_ANOTHER_CARD = "CODE_OF_ANOTHER_CARD"
    """The printed code is genuine and belongs to another chip, or to other content."""
    RECORD_DIFFERS = "RECORD_DIFFERS"
    """The chip holds something else than the record that it was made for."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `subject` is the key of a file, or empty where it is the whole card."""

    problem: Problem
    detail: str
    subject: str = ""


@dataclass(frozen=True)
class Verification:
    """What a card holds and what is wrong with it.

    Args:
        profile: name of the profile that it was read by.
        files: content of each file by key, as far as it could be read.
        findings: what is wrong, the gravest first.
        signer: certificate that comes with the security object.
        differing: bytes that differ from what was expected.
    """

    profile: str
    files: dict[str, bytes]
    findings: tuple[Finding, ...]
    signer: x509.Certificate | None = None
    differing: int = 0

    @property
    def genuine(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def has(self, *problems: Problem) -> bool:
        """Whether one of these was found."""
        return any(finding.problem in problems for finding in self.findings)

    @property
    def summary(self) -> str:
        """All findings in one line; empty where there are none."""
        return " ".join(told(self.findings))


def told(findings: Iterable[Finding]) -> list[str]:
    """Findings in words."""
    return [f"{finding.problem}: {finding.detail}" for finding in findings]
