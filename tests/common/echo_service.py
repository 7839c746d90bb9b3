"""A small service of the tests' own, with every kind of RPC.

Its contract is built here from descriptors, so that the tests of ``services.common`` depend on no service's
contract.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc
import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.common.errors import TunggalError, remote_error
from services.common.settings import ServiceSettings

PACKAGE = "tunggal.test.v1"
KINDS = {"Say": (False, False), "Gather": (True, False), "Follow": (False, True), "Chat": (True, True)}


def _contract() -> tuple[ServiceDescriptor, type[Message], type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tunggal/test/v1/echo.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["buf/validate/validate.proto"],
    )
    types = descriptor_pb2.FieldDescriptorProto
    part = file.message_type.add(name="Part")
    position = part.field.add(name="position", number=1, type=types.TYPE_INT32, label=types.LABEL_OPTIONAL)
    position.options.Extensions[validate_pb2.field].int32.lte = 10
    request = file.message_type.add(name="SayRequest")
    request_id = request.field.add(
        name="request_id", number=1, type=types.TYPE_STRING, label=types.LABEL_OPTIONAL
    )
    request_id.options.Extensions[validate_pb2.field].string.uuid = True
    text = request.field.add(name="text", number=2, type=types.TYPE_STRING, label=types.LABEL_OPTIONAL)
    text.options.Extensions[validate_pb2.field].string.max_len = 100
    request.field.add(
        name="parts",
        number=3,
        type=types.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.Part",
        label=types.LABEL_REPEATED,
    )
    request.field.add(name="blob", number=4, type=types.TYPE_BYTES, label=types.LABEL_OPTIONAL)
    answer = file.message_type.add(name="SayResponse")
    answer.field.add(name="text", number=1, type=types.TYPE_STRING, label=types.LABEL_OPTIONAL)
    service = file.service.add(name="EchoService")
    for name, (streams_in, streams_out) in KINDS.items():
        service.method.add(
            name=name,
            input_type=f".{PACKAGE}.SayRequest",
            output_type=f".{PACKAGE}.SayResponse",
            client_streaming=streams_in,
            server_streaming=streams_out,
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    found = pool.FindFileByName(file.name)
    return (
        found.services_by_name["EchoService"],
        GetMessageClass(found.message_types_by_name["SayRequest"]),
        GetMessageClass(found.message_types_by_name["SayResponse"]),
    )


SERVICE, Request, Response = _contract()
REQUEST_ID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def request(**fields: Any) -> Any:
    """A request that breaks no rule."""
    return Request(**{"request_id": REQUEST_ID, **fields})


@dataclass
class EchoService:
    """Answers what it hears; a test may replace ``say`` to see what a handler goes through."""

    say: Callable[[Any, grpc.ServicerContext], Any] = lambda request, _: Response(text=request.text)
    heard: list[str] = field(default_factory=list)

    def Say(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.heard.append(request.text)
        return self.say(request, context)

    def Gather(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        return Response(text=" ".join(request.text for request in requests))

    def Follow(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for word in request.text.split():
            yield self.say(Request(text=word), context)

    def Chat(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            self.heard.append(request.text)
            yield self.say(request, context)


def register(servicer: Any, server: grpc.Server) -> None:
    """What a generated ``add_EchoServiceServicer_to_server`` does."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    handlers = {
        name: make[kind](
            getattr(servicer, name),
            request_deserializer=Request.FromString,
            response_serializer=Response.SerializeToString,
        )
        for name, kind in KINDS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))


class EchoStub:
    """What a generated stub does."""

    def __init__(self, channel: grpc.Channel) -> None:
        for name, (streams_in, streams_out) in KINDS.items():
            kind = f"{'stream' if streams_in else 'unary'}_{'stream' if streams_out else 'unary'}"
            call = getattr(channel, kind)(
                f"/{SERVICE.full_name}/{name}",
                request_serializer=lambda message: (
                    message if isinstance(message, bytes) else message.SerializeToString()
                ),
                response_deserializer=Response.FromString,
            )
            setattr(self, name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Settings(ServiceSettings):
    """Settings of the test service, which calls itself inventory."""

    service: ClassVar[str] = "inventory"


ALLOW = {
    "Say": frozenset({"operator/*", "service/enroll"}),
    "Gather": frozenset({"operator/*"}),
    "Follow": frozenset({"operator/*"}),
    "Chat": frozenset({"operator/*"}),
}


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true value of ``condition`` within the time; fails the test when there is none."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail("the condition did not come true in time")
        pause.wait(0.01)
    return value


def failure(call: Callable[[], object]) -> TunggalError:
    """The typed error of a call that must fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return remote_error(raised.value)
