"""Who connects: only both sides' certificates of one CA, one trust domain and the right name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest

from services.common import errors, tls
from tests.common.conftest import Start
from tests.common.echo_service import EchoStub, failure, request


def test_a_certificate_of_another_ca_does_not_connect(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    echo = start()
    foreign = tmp_path_factory.mktemp("foreign")
    tls.ensure_dev_ca(foreign, "tunggal.local", ("operator-cli",))
    (foreign / "ca.pem").write_bytes((echo.settings.tls_dir / "ca.pem").read_bytes())
    (foreign / "ca.key").unlink()
    error = failure(lambda: call_as(echo.server.port, foreign, "operator-cli"))
    assert isinstance(error, errors.Unavailable)
    assert echo.servicer.heard == []


def test_an_expired_certificate_does_not_connect(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    echo = start()
    directory = copy_of_ca(echo.settings.tls_dir, tmp_path_factory.mktemp("expired"))
    tls.issue(directory, "operator-cli", "operator/cli", lifetime=timedelta(seconds=-60))
    (directory / "ca.key").unlink()
    error = failure(lambda: call_as(echo.server.port, directory, "operator-cli"))
    assert isinstance(error, errors.Unavailable)
    assert echo.servicer.heard == []


def test_a_certificate_of_another_trust_domain_is_a_stranger(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    echo = start()
    directory = copy_of_ca(echo.settings.tls_dir, tmp_path_factory.mktemp("domain"))
    tls.issue(directory, "operator-cli", "operator/cli", trust_domain="elsewhere.example")
    error = failure(lambda: call_as(echo.server.port, directory, "operator-cli"))
    assert (type(error), error.reason) == (errors.Unauthenticated, "NO_IDENTITY")
    assert "spiffe://elsewhere.example/operator/cli" in error.message


def test_a_client_without_a_certificate_does_not_connect(start: Start) -> None:
    echo = start()
    root = (echo.settings.tls_dir / "ca.pem").read_bytes()
    with grpc.secure_channel(f"localhost:{echo.server.port}", grpc.ssl_channel_credentials(root)) as plain:
        error = failure(lambda: EchoStub(plain).Say(request(), timeout=10))
    assert isinstance(error, errors.Unavailable)


def test_a_server_with_the_name_of_another_service_is_not_trusted(start: Start) -> None:
    echo = start()
    assert echo.stub(server="inventory").Say(request(text="yes")).text == "yes"
    error = failure(lambda: echo.stub(server="abis").Say(request()))
    assert (type(error), error.reason) == (errors.Unavailable, "TLS_HANDSHAKE_FAILED")


def copy_of_ca(source: Any, target: Any) -> Any:
    """A directory with the same CA and nothing else."""
    for name in ("ca.pem", "ca.key"):
        (target / name).write_bytes((source / name).read_bytes())
    return target


def call_as(port: int, directory: Any, name: str) -> None:
    """Call with the certificate as it is in ``directory``, which :func:`channel` would renew."""
    credentials = tls.channel_credentials(directory, name)
    with grpc.secure_channel(f"localhost:{port}", credentials) as plain:
        EchoStub(plain).Say(request(), timeout=10)
