"""One pipeline around every RPC: layers that see the call, each request and each response, in one order.

A :class:`Layer` is entered before the handler and left after its last response, in the same thread; it looks
at single messages through :meth:`Layer.received` and :meth:`Layer.sent`. :class:`Pipeline` fits layers around
unary and streaming handlers alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
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


class Layer:
    """One concern around every RPC. The base class does nothing."""

    def around(self, method: Method, context: grpc.ServicerContext) -> AbstractContextManager[None]:
        """Entered before the handler, left after the last response; may end the RPC (``errors.abort``)."""
        return nullcontext()

    def received(self, method: Method, message: Any) -> None:
        """Sees each request as the handler is about to read it; may raise a typed error."""

    def sent(self, method: Method, message: Any) -> None:
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

        def argument(request: Any) -> Any:
            if method.request_streaming:
                return self._read(method, request)
            self._received(method, request)
            return request

        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            with ExitStack() as stack:
                self._enter(stack, method, context)
                response = inner(argument(request), context)
                self._sent(method, response)
                return response
            raise AssertionError("a layer swallowed an error")

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with ExitStack() as stack:
                self._enter(stack, method, context)
                for response in inner(argument(request), context):
                    self._sent(method, response)
                    yield response

        make = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "client_stream": grpc.stream_unary_rpc_method_handler,
            "server_stream": grpc.unary_stream_rpc_method_handler,
            "bidi_stream": grpc.stream_stream_rpc_method_handler,
        }[method.type]
        return make(
            stream if method.response_streaming else unary,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _enter(self, stack: ExitStack, method: Method, context: grpc.ServicerContext) -> None:
        for layer in self._layers:
            stack.enter_context(layer.around(method, context))

    def _read(self, method: Method, requests: Iterator[Any]) -> Iterator[Any]:
        for request in requests:
            self._received(method, request)
            yield request

    def _received(self, method: Method, message: Any) -> None:
        for layer in self._layers:
            layer.received(method, message)
        if isinstance(message, Malformed):
            raise InvalidArgument(
                "MALFORMED_MESSAGE",
                f"The bytes sent to {method.name} are no message of its request type.",
                remedy="Check that client and server are built from the same contracts.",
            )

    def _sent(self, method: Method, message: Any) -> None:
        for layer in self._layers:
            layer.sent(method, message)

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


def _tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def attempt(data: bytes) -> Any:
        try:
            return data if deserialize is None else deserialize(data)
        except Exception:  # gRPC would answer INTERNAL for what is the caller's fault
            return Malformed()

    return attempt
