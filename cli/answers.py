"""Answers as JSON for programs: names as in the contract, numbers as numbers, zeros and all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

_WIDE: Final = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)


def to_json(answer: Message | Sequence[Message]) -> str:
    """The text of one answer, or of a list of them."""
    plain = to_plain(answer) if isinstance(answer, Message) else [to_plain(each) for each in answer]
    return json.dumps(plain, indent=2)


def to_plain(message: Message) -> dict[str, Any]:
    """The message as dictionaries, lists and numbers.

    The JSON of protobuf writes 64-bit integers as text, because JavaScript rounds them above 2⁵³; no count of
    blanks, people or rupiah is as large.
    """
    plain: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _numbers(plain, message.DESCRIPTOR)


def _numbers(plain: dict[str, Any], kind: Any) -> dict[str, Any]:
    fields: Any = kind.fields_by_name
    return {name: _value(value, fields[name]) for name, value in plain.items()}


def _value(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, list):
        return [_value(each, field) for each in value]
    if field.cpp_type in _WIDE and isinstance(value, str):
        return int(value)
    if field.message_type is None or not isinstance(value, dict):
        return value
    if field.message_type.GetOptions().map_entry:
        of_value = field.message_type.fields_by_name["value"]
        return {key: _value(each, of_value) for key, each in value.items()}
    return _numbers(value, field.message_type)
