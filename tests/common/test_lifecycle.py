"""How a server is put together, starts, drains and stops."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common import client, tls
from services.common.clock import FixedClock
from services.common.errors import ConfigurationError
from services.common.interceptors import Method
from services.common.server import LIVENESS, ServerBuilder
from services.common.tracing import Trace
from tests.common.conftest import Echo, Start
from tests.common.echo_service import (
    ALLOW,
    SERVICE,
    EchoService,
    Response,
    Settings,
    eventually,
    register,
    request,
)

Status = health_pb2.HealthCheckResponse
# The type stubs of both packages do not know the methods.
HealthStub: Any = health_pb2_grpc.HealthStub
ReflectionStub: Any = reflection_pb2_grpc.ServerReflectionStub


def health(port: int, service: str = "") -> int:
    """What the plaintext health port says."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as plain:
        answer = HealthStub(plain).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    return int(answer.status)


def metrics_of(echo: Echo) -> str:
    """The page that Prometheus scrapes."""
    with urllib.request.urlopen(f"http://127.0.0.1:{echo.server.metrics_port}/metrics", timeout=5) as page:
        return str(page.read().decode())


def builder_of(settings: Settings, clock: FixedClock, **allow: frozenset[str]) -> ServerBuilder:
    return ServerBuilder(settings, clock).add(SERVICE, register, EchoService(), allow)


def test_a_method_without_an_allow_list_entry_stops_the_start(settings: Settings, clock: FixedClock) -> None:
    without = {name: patterns for name, patterns in ALLOW.items() if name != "Follow"}
    with pytest.raises(ConfigurationError, match="differ in: Follow"):
        builder_of(settings, clock, **without).build()


def test_an_allow_list_entry_without_a_method_stops_the_start(settings: Settings, clock: FixedClock) -> None:
    with pytest.raises(ConfigurationError, match="differ in: Sing"):
        builder_of(settings, clock, **ALLOW, Sing=frozenset({"*"})).build()


def test_a_server_without_services_is_a_mistake(settings: Settings, clock: FixedClock) -> None:
    with pytest.raises(ConfigurationError, match="at least one service"):
        ServerBuilder(settings, clock).build()


def test_a_service_may_open_channels_while_it_is_built_for_the_first_time(
    settings: Settings, clock: FixedClock, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"tls_dir": tmp_path / "tls"})
    ServerBuilder(own, clock)
    client.channel("localhost:1", own.tls_dir, own.service, server="abis").close()


def test_a_rule_that_does_not_compile_stops_the_start(settings: Settings, clock: FixedClock) -> None:
    service = contract_with_wrong_rule()
    builder = ServerBuilder(settings, clock).add(service, lambda *_: None, object(), {"Do": frozenset({"*"})})
    with pytest.raises(ConfigurationError, match="does not compile"):
        builder.build()


def test_health_turns_to_serving_only_after_the_start_hooks(start: Start) -> None:
    seen: list[int] = []
    port = free_port()

    def load_gallery() -> None:
        seen.extend((health(port), health(port, LIVENESS)))

    echo = start(lambda builder: builder.on_start(load_gallery), health_listen=f"127.0.0.1:{port}")
    assert seen == [Status.NOT_SERVING, Status.SERVING]
    assert health(port) == health(port, SERVICE.full_name) == Status.SERVING
    assert echo.stub().Say(request(text="hello")).text == "hello"


def test_a_start_hook_that_fails_leaves_no_port_open(settings: Settings, clock: FixedClock) -> None:
    port = free_port()
    own = settings.model_copy(update={"health_listen": f"127.0.0.1:{port}"})

    def fail() -> None:
        raise ConfigurationError("the database is newer")

    with pytest.raises(ConfigurationError, match="newer"):
        builder_of(own, clock, **ALLOW).on_start(fail).build().start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_health_is_also_there_over_mtls_for_any_known_peer(start: Start) -> None:
    echo = start()
    with secure(echo, "abis") as channel:
        answer = HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == Status.SERVING


