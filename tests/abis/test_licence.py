"""A licence is for so many people and so many searches a day: at all replicas together, to the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.abis.v1.abis_pb2_grpc import AbisServiceStub

from services.abis.app import build
from services.abis.calibration import PACKAGED, Calibration
from services.abis.entitlement import FRESH, Entitlement, Gate, LicensedDeduplication
from services.abis.finger import Finger
from services.abis.fingerprint.template import Template
from services.abis.fusion import Decision, Thresholds
from services.abis.gallery import Gallery, SearchResult
from services.abis.identify import Identification
from services.abis.references import References
from services.abis.search.index import SearchIndex
from services.abis.settings import Settings
from services.abis.store import Store
from services.abis.thresholds import Policy
from services.common import audit
from services.common.client import channel
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.errors import ResourceExhausted
from services.inventory.app import build as build_inventory
from services.inventory.contracts.contract import Contract, ContractKind
from services.inventory.contracts.store import ContractStore
from services.inventory.settings import Settings as InventorySettings
from tests.abis.abis_office import new_id, refused, sample

END = date(2030, 12, 31)
OPEN = Entitlement(True, 0, 0, None, "Licensed.")


class Licence:
    """Stands for the inventory: says what the test sets."""

    def __init__(self, found: Entitlement) -> None:
        self.found = found

    def entitlement(self) -> Entitlement:
        return self.found


class Replica:
    """What decides at one replica, without its server."""

    def __init__(self, database: Database, directory: Path, licence: Licence, clock: FixedClock) -> None:
        keys = KeyRing("test", {"test": bytes(32)})
        self.database, self.store, self.clock = database, Store(keys), clock
        references = References(database, self.store)
        self.gallery = Gallery(SearchIndex(directory, keys), references)
        self.gallery.restore()
        self.identification = Identification(database, self.store, self.gallery, references)
        self.identification.start()
        policy = Policy(Calibration.load(PACKAGED), Thresholds(2.0, 5.0), 1e-3, 1e-2)
        gate = Gate(licence, database, clock)
        self.licensed = LicensedDeduplication(self.identification, self.store, policy, gate)

    def delete(self, subject_id: str) -> None:
        with self.database.transaction() as conn:
            self.store.lock(conn)
            self.store.delete(conn, subject_id)
        self.identification.follow()


Replicas = Callable[[Licence], tuple[Replica, Replica]]


@pytest.fixture
def replicas(database_url: str, tmp_path: Path, clock: FixedClock) -> Iterator[Replicas]:
    """Two replicas on one database."""
    with ExitStack() as stack:
        database = Database(database_url)
        stack.callback(database.dispose)

        def start(licence: Licence) -> tuple[Replica, Replica]:
            first, second = (Replica(database, tmp_path / name, licence, clock) for name in ("a", "b"))
            stack.callback(first.gallery.close)
            stack.callback(second.gallery.close)
            return first, second

        yield start


def decide(replica: Replica, subject_id: str, fingers: list[Finger], before: SearchResult) -> Decision:
    """Decide as the service does, with the audit entry that counts the search."""
    with replica.database.transaction() as conn:
        replica.store.lock(conn)
        verdict = replica.licensed.decide(conn, subject_id, fingers, before, replica.clock.now())
        audit.append(
            conn,
            actor="service/enroll",
            action="Deduplicate",
            resource=f"subjects/{subject_id}",
            reason="",
            digest=bytes(32),
            at=replica.clock.now(),
        )
    return verdict.decision


def deduplicate(replica: Replica, subject_id: str, fingers: list[Finger]) -> Decision:
    return decide(replica, subject_id, fingers, replica.licensed.search(fingers))


@pytest.mark.parametrize(
    ("ceilings", "reason"),
    [
        ({"max_people": 2}, "PEOPLE_CEILING_REACHED"),
        ({"max_searches_per_day": 2}, "SEARCH_CEILING_REACHED"),
    ],
)
def test_those_who_searched_together_at_two_replicas_do_not_overfill_the_licence(
    replicas: Replicas, templates: list[list[Template]], ceilings: dict[str, Any], reason: str
) -> None:
    both = replicas(Licence(OPEN._replace(**ceilings)))
    fingers = [[Finger(2, person[0])] for person in templates[:4]]
    found = [both[k % 2].licensed.search(one) for k, one in enumerate(fingers)]
    decided, refusals = [], []
    for k, (one, before) in enumerate(zip(fingers, found, strict=True)):
        try:
            decided.append(decide(both[k % 2], f"s{k}", one, before))
        except ResourceExhausted as error:
            refusals.append(error.reason)
    assert decided == [Decision.UNIQUE, Decision.UNIQUE]
    assert refusals == [reason, reason]
    with both[0].database.read() as conn:
        assert both[0].store.count(conn) == 2


def test_room_that_one_replica_made_is_seen_by_the_other(
    replicas: Replicas, templates: list[list[Template]]
) -> None:
    first, second = replicas(Licence(OPEN._replace(max_people=1)))
    fingers = [[Finger(2, person[0])] for person in templates[:2]]
    assert deduplicate(second, "a", fingers[0]) is Decision.UNIQUE
    for replica in (first, second):
        with pytest.raises(ResourceExhausted):
            replica.licensed.search(fingers[1])
    first.delete("a")
    assert deduplicate(second, "b", fingers[1]) is Decision.UNIQUE
    # What the inventory is told is the same at both.
    assert first.identification.persons() == second.identification.persons() == 1


@pytest.fixture
def served(tmp_path: Path, tls_dir: Path, clock: FixedClock) -> Iterator[tuple[AbisServiceStub, Database]]:
    """An ABIS that asks a real inventory, and the inventory's database."""
    common = {"listen": "127.0.0.1:0", "health_listen": "", "metrics_listen": "", "tls_dir": tls_dir}
    with ExitStack() as stack:
        of_inventory = InventorySettings.model_validate({**common, "data_dir": tmp_path / "inventory"})
        inventory = build_inventory(of_inventory, clock).build().start()
        stack.callback(inventory.stop, grace=0)
        of_abis = Settings.model_validate(
            {
                **common,
                "data_dir": tmp_path / "abis",
                "inventory_endpoint": f"127.0.0.1:{inventory.port}",
                "search_threads": 1,
                "log_level": "error",
            }
        )
        abis = build(of_abis, clock).build().start()
        stack.callback(abis.stop, grace=0)
        connection = stack.enter_context(channel(f"127.0.0.1:{abis.port}", tls_dir, "operator-cli"))
        books = Database(of_inventory.database_url)
        stack.callback(books.dispose)
        yield AbisServiceStub(connection), books


