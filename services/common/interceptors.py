"""One pipeline around every RPC: layers that see the call, each request and each response, in one order.

A :class:`Layer` is asked once for each method what it wants to do; what depends on the method alone is thus
done once and not for every RPC. :class:`Pipeline` fits the layers around unary and streaming handlers alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc

from services.common.errors import InvalidArgument, Unimplemented, abort

_ARITY = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


@dataclass(frozen=True)
class Method:
    """An RPC method: ``/tunggal.inventory.v1.InventoryService/GetLot`` and whether it streams."""

    full_name: str
    request_streaming: bool
    response_streaming: bool

    @property
    def service(self) -> str:
        """The full name of the service."""
        return self.full_name.split("/")[1]

    @property
    def name(self) -> str:
        """The name within the service."""
        return self.full_name.split("/")[2]

    @property
    def type(self) -> str:
        """unary, client_stream, server_stream or bidi_stream."""
        return _ARITY[self.request_streaming, self.response_streaming]


class Surround:
    """What a layer does around one RPC: entered before the handler, left after the last response, in the same
    thread. Entering may end the RPC (``errors.abort``). The base class does nothing.

    A class and not a generator, which would cost each RPC more than what most layers do.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Before the handler."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After the last response, or after ``error``, which goes on its way."""


#: Makes the surroundings of one RPC.
Around = Callable[[grpc.ServicerContext], AbstractContextManager[None, bool | None]]
#: Looks at one message.
Look = Callable[[Any], None]


class Layer:
    """One concern around every RPC. The base class does nothing."""

    def around(self, method: Method) -> Around | None:
        """What surrounds each RPC of ``method``."""

    def received(self, method: Method) -> Look | None:
        """Sees each request as the handler is about to read it; may raise a typed error."""

    def sent(self, method: Method) -> Look | None:
        """Sees each response before it is sent."""


def status_code(context: grpc.ServicerContext) -> grpc.StatusCode | None:
    """The code that the handler or a layer has set so far; ``None`` when none has."""
    # Missing from the type stubs of grpc.
    code: grpc.StatusCode | None = context.code()  # type: ignore[attr-defined]
    return code


class Malformed:
    """Stands for a message whose bytes are no message of its type."""


class Pipeline(grpc.ServerInterceptor):
    """Fits the layers, outermost first, around the handlers of a server; leaves ``exempt`` services as they
    are.
    """

    def __init__(self, layers: Sequence[Layer], domain: str, exempt: frozenset[str] = frozenset()) -> None:
        self._layers = tuple(layers)
        self._domain = domain
        self._exempt = exempt
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Called by gRPC for each RPC."""
        name = handler_call_details.method
        wrapped = self._wrapped.get(name)
        if wrapped is None:
            handler = continuation(handler_call_details)
            if handler is None:
                return self._unknown(name)
            wrapped = handler if name.split("/")[1] in self._exempt else self._wrap(name, handler)
            self._wrapped[name] = wrapped
        return wrapped

    def _wrap(self, name: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        method = Method(name, bool(handler.request_streaming), bool(handler.response_streaming))
        inner = (
            (handler.stream_stream if method.response_streaming else handler.stream_unary)
            if method.request_streaming
            else (handler.unary_stream if method.response_streaming else handler.unary_unary)
        )
        assert inner is not None

        receive = _all([*(layer.received(method) for layer in self._layers), _refuse_malformed(method)])
        send = _all([layer.sent(method) for layer in self._layers])

        def argument(request: Any) -> Any:
            if method.request_streaming:
                return _seen(request, receive)
            receive(request)
            return request

        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            response = inner(argument(request), context)
            send(response)
            return response

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            return _seen(inner(argument(request), context), send)

        call: Callable[[Any, Any], Any] = stream if method.response_streaming else unary
        surround = _around_stream if method.response_streaming else _around_unary
        for layer in reversed(self._layers):
            around = layer.around(method)
            if around is not None:
                call = surround(around, call)
        make = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "client_stream": grpc.stream_unary_rpc_method_handler,
            "server_stream": grpc.unary_stream_rpc_method_handler,
            "bidi_stream": grpc.stream_stream_rpc_method_handler,
        }[method.type]
        return make(
            call,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _unknown(self, name: str) -> grpc.RpcMethodHandler[Any, Any]:
        def refuse(_: Any, context: grpc.ServicerContext) -> Any:
            error = Unimplemented(
                "METHOD_UNKNOWN",
                f"There is no method {name} here.",
                remedy="Check the endpoint and the version of the service behind it.",
            )
            abort(context, error, self._domain)

        # Streaming in and out: fits whatever the client thinks the method is.
        return grpc.stream_stream_rpc_method_handler(refuse)


def _around_unary(around: Around, call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def surrounded(request: Any, context: grpc.ServicerContext) -> Any:
        with around(context):
            return call(request, context)

    return surrounded


def _around_stream(around: Around, call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def surrounded(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with around(context):
            yield from call(request, context)

    return surrounded


def _all(looks: Sequence[Look | None]) -> Look:
    wanted = tuple(look for look in looks if look is not None)

    def look_at(message: Any) -> None:
        for look in wanted:
            look(message)

    return look_at


def _seen(messages: Iterator[Any], look: Look) -> Iterator[Any]:
    for message in messages:
        look(message)
        yield message


def _refuse_malformed(method: Method) -> Look:
    def refuse(message: Any) -> None:
        if isinstance(message, Malformed):
            raise InvalidArgument(
                "MALFORMED_MESSAGE",
                f"The bytes sent to {method.name} are no message of its request type.",
                remedy="Check that client and server are built from the same contracts.",
            )

    return refuse


def _tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def attempt(data: bytes) -> Any:
        try:
            return data if deserialize is None else deserialize(data)
        except Exception:  # gRPC would answer INTERNAL for what is the caller's fault
            return Malformed()

    return attempt