def test_reflection_lists_the_services_over_mtls_only(start: Start) -> None:
    echo = start()
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    with secure(echo, "operator-cli") as channel:
        (answer,) = ReflectionStub(channel).ServerReflectionInfo(iter([ask]), timeout=5)
    names = {service.name for service in answer.list_services_response.service}
    assert {SERVICE.full_name, "grpc.health.v1.Health"} <= names
    with grpc.insecure_channel(f"127.0.0.1:{echo.server.health_port}") as plain:
        stub = ReflectionStub(plain)
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.ServerReflectionInfo(iter([ask]), timeout=5))
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_ports_that_are_turned_off_are_not_opened(start: Start) -> None:
    server = start(health_listen="", metrics_listen="").server
    assert (server.health_port, server.metrics_port) == (0, 0)
    assert server.port > 0


@pytest.mark.parametrize("field", ["listen", "health_listen", "metrics_listen"])
def test_a_taken_port_stops_the_start_and_names_its_variable(
    start: Start, settings: Settings, clock: FixedClock, field: str
) -> None:
    first = start().server
    port = {"listen": first.port, "health_listen": first.health_port, "metrics_listen": first.metrics_port}[
        field
    ]
    own = settings.model_copy(update={field: f"127.0.0.1:{port}"})
    with pytest.raises(ConfigurationError, match=f"TUNGGAL_{field.upper()}"):
        builder_of(own, clock, **ALLOW).build().start()


def test_a_missing_certificate_stops_the_start_and_is_named(
    settings: Settings, clock: FixedClock, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"dev_ca": False, "tls_dir": tmp_path / "none"})
    with pytest.raises(ConfigurationError, match=r"none/ca\.pem cannot be read"):
        builder_of(own, clock, **ALLOW).build().start()


def test_a_drain_finishes_what_is_in_flight_and_refuses_what_is_new(start: Start) -> None:
    echo = start()
    entered, leave = threading.Event(), threading.Event()

    def slow(message: Any, _: object) -> Any:
        entered.set()
        leave.wait(10)
        return Response(text=message.text)

    echo.servicer.say = slow
    stub = echo.stub()
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(stub.Say, request(text="finished"))
        assert entered.wait(10)
        stopped = pool.submit(echo.server.stop)
        eventually(lambda: health(echo.server.health_port) == Status.NOT_SERVING)
        assert health(echo.server.health_port, LIVENESS) == Status.SERVING
        with pytest.raises(grpc.RpcError) as refused:
            echo.stub("enroll").Say(request(text="new"), timeout=2)
        assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        leave.set()
        assert in_flight.result(10).text == "finished"
        stopped.result(10)
    assert echo.server.wait(0)
    assert echo.servicer.heard == ["finished"]


def test_a_handler_that_does_not_end_is_cancelled_when_the_drain_is_over(start: Start) -> None:
    echo = start(drain_seconds=0.2)
    entered, leave = threading.Event(), threading.Event()

    def stuck(*_: object) -> Any:
        entered.set()
        leave.wait(30)
        return Response()

    echo.servicer.say = stuck
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(echo.stub().Say, request())
        assert entered.wait(10)
        pool.submit(echo.server.stop).result(5)
        with pytest.raises(grpc.RpcError) as cancelled:
            in_flight.result(5)
        leave.set()
    assert cancelled.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_background_threads_and_streams_learn_of_the_drain_and_close_hooks_run_last(start: Start) -> None:
    order: list[str] = []

    def work(stop: threading.Event) -> None:
        order.append("working")
        stop.wait()
        order.append("worker ended")

    def prepare(builder: ServerBuilder) -> None:
        builder.background("pipeline", work)
        builder.on_close(lambda: order.append("first hook")).on_close(lambda: order.append("second hook"))

    echo = start(prepare)
    eventually(lambda: order)
    echo.server.stop()
    echo.server.stop()
    assert order == ["working", "worker ended", "second hook", "first hook"]
    assert echo.server.unfinished() == []


def test_a_close_hook_that_fails_does_not_keep_the_others_from_running(start: Start) -> None:
    closed: list[str] = []

    def fail() -> None:
        raise OSError("already gone")

    echo = start(lambda builder: builder.on_close(lambda: closed.append("database")).on_close(fail))
    echo.server.stop()
    assert closed == ["database"]
    assert echo.server.wait(0)


