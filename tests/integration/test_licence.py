"""The licence opens and shuts again and again, at two replicas of each service: the queue keeps its order.

In 2016 4.5 million people waited behind this gate. What must hold: nobody is let in beyond what is licensed,
nobody is lost, and whoever came first goes on first, however often it opens.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import grpc
import numpy as np
import pytest
from PIL import Image
from tunggal.abis.v1 import abis_pb2
from tunggal.abis.v1.abis_pb2_grpc import AbisServiceStub
from tunggal.enroll.v1 import enroll_pb2
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.enroll.v1.record_pb2 import Record
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub

from cli.demo.counter import submit
from cli.demo.steps import RequestIds
from services.abis import app as abis_app
from services.abis.settings import Settings as AbisSettings
from services.common.client import channel
from services.common.server import RunningServer, ServerBuilder
from services.enroll import app as enroll_app
from services.enroll.settings import Settings as EnrollSettings
from services.inventory import app as inventory_app
from services.inventory.settings import Settings as InventorySettings
from sim import portrait, signature
from sim.demo.day import CapturedFinger, Day, Submission
from sim.fingerprints import Level, impression, master
from sim.population import people

pytestmark = pytest.mark.timeout(900)

PEOPLE = 10
REPLICAS = 2
DEADLINE = 120.0
#: Longer than the ABIS trusts an answer and enrolment waits between two tries.
TICK = timedelta(seconds=31)


class Quiet:
    """Progress that nobody watches."""

    def stage(self, name: str, total: int) -> None: ...

    def advance(self, detail: str = "") -> None: ...

    def say(self, text: str) -> None: ...


class HastenedClock:
    """The machine's clock, set forward again and again."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, step: timedelta) -> None:
        self._ahead += step


class Programme:
    """An inventory, and two replicas of the ABIS and of enrolment that work through one queue."""

    def __init__(self, home: Path, tls_dir: Path, clock: HastenedClock, stack: ExitStack) -> None:
        self.clock = clock
        self._stack = stack
        common = {
            "listen": "127.0.0.1:0",
            "health_listen": "",
            "metrics_listen": "",
            "tls_dir": tls_dir,
            "log_level": "error",
            "drain_seconds": 1,
        }

        def settings(service: str, replica: int = 0) -> dict[str, object]:
            return {
                **common,
                "data_dir": home / f"{service}-{replica}",
                "database_url": f"sqlite:///{home}/{service}.db",
                "key_file": home / f"{service}.json",
            }

        inventory = self._run(
            inventory_app.build(InventorySettings.model_validate(settings("inventory")), clock)
        )
        self._abis = [
            self._run(
                abis_app.build(
                    AbisSettings.model_validate(
                        {
                            **settings("abis", replica),
                            "inventory_endpoint": f"127.0.0.1:{inventory.port}",
                            "search_threads": 1,
                        }
                    ),
                    clock,
                )
            )
            for replica in range(REPLICAS)
        ]
        self._enroll = [
            self._run(
                enroll_app.build(
                    EnrollSettings.model_validate(
                        {
                            **settings("enroll", replica),
                            "abis_endpoint": f"127.0.0.1:{abis.port}",
                            "pipeline_workers": 1,
                            "pipeline_lease_seconds": 86_400,
                            "poll_seconds": 0.05,
                        }
                    ),
                    clock,
                )
            )
            for replica, abis in enumerate(self._abis)
        ]

        def connect(server: RunningServer, service: str) -> grpc.Channel:
            made = channel(f"127.0.0.1:{server.port}", tls_dir, "operator-cli", server=service)
            stack.callback(made.close)
            return made

        self.contracts = ContractServiceStub(connect(inventory, "inventory"))
        self.abis = AbisServiceStub(connect(self._abis[0], "abis"))
        self.enroll = EnrollServiceStub(connect(self._enroll[0], "enroll"))

    def _run(self, builder: ServerBuilder) -> RunningServer:
        server = builder.build().start()
        self._stack.callback(server.stop, grace=0)
        return server

    def contract(self, contract_id: str, kind: str, first: str, last: str, people: int = 0) -> None:
        """A contract in force."""
        terms = pb.ContractTerms(
            kind=pb.ContractKind.Value(f"CONTRACT_KIND_{kind}"),
            supplier="PT Biometrik",
            currency="IDR",
            valid_from=first,
            valid_until=last,
            max_people=people,
        )
        self.contracts.DraftContract(
            pb.DraftContractRequest(
                request_id=str(uuid4()), contract_id=contract_id, terms=terms, operator="ani"
            )
        )
        self.step(contract_id, "SIGN")
        self.step(contract_id, "ACTIVATE")

    def step(self, contract_id: str, kind: str, **changed: str) -> None:
        """A step that two people agree on."""
        proposed = self.contracts.ProposeChange(
            pb.ProposeChangeRequest(
                request_id=str(uuid4()),
                contract_id=contract_id,
                kind=pb.ChangeKind.Value(f"CHANGE_KIND_{kind}"),
                terms=changed,
                reason="as agreed",
                operator="ani",
            )
        ).change
        self.contracts.ApproveChange(
            pb.ApproveChangeRequest(request_id=str(uuid4()), change_id=proposed.change_id, operator="budi")
        )

    def served(self) -> list[str]:
        """Records that are in the gallery, in the order in which they got there."""
        found = self.abis.ListSubjects(abis_pb2.ListSubjectsRequest(page_size=1000)).subjects
        return [subject.subject_id for subject in found]

    def record(self, record_id: str) -> Record:
        return self.enroll.GetRecord(enroll_pb2.GetRecordRequest(record_id=record_id)).record

    def until(self, holds: Callable[[], bool]) -> None:
        """Lets time pass until it does."""
        end = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < end, "it never came to that"
            self.clock.advance(TICK)
            time.sleep(0.2)


