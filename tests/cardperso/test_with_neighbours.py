"""The service as a process, with the real enroll and the real inventory, and killed without warning."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from PIL import Image
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1 import cardperso_pb2_grpc
from tunggal.enroll.v1 import enroll_pb2, enroll_pb2_grpc, record_pb2
from tunggal.inventory.v1 import inventory_pb2, inventory_pb2_grpc, stock_pb2

from services.common.client import channel
from services.common.clock import SystemClock
from services.enroll import app as enroll_app
from services.enroll.deduplication import Decision, FingerImage, Outcome
from services.enroll.packet import ImageKind
from services.enroll.settings import Settings as EnrollSettings
from services.enroll.vault import ChipFinger
from services.inventory import app as inventory_app
from services.inventory.settings import Settings as InventorySettings
from sim.card import Faults, ReaderBank, VirtualReader
from tests.cardperso.card_makers import eventually, face_image, finger_record, present, signature_image
from tests.cardperso.conftest import MakeBlank
from tests.enroll.enroll_people import drawing, header, image_of, stream
from tests.inventory.signed_elsewhere import take_over

ROOT = Path(__file__).resolve().parents[2]


class EverybodyIsNew:
    """Stands for the ABIS, which has nothing to do with cards: nobody is a duplicate."""

    def deduplicate(self, request_id: str, subject_id: str, fingers: Sequence[FingerImage]) -> Outcome:
        return Outcome(Decision.UNIQUE)

    def extract(self, fingers: Sequence[FingerImage], max_minutiae: int) -> list[ChipFinger]:
        return [ChipFinger(finger.position, finger_record(), 80) for finger in fingers]


@dataclass
class Suite:
    """Three services, and an operator's stubs of them."""

    enroll: enroll_pb2_grpc.EnrollServiceStub
    inventory: inventory_pb2_grpc.InventoryServiceStub
    environment: dict[str, str]
    tls_dir: Path

    def stock(self) -> stock_pb2.StockLevel:
        levels = self.inventory.GetStock(inventory_pb2.GetStockRequest(location="32.16")).levels
        return next(level for level in levels if level.location == "32.16")

    def record(self, record_id: str) -> record_pb2.Record:
        return self.enroll.GetRecord(enroll_pb2.GetRecordRequest(record_id=record_id)).record


@pytest.fixture
def suite(tmp_path: Path, tls_dir: Path, bank: ReaderBank) -> Iterator[Suite]:
    """Five blanks in Bekasi, one person print-ready there."""
    common: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "health_listen": "",
        "metrics_listen": "",
        "tls_dir": tls_dir,
    }
    inventory = (
        inventory_app.build(InventorySettings(data_dir=tmp_path / "inventory", **common)).build().start()
    )
    enroll = (
        enroll_app.build(EnrollSettings(data_dir=tmp_path / "enroll", **common), abis=EverybodyIsNew())
        .build()
        .start()
    )
    to_enroll = channel(f"127.0.0.1:{enroll.port}", tls_dir, "operator-cli", server="enroll")
    to_inventory = channel(f"127.0.0.1:{inventory.port}", tls_dir, "operator-cli", server="inventory")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNGGAL_")}
    environment |= bank.environment | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        "TUNGGAL_LISTEN": "127.0.0.1:0",
        "TUNGGAL_HEALTH_LISTEN": "",
        "TUNGGAL_METRICS_LISTEN": "",
        "TUNGGAL_DATA_DIR": str(tmp_path / "cardperso"),
        "TUNGGAL_TLS_DIR": str(tls_dir),
        "TUNGGAL_ENROLL_ENDPOINT": f"127.0.0.1:{enroll.port}",
        "TUNGGAL_INVENTORY_ENDPOINT": f"127.0.0.1:{inventory.port}",
    }
    made = Suite(
        enroll_pb2_grpc.EnrollServiceStub(to_enroll),
        inventory_pb2_grpc.InventoryServiceStub(to_inventory),
        environment,
        tls_dir,
    )
    buy_blanks(to_inventory, made.inventory)
    yield made
    for connection in (to_enroll, to_inventory):
        connection.close()
    for server in (enroll, inventory):
        server.stop(grace=1)


def buy_blanks(channel: grpc.Channel, stub: inventory_pb2_grpc.InventoryServiceStub) -> None:
    def new_id() -> str:
        return str(uuid.uuid4())

    take_over(channel, "KTP-TEST", 5)
    stub.ReceiveLot(
        inventory_pb2.ReceiveLotRequest(
            request_id=new_id(),
            contract_id="KTP-TEST",
            delivery_note="DN-1",
            serials=stock_pb2.SerialRange(first=1, last=5),
        )
    )
    for source, target in (("ID", "32"), ("32", "32.16")):
        allocation = stub.CreateAllocation(
            inventory_pb2.CreateAllocationRequest(
                request_id=new_id(), from_location=source, to_location=target, quantity=5, reason="test"
            )
        ).allocation.allocation_id
        stub.DispatchAllocation(
            inventory_pb2.DispatchAllocationRequest(request_id=new_id(), allocation_id=allocation)
        )
        stub.ReceiveAllocation(
            inventory_pb2.ReceiveAllocationRequest(request_id=new_id(), allocation_id=allocation)
        )


