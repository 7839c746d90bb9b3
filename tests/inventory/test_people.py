"""Two people are two: however an id is spelt, and whoever's certificate sends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tunggal.inventory.v1 import contracts_pb2_grpc, inventory_pb2_grpc

from services.common import tls
from services.common.client import channel
from services.common.errors import PermissionDenied, remote_error
from services.inventory.app import build
from services.inventory.people import Person, require_other, require_own, same
from services.inventory.settings import Settings
from tests.inventory.signed_elsewhere import approving, entering


@pytest.mark.parametrize(
    "other",
    ["siti", "SITI", "Si ti", "s.i-t_i", "ｓｉｔｉ", "siti\u00a0", "\u017fiti"],
    ids=["itself", "case", "space", "separators", "fullwidth", "no-break-space", "long-s"],
)
def test_one_person_stays_one_however_the_id_is_spelt(other: str) -> None:
    assert same("siti", other)
    with pytest.raises(PermissionDenied):
        require_other(Person("operator/cli", other), "operator/bekasi:siti")


def test_two_ids_are_two_people() -> None:
    assert not same("siti", "sita")
    require_other(Person("operator/cli", "budi"), "operator/cli:siti", "operator/cli:ani")


def test_who_signed_without_an_id_may_have_been_anybody_with_that_certificate() -> None:
    for before in ("operator/cli", "operator/cli:"):
        with pytest.raises(PermissionDenied):
            require_other(Person("operator/cli", "budi"), before)
        require_other(Person("operator/bekasi", "budi"), before)
    # A service is nobody: what it booked by itself is reviewed by a first person.
    require_other(Person("service/cardperso", "budi"), "service/cardperso")


def test_a_personal_certificate_without_an_id_is_its_holder_s() -> None:
    with pytest.raises(PermissionDenied):
        require_other(Person("operator/cli", "Siti"), "operator/person-siti")
    require_other(Person("operator/cli", "budi"), "operator/person-siti")


def test_a_personal_certificate_speaks_for_one_person() -> None:
    require_own(Person("operator/person-siti", "Siti"))
    require_own(Person("operator/cli", "anybody"))
    with pytest.raises(PermissionDenied) as refused:
        require_own(Person("operator/person-siti", "budi"))
    assert (refused.value.reason, refused.value.field) == ("NOT_YOUR_OPERATOR_ID", "operator")


@pytest.fixture
def served(tmp_path: Path, tls_dir: Path) -> Iterator[str]:
    settings = Settings(
        listen="127.0.0.1:0", health_listen="", metrics_listen="", data_dir=tmp_path, tls_dir=tls_dir
    )
    server = build(settings).build().start()
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


def test_two_certificates_are_behind_a_step_of_two_people(served: str, tls_dir: Path) -> None:
    names = ("operator-person-siti", "operator-person-budi")
    tls.ensure_dev_ca(tls_dir, "tunggal.local", names)
    siti, budi = (channel(served, tls_dir, name, server="inventory") for name in names)
    with siti, budi:
        enter = inventory_pb2_grpc.InventoryServiceStub(siti).CreateContract
        change_id = enter(entering("KTP-2017-03", 7_000_000, "siti")).change_id
        with pytest.raises(grpc.RpcError) as refused:
            contracts_pb2_grpc.ContractServiceStub(siti).ApproveChange(approving(change_id, "budi"))
        assert remote_error(refused.value).reason == "NOT_YOUR_OPERATOR_ID"
        approve = contracts_pb2_grpc.ContractServiceStub(budi).ApproveChange
        file = approve(approving(change_id, "budi")).contract
    (step,) = file.changes
    assert (step.proposed_by, step.decided_by) == (
        "operator/person-siti:siti",
        "operator/person-budi:budi",
    )
