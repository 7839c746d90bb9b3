"""Who acts: the certificate of a call, and the operator behind it. Some steps need two of them.

People are written as the inventory writes them: `operator/ani`, or `operator/cli:ani` where several share a
certificate and its holder vouches for who is at the desk.
"""

from __future__ import annotations

import re

import grpc

from services.common.identity import caller

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._@-]")
_LONGEST = 64


def acting(context: grpc.ServicerContext, operator: str) -> str:
    """The person behind a call."""
    path = caller(context)
    return f"{path}:{operator}" if operator else path


def operator_id(person: str) -> str:
    """The operator's id alone, as neighbours take it: `ani` for all of the above."""
    path, _, named = person.partition(":")
    _, _, name = path.partition("/")
    found = _NOT_IN_IDS.sub(".", named or name or path).lstrip("._@-")
    return (found if len(found) > 1 else f"operator.{found}")[:_LONGEST]


def same(one: str, other: str) -> bool:
    """Whether both are one person: one operator with two certificates is."""
    return operator_id(one).casefold() == operator_id(other).casefold()