def enrol(suite: Suite) -> str:
    """Enrol a person and wait until the record is print-ready."""
    images = [
        image_of(ImageKind.FACE, face_image()),
        image_of(ImageKind.SIGNATURE, signature_image()),
        image_of(ImageKind.FINGER, drawing("finger"), 2),
    ]
    answer = suite.enroll.SubmitRecord(stream(header(SystemClock()), images, chunk=65536))
    record_id: str = answer.record.record_id
    eventually(lambda: suite.record(record_id).status == record_pb2.RECORD_STATUS_PRINT_READY_RECORD)
    return record_id


@dataclass
class Process:
    """The service as a process."""

    popen: subprocess.Popen[str]
    stub: cardperso_pb2_grpc.CardPersoServiceStub
    connection: grpc.Channel

    def kill(self) -> None:
        """As kill -9 does."""
        self.connection.close()
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


@pytest.fixture
def start(suite: Suite) -> Iterator[Callable[[], Process]]:
    running: list[Process] = []

    def go() -> Process:
        popen = subprocess.Popen(
            [sys.executable, "-m", "services.cardperso"],
            env=suite.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert popen.stdout is not None
        lines = []
        for line in popen.stdout:
            lines.append(line)
            if '"ready"' in line:
                port = json.loads(line)["port"]
                connection = channel(f"127.0.0.1:{port}", suite.tls_dir, "operator-cli", server="cardperso")
                process = Process(popen, cardperso_pb2_grpc.CardPersoServiceStub(connection), connection)
                running.append(process)
                return process
        raise AssertionError("".join(lines))

    yield go
    for process in running:
        if process.popen.poll() is None:
            process.kill()


def order(process: Process, reader: VirtualReader) -> str:
    request = pb.CreateCardJobRequest(
        request_id=str(uuid.uuid4()), region="32.16", location="32.16", reader=reader.name
    )
    job_id: str = process.stub.CreateCardJob(request).job.job_id
    return job_id


def finished(process: Process, job_id: str) -> pb.CardJob:
    return list(process.stub.WatchCardJob(pb.WatchCardJobRequest(job_id=job_id), timeout=60))[-1].job


def test_a_person_gets_a_card_after_one_was_spoiled(
    suite: Suite, start: Callable[[], Process], reader: VirtualReader, make_blank: MakeBlank
) -> None:
    record_id = enrol(suite)
    process = start()
    bad = make_blank("bad", faults=Faults(write_error_at=60)).insert()
    spoiled = finished(process, order(process, reader))
    assert (spoiled.state, spoiled.record_id) == (pb.CARD_JOB_STATE_SPOILED, record_id)
    assert suite.record(record_id).status == record_pb2.RECORD_STATUS_PRINT_READY_RECORD
    bad.remove()
    eventually(lambda: not present(reader.name))
    card = make_blank("good").insert()
    job_id = order(process, reader)
    made = finished(process, job_id)
    assert (made.state, made.chip_uid, made.readback_mismatches) == (pb.CARD_JOB_STATE_PRINTED, card.uid, 0)
    record = suite.record(record_id)
    assert (record.status, record.chip_uid) == (record_pb2.RECORD_STATUS_CARD_PRINTED, card.uid)
    stock = suite.stock()
    assert (stock.on_hand, stock.consumed, stock.spoiled, stock.reserved) == (3, 1, 1, 0)
    blank = suite.inventory.GetBlank(inventory_pb2.GetBlankRequest(serial=made.blank_serial)).blank
    assert (blank.state, blank.chip_uid) == (stock_pb2.BLANK_STATE_CONSUMED, card.uid)
    process.stub.HandOverCard(pb.HandOverCardRequest(request_id=str(uuid.uuid4()), job_id=job_id))
    assert suite.record(record_id).status == record_pb2.RECORD_STATUS_CARD_ISSUED
    face = process.stub.GetCardFace(pb.GetCardFaceRequest(job_id=job_id, side=pb.CARD_SIDE_FRONT)).png
    assert Image.open(io.BytesIO(face)).size == (1011, 638)


def test_killed_in_the_middle_of_a_card_the_service_goes_on_with_the_same_card(
    suite: Suite, start: Callable[[], Process], reader: VirtualReader, make_blank: MakeBlank
) -> None:
    record_id = enrol(suite)
    process = start()
    card = make_blank(faults=Faults(slow=0.05)).insert()
    job_id = order(process, reader)
    eventually(lambda: card.apdus >= 16)
    process.kill()
    made = finished(start(), job_id)
    assert (made.state, made.chip_uid, made.record_id) == (pb.CARD_JOB_STATE_PRINTED, card.uid, record_id)
    stock = suite.stock()
    assert (stock.on_hand, stock.consumed, stock.spoiled, stock.reserved) == (4, 1, 0, 0)


def test_killed_and_given_another_card_the_service_spoils_the_blank(
    suite: Suite, start: Callable[[], Process], reader: VirtualReader, make_blank: MakeBlank
) -> None:
    record_id = enrol(suite)
    process = start()
    begun = make_blank("begun", faults=Faults(slow=0.05)).insert()
    job_id = order(process, reader)
    eventually(lambda: begun.apdus >= 12)
    process.kill()
    begun.remove()
    eventually(lambda: not present(reader.name))
    make_blank("other").insert()
    ended = finished(start(), job_id)
    assert (ended.state, ended.reason.split(":")[0]) == (pb.CARD_JOB_STATE_SPOILED, "CARD_CHANGED")
    assert suite.record(record_id).status == record_pb2.RECORD_STATUS_PRINT_READY_RECORD
    stock = suite.stock()
    assert (stock.on_hand, stock.consumed, stock.spoiled, stock.reserved) == (4, 0, 1, 0)
