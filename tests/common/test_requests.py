"""The request-id store: whatever arrives twice is done once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.wrappers_pb2 import StringValue

from services.common import audit, errors, requests
from services.common.clock import FixedClock
from services.common.db import Database
from tests.common.echo_service import Request, request

ROOT = Path(__file__).parents[2]


class Ledger:
    """Posts an entry once per request."""

    def __init__(self, database: Database, clock: FixedClock) -> None:
        self.database, self.clock, self.posted = database, clock, 0
        self.before_the_answer: Any = lambda: None

    def post(self, message: Any, method: str = "Post", digest: bytes | None = None) -> str:
        def work() -> StringValue:
            self.posted += 1
            connection.execute(sa.text("INSERT INTO entry (id, amount) VALUES (:id, 1)"), {"id": self.posted})
            self.before_the_answer()
            return StringValue(value=f"entry {self.posted}")

        with self.database.transaction() as connection:
            answer = requests.once(
                connection, method, message, StringValue, work, digest=digest, clock=self.clock
            )
        return answer.value

    def entries(self) -> int:
        with self.database.read() as connection:
            return int(connection.scalar(sa.text("SELECT count(*) FROM entry")) or 0)


@pytest.fixture
def ledger(database: Database, clock: FixedClock) -> Ledger:
    """A ledger on an empty database."""
    return Ledger(database, clock)


def test_a_second_submission_of_the_same_request_returns_the_first_answer(ledger: Ledger) -> None:
    assert ledger.post(request(text="five")) == "entry 1"
    assert ledger.post(request(text="five")) == "entry 1"
    assert ledger.entries() == 1


def test_another_body_under_the_same_id_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    ledger.post(request(text="five"))
    with pytest.raises(errors.AlreadyExists) as raised:
        ledger.post(request(text="six"))
    assert (raised.value.reason, raised.value.field) == ("REQUEST_ID_REUSED", "request_id")
    assert ledger.entries() == 1


def test_the_same_body_to_another_method_is_refused(ledger: Ledger) -> None:
    ledger.post(request(text="five"))
    with pytest.raises(errors.AlreadyExists) as raised:
        ledger.post(request(text="five"), method="Reverse")
    assert raised.value.metadata == {"first_method": "Post"}


def test_a_given_digest_stands_for_the_body_of_a_stream(ledger: Ledger) -> None:
    assert ledger.post(request(), digest=b"1" * 32) == "entry 1"
    assert ledger.post(request(text="header differs"), digest=b"1" * 32) == "entry 1"
    with pytest.raises(errors.AlreadyExists):
        ledger.post(request(), digest=b"2" * 32)


def test_a_request_without_an_id_is_refused(ledger: Ledger) -> None:
    with pytest.raises(errors.InvalidArgument) as raised:
        ledger.post(Request(text="five"))
    assert raised.value.field == "request_id"


def test_a_request_that_failed_may_try_again_under_its_id(ledger: Ledger) -> None:
    def fail() -> None:
        raise errors.FailedPrecondition("NOT_YET", "Not yet.")

    ledger.before_the_answer = fail
    with pytest.raises(errors.FailedPrecondition):
        ledger.post(request(text="five"))
    assert ledger.entries() == 0
    ledger.before_the_answer = lambda: None
    assert ledger.post(request(text="five")) == "entry 2"
    assert ledger.entries() == 1


def test_of_two_submissions_at_the_same_moment_the_second_waits_for_the_first_ones_answer(
    ledger: Ledger,
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def linger() -> None:
        inside.set()
        assert leave.wait(10)

    ledger.before_the_answer = linger
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ledger.post, request(text="five"))
        assert inside.wait(10)
        second = pool.submit(ledger.post, request(text="five"))
        # The second is given every chance to overtake; it must not have an answer before the first one has.
        threading.Timer(0.3, leave.set).start()
        assert second.result(20) == first.result(20) == "entry 1"
    assert ledger.posted == 1
    assert ledger.entries() == 1


def test_if_the_first_of_two_fails_the_second_does_the_work(ledger: Ledger) -> None:
    inside, leave = threading.Event(), threading.Event()

    def fail_once() -> None:
        if not inside.is_set():
            inside.set()
            assert leave.wait(10)
            raise errors.Unavailable("ABIS_DOWN", "The ABIS is down.")

    ledger.before_the_answer = fail_once
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ledger.post, request(text="five"))
        assert inside.wait(10)
        second = pool.submit(ledger.post, request(text="five"))
        threading.Timer(0.2, leave.set).start()
        with pytest.raises(errors.Unavailable):
            first.result(20)
        assert second.result(20) == "entry 2"
    assert ledger.entries() == 1


def test_looking_finds_the_first_answer_without_claiming_the_id(ledger: Ledger) -> None:
    def look(message: Any, method: str = "Post") -> StringValue | None:
        with ledger.database.read() as connection:
            return requests.stored(connection, method, message, StringValue)

    assert look(request(text="five")) is None
    assert ledger.post(request(text="five")) == "entry 1"
    found = look(request(text="five"))
    assert found is not None
    assert found.value == "entry 1"
    with pytest.raises(errors.AlreadyExists):
        look(request(text="six"))


def test_a_process_killed_before_its_commit_leaves_nothing_and_the_retry_succeeds(
    ledger: Ledger, database_url: str
) -> None:
    script = Path(__file__).with_name("ledger_process.py")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
    victim = subprocess.Popen(
        [sys.executable, str(script), "hang", database_url],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    with victim.stdout as output:
        assert output.readline() == "written\n"
        victim.kill()
        victim.wait(10)
    assert ledger.post(request(text="5")) == "entry 1"
    assert ledger.entries() == 1
    with ledger.database.read() as connection:
        assert audit.verify(connection) is None
