"""Every field of every RPC with what no client should send: a typed refusal that tells what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.inventory import v1

from services.common import client
from services.common.clock import FixedClock
from services.common.db import Database
from services.common.errors import TunggalError, remote_error
from services.inventory.app import build
from services.inventory.settings import Settings
from tests.inventory.inventory_office import Office, new_id

ABSENT = "00000000-0000-4000-8000-000000000000"
#: The first that a field's pattern takes is what a client would send.
PLAUSIBLE = ("blank", "KTP-2017-03", "32.16", "2026-03-02", "ab" * 32, "04A1B2C3", "IDR")
SENDERS = {"from_location", "source", "lender"}
TYPED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.OUT_OF_RANGE,
}
BAD: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_STRING: ("KTP\x00", "\u202e", "x" * 70_000, "9999-12-31"),
    FieldDescriptor.CPPTYPE_INT32: (-1, (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-1, (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_ENUM: (99,),
    FieldDescriptor.CPPTYPE_DOUBLE: (float("nan"), float("inf")),
    FieldDescriptor.CPPTYPE_BOOL: (True,),
}
ENDS_OF_TIME = (
    Timestamp(seconds=-62_135_596_800),
    Timestamp(seconds=253_402_300_799, nanos=999_999_999),
    Timestamp(seconds=(1 << 63) - 1),
)


def methods() -> Iterator[MethodDescriptor]:
    for module in iter_modules(v1.__path__):
        if module.name.endswith("_pb2"):
            for service in import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR.services_by_name.values():
                yield from service.methods


def is_time(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == Timestamp.DESCRIPTOR.full_name


def plausible(kind: type[Any], now: Timestamp) -> Any:
    """A message that keeps the rules of its contract."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        value = a_value(field, now)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        elif isinstance(value, Message):
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def a_value(field: FieldDescriptor, now: Timestamp) -> Any:
    if is_time(field):
        return now
    if field.message_type is not None:
        return plausible(GetMessageClass(field.message_type), now)
    if field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        return 0.5 if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else 1
    rules = field.GetOptions().Extensions[validate_pb2.field]
    text = (rules.repeated.items if field.is_repeated else rules).string
    if field.name == "page_token":
        return ""
    if text.uuid or not text.pattern:
        return ABSENT
    if field.name in SENDERS:
        return "ID"
    return next(one for one in PLAUSIBLE if re.fullmatch(text.pattern, one))


def spoilt(message: Any) -> Iterator[Any]:
    """Copies of ``message``, each with one field as it should not be."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for name in ("quantity", "valid_until", "\x00"):
                copy = type(message)()
                copy.CopyFrom(message)
                getattr(copy, field.name)[name] = "\x00"
                yield copy
            continue
        if field.message_type is None:
            values: Any = BAD[field.cpp_type]
        elif is_time(field):
            values = ENDS_OF_TIME
        else:
            inner = getattr(message, field.name)
            values = spoilt(inner[0] if field.is_repeated else inner)
        for value in values:
            copy = type(message)()
            copy.CopyFrom(message)
            if field.is_repeated:
                del getattr(copy, field.name)[:]
                getattr(copy, field.name).append(value)
            elif isinstance(value, Message):
                getattr(copy, field.name).CopyFrom(value)
            else:
                setattr(copy, field.name, value)
            yield copy


@pytest.fixture
def database_url(new_database: Callable[[str], str]) -> str:
    """PostgreSQL: it takes less than SQLite does."""
    return new_database("postgresql")


def test_nothing_that_a_client_can_send_ends_without_a_word(
    database_url: str, tmp_path: Path, tls_dir: Path, clock: FixedClock, as_operator: None
) -> None:
    office = Office(database_url, clock)
    office.sign(1000)
    office.deliver(1, 100)
    office.database.dispose()
    now = Timestamp()
    now.FromDatetime(clock.now())
    with ExitStack() as stack:
        settings = Settings(
            listen="127.0.0.1:0",
            health_listen="",
            metrics_listen="",
            data_dir=tmp_path,
            database_url=database_url,
            tls_dir=tls_dir,
            log_level="error",
        )
        running = build(settings, clock, statements=False).build().start()
        stack.callback(running.stop, grace=1)
        channel = stack.enter_context(client.channel(f"localhost:{running.port}", tls_dir, "operator-cli"))
        database = Database(database_url)
        stack.callback(database.dispose)
        sent = 0
        for method in methods():
            kind = GetMessageClass(method.input_type)
            for request in spoilt(plausible(kind, now)):
                if getattr(request, "request_id", None) == ABSENT:
                    request.request_id = new_id()
                sent += 1
                before = written(database)
                refused = refusal(channel, method, request)
                if refused is not None:
                    where = f"{method.name}({str(request)[:300]}): {refused}"
                    assert refused.code in TYPED, where
                    assert refused.remedy, where
                    assert refused.field or refused.reason == "CALLER_NOT_ALLOWED", where
                    assert written(database) == before, where
        assert sent > 1000


def written(database: Database) -> int:
    """Entries of the audit log: everything that is written has one."""
    with database.read() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM audit_log")) or 0)


def refusal(channel: grpc.Channel, method: MethodDescriptor, request: Any) -> TunggalError | None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    open_call = channel.unary_stream if method.server_streaming else channel.unary_unary
    answer = GetMessageClass(method.output_type)
    call: Any = open_call(path, type(request).SerializeToString, answer.FromString)
    try:
        result = call(request, timeout=60)
        if method.server_streaming:
            list(result)
    except grpc.RpcError as error:
        return remote_error(error)
    return None
