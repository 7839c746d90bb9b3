"""Certificates: made once, by whoever starts first, and renewed before they end."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.common import tls
from services.common.client import channel
from services.common.errors import ConfigurationError, Unauthenticated
from services.common.identity import peer_path

ROOT = Path(__file__).parents[2]
TD = "tunggal.local"


def certificate(directory: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())


def names(of: x509.Certificate, kind: type[x509.DNSName] | type[x509.UniformResourceIdentifier]) -> list[str]:
    return of.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(kind)


def usages(of: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(of.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_service_has_a_spiffe_id_and_the_names_it_is_called_by(tls_dir: Path) -> None:
    found = certificate(tls_dir, "inventory")
    assert names(found, x509.UniformResourceIdentifier) == ["spiffe://tunggal.local/service/inventory"]
    assert names(found, x509.DNSName) == ["inventory", "localhost"]
    assert usages(found) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    found.verify_directly_issued_by(certificate(tls_dir, "ca"))


def test_an_operator_cannot_pose_as_a_server(tls_dir: Path) -> None:
    found = certificate(tls_dir, "operator-cli")
    assert names(found, x509.UniformResourceIdentifier) == ["spiffe://tunggal.local/operator/cli"]
    assert names(found, x509.DNSName) == []
    assert usages(found) == {ExtendedKeyUsageOID.CLIENT_AUTH}


def test_keys_belong_to_their_owner_alone(tls_dir: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in tls_dir.glob("*.key")} == {0o600}


def test_the_lifetimes_are_ten_years_and_one(tls_dir: Path) -> None:
    now = datetime.now(UTC)
    for name, days in (("ca", 3650), ("inventory", 365)):
        left = certificate(tls_dir, name).not_valid_after_utc - now
        assert timedelta(days=days - 1) < left <= timedelta(days=days)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    tls.ensure_dev_ca(tmp_path, TD)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    tls.ensure_dev_ca(tmp_path, TD)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_four_services_that_start_at_once_agree_on_one_ca(tmp_path: Path) -> None:
    deed = (
        "import sys, pathlib; from services.common import tls;"
        "tls.ensure_dev_ca(pathlib.Path(sys.argv[1]) / 'tls', 'tunggal.local')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    starts = [
        subprocess.Popen([sys.executable, "-c", deed, str(tmp_path)], env=environment) for _ in range(4)
    ]
    assert [start.wait(60) for start in starts] == [0] * 4
    directory = tmp_path / "tls"
    ca = certificate(directory, "ca")
    for name in tls.DEV_NAMES:
        certificate(directory, name).verify_directly_issued_by(ca)
    assert not [path for path in directory.iterdir() if path.name.startswith(".") and path.name != ".lock"]


@pytest.mark.parametrize("lifetime", [timedelta(days=29), timedelta(minutes=-5)])
def test_a_certificate_near_or_past_its_end_is_renewed(tmp_path: Path, lifetime: timedelta) -> None:
    tls.ensure_dev_ca(tmp_path, TD, ("abis",))
    tls.issue(tmp_path, "abis", "service/abis", lifetime=lifetime)
    tls.ensure_dev_ca(tmp_path, TD, ("abis",))
    assert certificate(tmp_path, "abis").not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


def test_a_key_left_beside_an_older_certificate_by_a_kill_is_made_anew(tmp_path: Path) -> None:
    tls.ensure_dev_ca(tmp_path, TD, ("abis", "enroll"))
    (tmp_path / "abis.key").write_bytes((tmp_path / "enroll.key").read_bytes())
    before = certificate(tmp_path, "abis")
    tls.ensure_dev_ca(tmp_path, TD, ("abis", "enroll"))
    assert certificate(tmp_path, "abis") != before


def test_certificates_of_a_ca_that_was_removed_are_made_anew(tmp_path: Path) -> None:
    tls.ensure_dev_ca(tmp_path, TD, ("abis",))
    for name in ("ca.pem", "ca.key"):
        (tmp_path / name).unlink()
    tls.ensure_dev_ca(tmp_path, TD, ("abis",))
    certificate(tmp_path, "abis").verify_directly_issued_by(certificate(tmp_path, "ca"))


def test_where_the_ca_is_someone_elses_nothing_is_made_and_the_missing_file_is_named(tmp_path: Path) -> None:
    tls.ensure_dev_ca(tmp_path, TD, ("inventory",))
    (tmp_path / "ca.key").unlink()
    before = sorted(path.name for path in tmp_path.iterdir())
    tls.ensure_dev_ca(tmp_path, TD)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with pytest.raises(ConfigurationError, match=r"abis\.key cannot be read"):
        channel("localhost:1", tmp_path, "abis")


def test_a_client_gets_its_certificate_from_the_development_ca(tmp_path: Path) -> None:
    tls.ensure_dev_ca(tmp_path, TD)
    channel("localhost:1", tmp_path, "station-0042").close()
    found = certificate(tmp_path, "station-0042")
    assert names(found, x509.UniformResourceIdentifier) == ["spiffe://tunggal.local/station/0042"]


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="TUNGGAL_TLS_DIR"):
        tls.ensure_dev_ca(tmp_path / "file" / "tls", TD)


def test_a_name_of_no_known_form_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="neither a service"):
        tls.spiffe_path("inventroy")


class _Peer:
    """The part of a context that tells the peer's names."""

    def __init__(self, *names: str) -> None:
        self._names = [name.encode() for name in names]

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_subject_alternative_name": self._names} if self._names else {}


def path_of(*names: str) -> str:
    context: grpc.ServicerContext = _Peer(*names)  # type: ignore[assignment]
    return peer_path(context, TD)


def test_among_several_names_the_one_of_our_trust_domain_counts() -> None:
    assert path_of("localhost", "spiffe://other/service/x", f"spiffe://{TD}/service/abis") == "service/abis"


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("localhost",),
        ("spiffe://other/service/abis",),
        (f"spiffe://{TD}.evil/service/abis",),
        (f"spiffe://{TD}/",),
        (f"spiffe://{TD}/service/abis", f"spiffe://{TD}/operator/cli"),
    ],
)
def test_a_peer_without_exactly_one_name_of_ours_is_a_stranger(names: tuple[str, ...]) -> None:
    with pytest.raises(Unauthenticated):
        path_of(*names)
