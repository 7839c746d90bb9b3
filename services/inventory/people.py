"""Who acts: the certificate of a call and the operator behind it. Some steps need two of them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from services.common.errors import PermissionDenied

#: Certificates that belong to one person: their holder speaks for nobody else.
PERSONAL: Final = "operator/person-"


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
        if not operator and caller.startswith(PERSONAL):
            operator = caller.removeprefix(PERSONAL)
        return cls(caller, operator)


def require_other(person: Person, *before: str) -> None:
    """Raises :class:`PermissionDenied` when one of the signatures ``before`` is of the same operator.

    The operator's id decides: one person with two certificates is one person, however the id is spelt. Where
    an operator's certificate signed without an id, anybody who uses it may have been the one.
    """
    for signature in before:
        earlier = Person.parse(signature)
        anybody = earlier == Person(person.caller, "") and person.caller.startswith("operator/")
        if anybody or same(earlier.operator, person.operator):
            raise PermissionDenied(
                "SECOND_PERSON_NEEDED",
                f"{person.operator} took part in this before and cannot take this step as well.",
                field="operator",
                remedy="Let another operator do it.",
                metadata={"operator": person.operator, "before": signature},
            )


def require_own(person: Person) -> None:
    """Raises :class:`PermissionDenied` when somebody's personal certificate signs as somebody else.

    A certificate of a workplace (``operator/cli``) vouches for whoever it names.
    """
    if person.caller.startswith(PERSONAL) and not same(person.caller.removeprefix(PERSONAL), person.operator):
        raise PermissionDenied(
            "NOT_YOUR_OPERATOR_ID",
            f"The certificate {person.caller} does not speak for {person.operator}.",
            field="operator",
            remedy=f"Send {person.caller.removeprefix(PERSONAL)} as operator, or use your own certificate.",
            metadata={"caller": person.caller, "operator": person.operator},
        )


def same(one: str, other: str) -> bool:
    """Whether two ids mean one person: compatibility forms of characters (NFKC), case, spaces and separators
    make no difference.
    """
    return _plain(one) == _plain(other)


def _plain(operator: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", operator).casefold())
    return re.sub(r"[\s._-]+", "", folded)
