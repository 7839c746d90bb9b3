"""What a vendor has to leave behind so that another one can take over: attested, or missing.

In 2017 the tender for the next licence waited until the old vendor had handed over user name, password and
source code.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, InvalidArgument


class ExitKind(StrEnum):
    """What has to be in escrow."""

    CREDENTIALS = "credentials"
    SOURCE = "source"
    DOCUMENTATION = "documentation"
    DATA = "data"


class ExitState(StrEnum):
    """Whether it is there."""

    ATTESTED = "attested"
    MISSING = "missing"


@dataclass(frozen=True)
class ExitItem:
    """What ``person`` said of one thing at a moment; ``evidence`` is the SHA-256 of what proves it, or
    empty.
    """

    contract_id: str
    kind: ExitKind
    name: str
    state: ExitState
    evidence: str
    note: str
    person: str
    at: datetime


def plain_name(name: str) -> str:
    """The name of a thing, with single spaces; raises :class:`InvalidArgument` for one of spaces alone."""
    plain = " ".join(name.split())
    if not plain:
        raise InvalidArgument(
            "NAME_MISSING",
            "The name of what is handed over is empty.",
            field="name",
            remedy='Name it as the contract does, such as "root password of the matcher".',
        )
    return plain


def current(said: Sequence[ExitItem]) -> list[ExitItem]:
    """The newest word on each thing, in the order in which they were first named; neither case nor how a
    character is composed (NFKC) makes two things.
    """
    newest: dict[tuple[ExitKind, str], ExitItem] = {}
    for item in said:
        newest[item.kind, unicodedata.normalize("NFKC", item.name).casefold()] = item
    return list(newest.values())


def missing(said: Sequence[ExitItem]) -> list[str]:
    """What is not in escrow: things said to be missing, and kinds of which nothing was ever attested."""
    now = current(said)
    known = {item.kind for item in now}
    gaps = [f"{kind}" for kind in ExitKind if kind not in known]
    return gaps + [f"{item.kind}: {item.name}" for item in now if item.state is ExitState.MISSING]


def require_complete(contract_id: str, said: Sequence[ExitItem], step: str) -> None:
    """Raises :class:`FailedPrecondition` naming what is missing before ``step``."""
    gaps = missing(said)
    if gaps:
        raise FailedPrecondition(
            "EXIT_REGISTER_INCOMPLETE",
            f"The vendor of {contract_id} has not handed over: {', '.join(gaps)}.",
            field="contract_id",
            remedy=f"Attest each with RecordExitItem before {step}.",
            metadata={"contract_id": contract_id, "missing": ", ".join(gaps)},
        )
