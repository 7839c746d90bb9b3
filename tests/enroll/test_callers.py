"""Who gets in, by certificate, and may do what."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from tunggal.enroll.v1 import enroll_pb2_grpc

from services.common import tls
from services.common.errors import (
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    remote_error,
)
from tests.enroll.enroll_people import GOOD, header, stream
from tests.enroll.enroll_server import (
    CLOCK,
    ON_SQLITE,
    Serve,
    Served,
    claim_request,
    funnel,
    refused,
    retry_request,
)


@ON_SQLITE
def test_an_expired_certificate_is_refused(serve: Serve) -> None:
    served = serve()
    directory = served.settings.tls_dir
    tls.issue(directory, "kit-expired", "kit/expired", lifetime=timedelta(minutes=-1))
    assert_turned_away(served, tls.channel_credentials(directory, "kit-expired"))


@ON_SQLITE
def test_a_certificate_of_another_ca_is_refused(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    foreign = tmp_path / "foreign"
    tls.ensure_dev_ca(foreign, "tunggal.local", ["operator-cli"])
    shutil.copy(served.settings.tls_dir / "ca.pem", foreign)
    assert_turned_away(served, tls.channel_credentials(foreign, "operator-cli"))


@ON_SQLITE
def test_a_server_of_another_ca_is_not_believed(serve: Serve, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    tls.ensure_dev_ca(foreign, "tunggal.local", ["operator-cli"])
    stub = serve().stub(tls_dir=foreign)
    refused(lambda: stub.GetFunnel(funnel(), timeout=10), Unavailable, "TLS_HANDSHAKE_FAILED", None)


@ON_SQLITE
def test_a_certificate_of_another_trust_domain_is_refused(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    directory = served.settings.tls_dir
    tls.issue(directory, "operator-elsewhere", "operator/elsewhere", trust_domain="elsewhere.local")
    stub = served.stub("operator-elsewhere")
    refused(lambda: stub.GetFunnel(funnel(), timeout=10), Unauthenticated, "NO_IDENTITY", None)


def assert_turned_away(served: Served, credentials: grpc.ChannelCredentials) -> None:
    """The server ends the handshake, which its client sees as a closed connection: no call gets in."""
    with grpc.secure_channel(f"localhost:{served.server.port}", credentials) as channel:
        stub = enroll_pb2_grpc.EnrollServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.SubmitRecord(stream(header(CLOCK), GOOD), timeout=10)
    error = remote_error(caught.value)
    assert isinstance(error, Unavailable)
    assert error.remedy
    assert served.rows()["record"] == 0


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("cardperso", "submit"),
        ("inventory", "submit"),
        ("operator-cli", "claim"),
        ("kit-7", "claim"),
        ("abis", "claim"),
        ("kit-7", "retry"),
        ("cardperso", "retry"),
    ],
)
def test_each_caller_may_do_its_own_work_only(serve: Serve, name: str, method: str) -> None:
    served = serve()
    stub = served.stub(name)
    calls: dict[str, Callable[[], object]] = {
        "submit": lambda: stub.SubmitRecord(stream(header(CLOCK), GOOD)),
        "claim": lambda: stub.ClaimNextRecord(claim_request()),
        "retry": lambda: stub.RetryRecord(retry_request(str(uuid.uuid4()))),
    }
    refused(calls[method], PermissionDenied, "CALLER_NOT_ALLOWED", None)
    assert served.rows()["record"] == 0
