"""What goes wrong in years of service: damaged rows, submissions out of turn, an inventory that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.calibration import PACKAGED, Calibration
from services.abis.entitlement import AGAIN, FRESH, Entitlement, Gate, LicensedDeduplication
from services.abis.finger import Finger
from services.abis.fingerprint.template import Template
from services.abis.fusion import Decision, Thresholds
from services.abis.gallery import Gallery
from services.abis.gauges import GalleryGauges
from services.abis.identify import Identification
from services.abis.references import References
from services.abis.search.index import SearchIndex
from services.abis.store import Store
from services.abis.thresholds import Policy
from services.common import paging
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.errors import (
    AlreadyExists,
    DataLoss,
    InvalidArgument,
    ResourceExhausted,
    TunggalError,
    Unavailable,
)
from tests.abis.abis_office import Office, new_id, refused, sample

OPEN = Entitlement(True, 0, 0, None, "Licensed.")


def damage(office: Office, subject_id: str) -> None:
    """Turn a byte of the first stored finger of a subject."""
    database = Database(office.settings.database_url)
    with database.transaction() as conn:
        row = {"s": subject_id}
        query = "SELECT template FROM finger_reference WHERE subject_id = :s AND ordinal = 0"
        blob = bytearray(conn.execute(sa.text(query), row).scalar_one())
        blob[-1] ^= 1
        change = "UPDATE finger_reference SET template = :t WHERE subject_id = :s AND ordinal = 0"
        conn.execute(sa.text(change), {**row, "t": bytes(blob)})
    database.dispose()


def test_one_damaged_row_does_not_stop_the_searches_for_everybody_else(
    start: Callable[[], Office], images: list[list[bytes]]
) -> None:
    before = start()
    for k in range(3):
        before.enrol(f"s{k}", [sample(images[k][0])])
    before.stop()
    damage(before, "s1")
    for path in (before.settings.data_dir / "search").iterdir():
        path.unlink()
    after = start()
    assert after.subjects() == 3
    found = after.stub.Identify(pb.IdentifyRequest(fingers=[sample(images[2][1])]))
    assert found.candidates[0].subject_id == "s2"
    error = refused(after.stub.Verify, pb.VerifyRequest(subject_id="s1", fingers=[sample(images[1][1])]))
    assert (type(error), error.reason, error.field) == (DataLoss, "REFERENCE_DAMAGED", "subject_id")
    assert "s1" in error.message
    assert error.remedy
    # What the remedy says works.
    after.stub.DeleteSubject(pb.DeleteSubjectRequest(request_id=new_id(), subject_id="s1", reason="damaged"))
    assert after.deduplicate("s1", sample(images[1][0])).decision == pb.DECISION_UNIQUE
    assert after.deduplicate("s9", sample(images[1][1])).candidates[0].subject_id == "s1"


def test_a_row_that_is_damaged_later_does_not_stop_searches_either(
    start: Callable[[], Office], images: list[list[bytes]]
) -> None:
    before = start()
    for k in range(3):
        before.enrol(f"s{k}", [sample(images[k][0])])
    before.stop()
    damage(before, "s1")
    # Its codes are still in the index on disk, so that it is found, and then cannot be compared.
    after = start()
    answer = after.stub.Identify(pb.IdentifyRequest(fingers=[sample(images[1][1])]))
    assert "s1" not in {candidate.subject_id for candidate in answer.candidates}


def test_damaged_rows_are_counted_for_the_operator(
    start: Callable[[], Office], images: list[list[bytes]], tmp_path: Path
) -> None:
    office = start()
    office.enrol("a", [sample(images[0][0])])
    office.stop()
    damage(office, "a")
    database = Database(office.settings.database_url)
    keys = KeyRing.load(office.settings.key_file)
    store = Store(keys)
    gallery = Gallery(SearchIndex(tmp_path / "index", keys), References(database, store))
    registry = CollectorRegistry()
    registry.register(GalleryGauges(gallery, store))
    with database.read() as conn:
        gallery.apply(store.changes(conn, 0))
        gallery.apply(store.changes(conn, 0))
    seen = [registry.get_sample_value(f"tunggal_abis_{name}") for name in ("subjects", "references_damaged")]
    assert seen == [1.0, 1.0]
    with database.transaction() as conn:
        store.delete(conn, "a")
    assert registry.get_sample_value("tunggal_abis_references_damaged") == 0.0
    gallery.close()
    database.dispose()


def test_without_its_key_nothing_is_taken_for_damaged(
    start: Callable[[], Office], images: list[list[bytes]]
) -> None:
    office = start()
    office.enrol("a", [sample(images[0][0])])
    office.stop()
    office.settings.key_file.unlink()
    with pytest.raises(TunggalError) as error:
        start()
    assert error.value.reason == "KEY_MISSING"


def test_a_subject_that_comes_again_is_no_duplicate_of_itself(
    office: Office, images: list[list[bytes]]
) -> None:
    office.deduplicate("a", sample(images[0][0]))
    for touch in (0, 1):
        request = pb.DeduplicateRequest(
            request_id=new_id(), subject_id="a", fingers=[sample(images[0][touch])]
        )
        error = refused(office.stub.Deduplicate, request)
        assert (type(error), error.reason, error.field) == (AlreadyExists, "SUBJECT_EXISTS", "subject_id")
    assert office.subjects() == 1


@pytest.mark.parametrize("after", [-1, 1 << 63, 10**30, 1.5, "x", None, [1]])
def test_a_forged_page_token_is_refused(office: Office, after: object) -> None:
    token = paging.encode_token({"after": after})
    error = refused(office.stub.ListSubjects, pb.ListSubjectsRequest(page_token=token))
    assert (type(error), error.reason, error.field) == (InvalidArgument, "PAGE_TOKEN_BROKEN", "page_token")


class Hanging:
    """An inventory that answers once, and then only when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.reached = threading.Event()
        self.answer = threading.Event()

    def entitlement(self) -> Entitlement:
        self.asked += 1
        if self.asked > 1:
            self.reached.set()
            assert self.answer.wait(60)
            raise Unavailable("UNREACHABLE", "no inventory there", remedy="start it")
        return OPEN


