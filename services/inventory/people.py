"""Who acts: the certificate of a call and the operator behind it. Some steps need two of them."""

from __future__ import annotations

from typing import NamedTuple

from services.common.errors import PermissionDenied


class Person(NamedTuple):
    """An operator as this service knows them: the SPIFFE path of the certificate, and the operator's id that
    its holder vouches for.
    """

    caller: str
    operator: str

    @property
    def signature(self) -> str:
        """Both in one text, ``operator/cli:siti``. Paths have no colon."""
        return f"{self.caller}:{self.operator}"

    @classmethod
    def parse(cls, signature: str) -> Person:
        """The person that :attr:`signature` writes."""
        caller, _, operator = signature.partition(":")
        return cls(caller, operator)


def require_other(person: Person, *before: str) -> None:
    """Raises :class:`PermissionDenied` when one of the signatures ``before`` is of the same operator.

    The operator's id decides: one person with two certificates is one person.
    """
    for signature in before:
        if Person.parse(signature).operator.casefold() == person.operator.casefold():
            raise PermissionDenied(
                "SECOND_PERSON_NEEDED",
                f"{person.operator} took part in this before and cannot take this step as well.",
                field="operator",
                remedy="Let another operator do it.",
                metadata={"operator": person.operator, "before": signature},
            )
