"""The commands, against real services in this process."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.inventory.v1 import inventory_pb2
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from typer.testing import CliRunner, Result

from cli.demo.calls import Stopwatch, patiently
from cli.demo.counter import submit
from cli.demo.steps import RequestIds
from cli.demo.supply import supply, take_stock
from cli.main import app
from cli.options import connect
from services.common.errors import AlreadyExists
from services.common.server import RunningServer
from services.enroll import app as enroll_app
from services.enroll.settings import Settings as EnrollSettings
from services.inventory import app as inventory_app
from services.inventory.settings import Settings as InventorySettings
from sim import portrait, signature
from sim.demo.day import CapturedFinger, Day, Submission
from sim.population import people

NOBODY = "127.0.0.1:9"


class Quiet:
    """Progress that nobody watches."""

    def stage(self, name: str, total: int) -> None: ...

    def advance(self, detail: str = "") -> None: ...

    def say(self, text: str) -> None: ...


def tunggal(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments])


def settings(directory: Path, tls_dir: Path, port: int = 0) -> dict[str, object]:
    return {
        "listen": f"127.0.0.1:{port}",
        "health_listen": "",
        "metrics_listen": "",
        "data_dir": directory,
        "tls_dir": tls_dir,
    }


def start_inventory(directory: Path, tls_dir: Path, port: int = 0) -> RunningServer:
    chosen = InventorySettings.model_validate(settings(directory / "inventory", tls_dir, port))
    return inventory_app.build(chosen).build().start()


@pytest.fixture
def inventory(tmp_path: Path, tls_dir: Path) -> Iterator[str]:
    """An inventory with nothing in it; its endpoint."""
    server = start_inventory(tmp_path, tls_dir)
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.fixture
def enroll(tmp_path: Path, tls_dir: Path) -> Iterator[str]:
    """An enrolment service whose ABIS does not answer; its endpoint."""
    chosen = EnrollSettings.model_validate(
        {**settings(tmp_path / "enroll", tls_dir), "abis_endpoint": NOBODY}
    )
    server = enroll_app.build(chosen).build().start()
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.fixture
def submitted(enroll: str, tls_dir: Path) -> Submission:
    """A submission that the enrolment service has."""
    person = people(1, seed=5)[0]
    face = portrait.draw(person)
    fingers = (CapturedFinger(2, face, 500),)  # any image will do: nobody extracts it here
    visit = Submission("1", "1", person.biodata(), fingers, face, signature.draw(person))
    with connect("enroll", enroll, tls_dir) as channel:
        submit(EnrollServiceStub(channel), RequestIds(1), Day(((visit,),), real=False), Quiet())
    return visit


def test_stock_shows_where_the_blanks_are(inventory: str, tls_dir: Path) -> None:
    with connect("inventory", inventory, tls_dir) as channel:
        supply(InventoryServiceStub(channel), ContractServiceStub(channel), RequestIds(1), 20, Quiet())
    shown = tunggal("stock", "--inventory", inventory, "--tls-dir", str(tls_dir))
    assert shown.exit_code == 0
    assert "32.16" in shown.stdout
    assert "Contracted 300 = delivered 30 + outstanding 270" in shown.stdout
    answer = json.loads(
        tunggal("stock", "32", "--inventory", inventory, "--tls-dir", str(tls_dir), "--json").stdout
    )
    assert answer["total"]["on_hand"] == 30
    assert [level["location"] for level in answer["levels"]] == ["32.16"]


def test_supplying_twice_with_the_same_seed_supplies_once(inventory: str, tls_dir: Path) -> None:
    with connect("inventory", inventory, tls_dir) as channel:
        stub = InventoryServiceStub(channel)
        contracts = ContractServiceStub(channel)
        supply(stub, contracts, RequestIds(1), 20, Quiet())
        stock = take_stock(stub, supply(stub, contracts, RequestIds(1), 20, Quiet()))
    assert (stock.contracted, stock.received, stock.total.on_hand) == (300, 30, 30)


def test_status_tells_what_a_record_waits_for(submitted: Submission, enroll: str, tls_dir: Path) -> None:
    options = ("--enroll", enroll, "--cardperso", NOBODY, "--tls-dir", str(tls_dir))
    nik = submitted.biodata.nik

    def waits() -> Result:
        shown = tunggal("status", nik, *options)
        assert shown.exit_code == 0
        return shown

    shown = until(lambda: "Next attempt" in waits().stdout, waits)
    for text in (
        submitted.biodata.full_name,
        nik,
        "BIO_CAPTURED",
        "SENT_FOR_ENROLLMENT",
        "Reason",
        "the card station does not answer (UNREACHABLE)",
    ):
        assert text in shown.stdout
    found = json.loads(tunggal("status", nik, *options, "--json").stdout)
    assert found[0]["record"]["biodata"]["nik"] == nik
    assert found[0]["cards"] == {"unknown": "UNREACHABLE"}
    by_id = json.loads(tunggal("status", found[0]["record"]["record_id"], *options, "--json").stdout)
    assert by_id[0]["record"]["biodata"]["nik"] == nik


@pytest.mark.parametrize(
    ("arguments", "reason", "words"),
    [
        (["status", "12"], "NEITHER_NIK_NOR_RECORD", "16 digits"),
        (["status", "3216010101800001"], "NIK_NOT_FOUND", "NIK 3216010101800001"),
        (["status", str(uuid.UUID(int=1))], "RECORD_UNKNOWN", "record_id"),
        (["serve", "printer"], "SERVICE_UNKNOWN", "inventory, abis, enroll, cardperso"),
    ],
)
def test_a_wrong_request_is_one_line_with_what_to_do(
    enroll: str, tls_dir: Path, arguments: list[str], reason: str, words: str
) -> None:
    if arguments[0] == "status":
        arguments = [*arguments, "--enroll", enroll, "--cardperso", NOBODY, "--tls-dir", str(tls_dir)]
    result = tunggal(*arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {reason}")
    assert words in line
    assert " → " in line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["blank", "show", "9" * 20], "NUMBER_TOO_LARGE"),
        (["requisition", "ask", "32.16", "9" * 30, "--reason", "need"], "NUMBER_TOO_LARGE"),
        (
            ["contract", "draft", "A-1", "--kind", "blanks", "--supplier", "PT", "--quantity", "9" * 20],
            "NUMB",
        ),
        (["contract", "show", "A\udcff"], "TEXT_UNREADABLE"),
        (["stock", "\udcff\udcfe"], "TEXT_UNREADABLE"),
    ],
)
def test_what_fits_no_message_is_one_line_too(
    inventory: str, tls_dir: Path, arguments: list[str], reason: str
) -> None:
    result = tunggal(*arguments, "--inventory", inventory, "--tls-dir", str(tls_dir))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {reason}")
    assert " → " in line


def test_a_refusal_of_the_service_names_the_field_in_json_too(inventory: str, tls_dir: Path) -> None:
    result = tunggal("stock", "Bekasi", "--inventory", inventory, "--tls-dir", str(tls_dir), "--json")
    assert result.exit_code == 1
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "INVALID_ARGUMENT"
    assert error["field"] == "location"
    assert error["service"] == "tunggal.inventory"
    assert error["remedy"]


def test_a_service_that_is_not_there_is_one_line(tls_dir: Path) -> None:
    result = tunggal("stock", "--inventory", NOBODY, "--tls-dir", str(tls_dir))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: UNREACHABLE")


def test_a_missing_certificate_is_one_line(tmp_path: Path) -> None:
    result = tunggal("stock", "--tls-dir", str(tmp_path))
    assert result.exit_code == 1
    assert "operator-cli" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_wrong_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNGGAL_WORKERS", "many")
    result = tunggal("serve", "inventory")
    assert result.exit_code == 1
    assert "(field TUNGGAL_WORKERS)" in result.stderr


def test_a_certificate_is_made_for_another_operator(tmp_path: Path) -> None:
    result = tunggal("certificate", "operator-bekasi", "--tls-dir", str(tmp_path), "--json")
    made = json.loads(result.stdout)
    assert made["identity"] == "spiffe://tunggal.local/operator/bekasi"
    assert Path(made["certificate"]).is_file()
    assert Path(made["key"]).stat().st_mode & 0o777 == 0o600


def test_the_demo_never_empties_a_directory_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    result = tunggal("demo", "--people", "1", "--var", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: DIRECTORY_IN_USE")
    assert (tmp_path / "thesis.tex").exists()


def test_a_call_waits_for_a_service_that_comes_back(tmp_path: Path, tls_dir: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    stopwatch = Stopwatch()
    started: list[RunningServer] = []
    later = threading.Timer(1.0, lambda: started.append(start_inventory(tmp_path, tls_dir, port)))
    later.start()
    try:
        with connect("inventory", f"127.0.0.1:{port}", tls_dir) as channel:
            stub = InventoryServiceStub(stopwatch.watch(channel))
            answer = patiently(lambda: stub.GetStock(inventory_pb2.GetStockRequest()), patience=30)
    finally:
        later.join()
        for server in started:
            server.stop(grace=0)
    assert answer.delivered == 0
    assert stopwatch.summary()["GetStock"]["count"] == 1


def test_a_call_does_not_wait_where_the_service_refuses(inventory: str, tls_dir: Path) -> None:
    request = inventory_pb2.CreateContractRequest(
        request_id=RequestIds(1).of("contract"),
        contract_id="KTP-1",
        supplier="S",
        quantity=1,
        scan_sha256="00" * 32,
        operator="siti",
    )
    with connect("inventory", inventory, tls_dir) as channel:
        stub = InventoryServiceStub(channel)
        patiently(lambda: stub.CreateContract(request))
        request.quantity = 2
        with pytest.raises(AlreadyExists):
            patiently(lambda: stub.CreateContract(request))


def test_request_ids_follow_from_the_seed() -> None:
    assert RequestIds(1).of("submit", "7/1") == RequestIds(1).of("submit", "7/1")
    assert len({RequestIds(s).of("card-job", n) for s in (1, 2) for n in range(9)}) == 18


def until(condition: Callable[[], bool], result: Callable[[], Result]) -> Result:
    """The result once the condition holds; fails after 20 seconds."""
    waiter = threading.Event()
    for _ in range(200):
        if condition():
            return result()
        waiter.wait(0.1)
    pytest.fail("it did not come to that within 20 seconds")
