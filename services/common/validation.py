"""Field rules of the contracts (protovalidate) and readable texts, checked before a handler sees them."""

from __future__ import annotations

from typing import Any

import protovalidate
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.common import texts
from services.common.errors import ConfigurationError, FieldViolation, InvalidArgument
from services.common.interceptors import Layer, Look, Method


class ValidationLayer(Layer):
    """Refuses requests that break a rule written in their ``.proto``."""

    def received(self, method: Method) -> Look:
        """Raises :class:`InvalidArgument` with every broken rule of the message."""
        return _check_message


def _check_message(message: Any) -> None:
    if isinstance(message, Message):
        check(message)


def check(message: Message) -> None:
    """Raise :class:`InvalidArgument` (``INVALID_FIELD``) with each broken rule of ``message`` and its dotted
    path; where none is broken, as :func:`texts.check` does.
    """
    violations = protovalidate.collect_violations(message)
    if not violations:
        texts.check(message)
        return
    found = [
        FieldViolation(
            _path(violation.proto.field), _sentence(violation.proto.message), violation.proto.rule_id
        )
        for violation in violations
    ]
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise InvalidArgument(
        "INVALID_FIELD",
        f"{first.field or message.DESCRIPTOR.name}: {first.description}{more}",
        violations=found,
        remedy="Correct the fields named in field_violations and send again; nothing was written.",
    )


def compile_rules(method: MethodDescriptor) -> None:
    """Compile the rules of a method's request now, so that a wrong rule stops the start and not a request.

    Raises :class:`ConfigurationError`.
    """
    try:
        protovalidate.collect_violations(GetMessageClass(method.input_type)())
    except protovalidate.CompilationError as error:
        raise ConfigurationError(
            f"A rule of {method.input_type.full_name} does not compile: {error}"
        ) from error


def _path(field: Any) -> str:
    text = ""
    for element in field.elements if field is not None else ():
        text += f".{element.field_name}" if text else element.field_name
        key = _subscript(element.subscript)
        if key is not None:
            text += f"[{key}]"
    return text


def _subscript(subscript: Any) -> str | None:
    if subscript is None:
        return None
    value = subscript.value
    return (
        f'"{value}"'
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _sentence(text: str) -> str:
    return text or "breaks a rule of its contract"