@pytest.fixture
def hanging() -> Hanging:
    return Hanging()


def test_an_inventory_that_hangs_makes_one_caller_wait_and_not_all(
    hanging: Hanging, database_url: str, clock: FixedClock
) -> None:
    database = Database(database_url)
    gate = Gate(hanging, database, clock)
    gate.require(0)
    clock.advance(FRESH)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(gate.require, 0)
        assert hanging.reached.wait(60)
        for _ in range(5):
            gate.require(0)
        assert not waits.done()
        hanging.answer.set()
        waits.result(60)
    # It is left alone for a while, and then asked again.
    gate.require(0)
    assert hanging.asked == 2
    clock.advance(AGAIN + timedelta(seconds=1))
    gate.require(0)
    assert hanging.asked == 3
    database.dispose()


class Licensed:
    """An inventory whose licence is for so many people."""

    def __init__(self, people: int) -> None:
        self._people = people

    def entitlement(self) -> Entitlement:
        return OPEN._replace(max_people=self._people)


def test_those_who_passed_the_gate_together_do_not_overfill_the_licence(
    database_url: str, tmp_path: Path, templates: list[list[Template]], clock: FixedClock
) -> None:
    database = Database(database_url)
    keys = KeyRing("test", {"test": bytes(32)})
    store = Store(keys)
    references = References(database, store)
    gallery = Gallery(SearchIndex(tmp_path / "index", keys), references)
    gallery.restore()
    identification = Identification(database, store, gallery, references)
    identification.start()
    policy = Policy(Calibration.load(PACKAGED), Thresholds(2.0, 5.0), 1e-3, 1e-2)
    licensed = LicensedDeduplication(identification, store, policy, Gate(Licensed(2), database, clock))
    fingers = [[Finger(2, person[0])] for person in templates[:4]]
    # All search while there is room for each of them.
    found = [licensed.search(one) for one in fingers]
    decided, refusals = [], []
    for k, (one, before) in enumerate(zip(fingers, found, strict=True)):
        try:
            with database.transaction() as conn:
                store.lock(conn)
                decided.append(licensed.decide(conn, f"s{k}", one, before, clock.now()).decision)
        except ResourceExhausted as error:
            refusals.append(error.reason)
    assert decided == [Decision.UNIQUE, Decision.UNIQUE]
    assert refusals == ["PEOPLE_CEILING_REACHED", "PEOPLE_CEILING_REACHED"]
    gallery.close()
    database.dispose()