@pytest.fixture
def programme(tmp_path: Path, tls_dir: Path) -> Iterator[Programme]:
    with ExitStack() as stack:
        yield Programme(tmp_path, tls_dir, HastenedClock(), stack)


def visits() -> list[Submission]:
    made = []
    for number, person in enumerate(people(PEOPLE, seed=5)):
        pixels = np.array(impression(master(7000 + number, 2, None), 1, Level.EASY))
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        finger = CapturedFinger(2, file.getvalue(), 500)
        face, name = portrait.draw(person), signature.draw(person)
        made.append(Submission(str(number), str(number), person.biodata(), (finger,), face, name))
    return made


def test_the_queue_keeps_its_order_however_often_the_licence_opens_and_shuts(programme: Programme) -> None:
    day = Day(tuple((visit,) for visit in visits()), real=False)
    arrived = submit(programme.enroll, RequestIds(1), day, Quiet())
    waiting = [outcome.record_id for outcome in sorted(arrived, key=lambda each: each.arrival)]
    served: list[str] = []

    def waits_for(reason: str) -> None:
        """All who wait are told why."""
        programme.until(lambda: all(reason in programme.record(each).reason for each in waiting))

    def lets_through(number: int) -> None:
        """So many more and not one beyond; nobody is overtaken but by those in hand at the same moment."""
        programme.until(lambda: len(programme.served()) >= len(served) + number)
        for _ in range(3):
            programme.clock.advance(TICK)
            time.sleep(0.2)
        new = programme.served()[len(served) :]
        assert len(new) == number
        assert set(new) <= set(waiting[: number + REPLICAS - 1])
        served.extend(new)
        for each in new:
            waiting.remove(each)

    today = programme.clock.now().astimezone(timezone(timedelta(hours=7))).date()

    def day_after(days: int) -> str:
        return (today + timedelta(days)).isoformat()

    waits_for("ABIS_NOT_ENTITLED: No ABIS licence is in force")
    programme.contract("ATS-1", "MAINTENANCE", day_after(0), day_after(300))
    programme.contract("LIC-1", "ABIS_LICENCE", day_after(0), day_after(20), people=2)
    lets_through(2)
    waits_for("PEOPLE_CEILING_REACHED: The licence is for 2 people")
    programme.step("LIC-1", "AMEND", max_people="4")
    lets_through(2)
    waits_for("PEOPLE_CEILING_REACHED: The licence is for 4 people")
    programme.step("LIC-1", "AMEND", max_people="5")
    lets_through(1)
    waits_for("PEOPLE_CEILING_REACHED: The licence is for 5 people")
    programme.clock.advance(timedelta(days=21))
    waits_for(f"ABIS_NOT_ENTITLED: The last ABIS licence ended on {day_after(20)}, and none follows.")
    programme.contract("LIC-2", "ABIS_LICENCE", day_after(40), day_after(300), people=7)
    waits_for(f"the next begins on {day_after(40)}")
    programme.clock.advance(timedelta(days=20))
    lets_through(2)
    waits_for("PEOPLE_CEILING_REACHED: The licence is for 7 people")
    programme.step("ATS-1", "TERMINATE")
    programme.step("LIC-2", "AMEND", max_people="100")
    waits_for("ABIS_NOT_ENTITLED: No maintenance contract is in force")
    programme.contract("ATS-2", "MAINTENANCE", day_after(0), day_after(300))
    lets_through(PEOPLE - len(served))
    assert waiting == []
    assert {programme.record(each).reason for each in served} == {""}