def test_nothing_is_searched_or_inserted_in_any_way_without_a_licence(
    served: tuple[AbisServiceStub, Database], images: list[list[bytes]], clock: FixedClock
) -> None:
    """Not only deduplication: a search for its own sake, and an insertion without a search."""
    abis, books = served
    person = [sample(images[0][0])]

    def enrolling(subject_id: str) -> pb.EnrolSubjectRequest:
        return pb.EnrolSubjectRequest(request_id=new_id(), subject_id=subject_id, fingers=person)

    identifying = pb.IdentifyRequest(fingers=person)
    assert refused(abis.Identify, identifying).reason == "ABIS_NOT_ENTITLED"
    assert refused(abis.EnrolSubject, enrolling("a")).reason == "ABIS_NOT_ENTITLED"

    with books.transaction() as connection:
        in_force: list[tuple[ContractKind, dict[str, Any]]] = [
            (ContractKind.MAINTENANCE, {}),
            (ContractKind.ABIS_LICENCE, {"max_people": 1, "max_searches_per_day": 2}),
        ]
        for kind, ceilings in in_force:
            contract = Contract(
                kind, "PT Biometrik", 0, clock.now(), kind=kind, item=None, valid_until=END, **ceilings
            )
            assert ContractStore(connection).add(contract)
    clock.advance(FRESH)
    abis.EnrolSubject(enrolling("a"))
    assert refused(abis.EnrolSubject, enrolling("b")).reason == "PEOPLE_CEILING_REACHED"
    for _ in range(2):
        assert abis.Identify(identifying).candidates[0].subject_id == "a"
    assert refused(abis.Identify, identifying).reason == "SEARCH_CEILING_REACHED"
    clock.advance(timedelta(days=1))
    assert abis.Identify(identifying).gallery_size == 1


def test_a_licence_that_has_run_out_while_nobody_answers_is_not_called_valid(
    database_url: str, clock: FixedClock
) -> None:
    database = Database(database_url)
    today = clock.now().date()
    gate = Gate(Licence(OPEN._replace(until=today - timedelta(days=1), reason="Licensed.")), database, clock)
    with pytest.raises(ResourceExhausted) as error:
        gate.require(0)
    assert error.value.message == f"Licence or maintenance ended on {today - timedelta(days=1)}."
    database.dispose()