def test_a_crashed_background_thread_makes_the_service_unhealthy(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(_: threading.Event) -> None:
        raise RuntimeError("lost the reader")

    port = start(lambda builder: builder.background("pipeline", crash)).server.health_port
    eventually(lambda: health(port) == Status.NOT_SERVING)
    eventually(lambda: health(port, LIVENESS) == Status.NOT_SERVING)
    assert "lost the reader" in capsys.readouterr().out


def test_calls_are_counted_and_timed_by_method_and_code(start: Start) -> None:
    echo = start()
    labels = f'grpc_method="{{}}",grpc_service="{SERVICE.full_name}",grpc_type="{{}}"'
    say, chat = labels.format("Say", "unary"), labels.format("Chat", "bidi_stream")
    assert f'grpc_server_handled_total{{grpc_code="OK",{say}}} 0.0' in metrics_of(echo)
    echo.stub().Say(request())
    list(echo.stub().Chat(iter([request(), request()])))
    with pytest.raises(grpc.RpcError):
        echo.stub("abis").Say(request())
    eventually(
        lambda: f'grpc_server_handled_total{{grpc_code="PermissionDenied",{say}}} 1.0' in metrics_of(echo)
    )
    page = metrics_of(echo)
    for line in (
        f'grpc_server_handled_total{{grpc_code="OK",{say}}} 1.0',
        f"grpc_server_started_total{{{say}}} 2.0",
        f"grpc_server_msg_received_total{{{chat}}} 2.0",
        f"grpc_server_msg_sent_total{{{chat}}} 2.0",
        f"grpc_server_handling_seconds_count{{{say}}} 2.0",
        "process_resident_memory_bytes",
        'grpc_client_handled_total{grpc_code="PermissionDenied"',
    ):
        assert line in page


def test_two_servers_in_one_process_count_apart(start: Start) -> None:
    one, other = start(), start()
    one.stub().Say(request())
    started = (
        f'grpc_server_started_total{{grpc_method="Say",grpc_service="{SERVICE.full_name}",grpc_type="unary"}}'
    )
    assert f"{started} 1.0" in metrics_of(one)
    assert f"{started} 0.0" in metrics_of(other)


def test_a_tracer_can_surround_every_rpc(start: Start) -> None:
    seen: list[tuple[str, Trace, Trace | None]] = []

    @contextmanager
    def hook(method: Method, span: Trace, parent: Trace | None) -> Iterator[None]:
        seen.append((method.name, span, parent))
        yield

    echo = start(lambda builder: builder.trace_with(hook))
    trace, parent_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    echo.stub().Say(request(), metadata=(("traceparent", f"00-{trace}-{parent_id}-01"),))
    ((name, span, parent),) = seen
    assert (name, span.trace_id, parent) == ("Say", trace, Trace(trace, parent_id))
    assert span.span_id != parent_id


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def secure(echo: Echo, name: str) -> Iterator[grpc.Channel]:
    credentials = tls.channel_credentials(echo.settings.tls_dir, name)
    with grpc.secure_channel(f"localhost:{echo.server.port}", credentials) as channel:
        yield channel


def contract_with_wrong_rule() -> ServiceDescriptor:
    file = descriptor_pb2.FileDescriptorProto(
        name="tunggal/test/v1/wrong.proto",
        package="tunggal.test.wrong.v1",
        syntax="proto3",
        dependency=["buf/validate/validate.proto"],
    )
    message = file.message_type.add(name="DoRequest")
    types = descriptor_pb2.FieldDescriptorProto
    name = message.field.add(name="name", number=1, type=types.TYPE_STRING, label=types.LABEL_OPTIONAL)
    name.options.Extensions[validate_pb2.field].int32.gt = 3
    service = file.service.add(name="WrongService")
    service.method.add(
        name="Do",
        input_type=".tunggal.test.wrong.v1.DoRequest",
        output_type=".tunggal.test.wrong.v1.DoRequest",
    )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool.FindFileByName(file.name).services_by_name["WrongService"]
