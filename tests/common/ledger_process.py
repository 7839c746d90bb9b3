"""A process that works on the ledger's database; run as ``python ledger_process.py DEED URL``."""

from __future__ import annotations

import sys
import threading

import sqlalchemy as sa
from google.protobuf.wrappers_pb2 import StringValue

from services.common import audit, requests
from services.common.clock import SystemClock
from services.common.db import Database

LEDGER = "tests.common.ledger"


def migrate(database: Database) -> None:
    """Migrate, as a replica does at its start."""
    database.migrate(LEDGER)


def hang(database: Database) -> None:
    """Do everything of a request but its commit, say so, and wait to be killed."""
    from tests.common.echo_service import request

    def work() -> StringValue:
        connection.execute(sa.text("INSERT INTO entry (id, amount) VALUES (1, 5)"))
        audit.append(
            connection, actor="a", action="b", resource="c", reason="d", digest=b"e", at=SystemClock().now()
        )
        print("written", flush=True)
        threading.Event().wait()
        return StringValue()

    with database.transaction() as connection:
        requests.once(connection, "Post", request(text="5"), StringValue, work, clock=SystemClock())


if __name__ == "__main__":
    {"migrate": migrate, "hang": hang}[sys.argv[1]](Database(sys.argv[2]))
