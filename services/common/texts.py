"""Text that people send: what everyone can read, on every database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.common.errors import InvalidArgument

#: Control characters other than tab and line ends, and those that turn the direction of what follows.
#: PostgreSQL cannot store the first of them; a reason that shows otherwise than it is written is no reason.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check(request: Message) -> None:
    """Raise :class:`InvalidArgument` with the path of the first text of ``request`` that nobody can read:
    ``TEXT_UNREADABLE`` for such characters, ``TEXT_BLANK`` for text that shows nothing.
    """
    for path, text in _texts(request, ""):
        found = _UNREADABLE.search(text)
        if found is not None:
            raise InvalidArgument(
                "TEXT_UNREADABLE",
                f"{path} has the character U+{ord(found[0]):04X} at position {found.start() + 1}.",
                field=path,
                remedy="Send plain text, without control characters and without marks of direction.",
            )
        if text and not any(sign.isprintable() and not sign.isspace() for sign in text):
            raise InvalidArgument(
                "TEXT_BLANK",
                f"{path} shows nothing.",
                field=path,
                remedy="Say it in words that others can read, or leave the field empty where it may be.",
            )


def _texts(message: Message, prefix: str) -> Iterator[tuple[str, str]]:
    """Each text of ``message`` and below, with its dotted path."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        for where, one in _each(field, value, path):
            if isinstance(one, str):
                yield where, one
            elif isinstance(one, Message):
                yield from _texts(one, f"{where}.")


def _each(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        for key in value:
            yield f"{path} (a key)", key
            yield f'{path}["{key}"]', value[key]
    elif field.is_repeated:
        yield from ((f"{path}[{number}]", one) for number, one in enumerate(value))
    else:
        yield path, value
