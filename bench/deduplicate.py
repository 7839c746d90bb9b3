"""What an operator feels: how long the running ABIS takes to deduplicate, and to come back after a restart.

    python -m bench.deduplicate --persons 10000 --json FILE

A real server over mTLS on SQLite. The gallery is synthetic (`bench.population`) and put into its database as
sealed templates; those who are enrolled bring ten synthetic images each, so extraction is part of the time.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.abis.v1 import abis_pb2_grpc
from tunggal.common.v1 import biometric_pb2

from bench import population
from services.abis.app import build
from services.abis.search import codes
from services.abis.settings import Settings
from services.abis.store import Store
from services.common import client
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.server import RunningServer
from sim.fingerprints import Level, impression, master

FINGERS = 10
_SEED = 40_000
_TOGETHER = 500


def run(persons: int, submissions: int) -> dict[str, Any]:
    """Fill a gallery with so many people, restart, and submit new people with ten images each.

    Returns seconds to readiness without and with an index on disk, and percentiles of the waiting time of
    Deduplicate (first submission of a person, then a second one, a duplicate).
    """
    with tempfile.TemporaryDirectory(prefix="tunggal-deduplicate-") as scratch:
        settings = Settings(
            listen="127.0.0.1:0",
            health_listen="",
            metrics_listen="",
            data_dir=Path(scratch),
            database_url=f"sqlite:///{scratch}/abis.db",
            tls_dir=Path(scratch) / "tls",
            key_file=Path(scratch) / "keys.json",
            log_level="error",
        )
        _fill(settings, persons)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            server = build(settings).build().start()
            seconds.append(time.perf_counter() - start)
            server.stop(grace=5)
        server = build(settings).build().start()
        try:
            waits, found = _submit(server, settings, submissions)
        finally:
            server.stop(grace=5)
    return {
        "persons": persons,
        "fingers": FINGERS,
        "submissions": submissions,
        "ready_seconds_encoding": seconds[0],
        "ready_seconds_with_index": seconds[1],
        **{
            f"{kind}_p{q}_ms": float(1000 * np.percentile(w, q))
            for kind, w in waits.items()
            for q in (50, 99)
        },
        "duplicates_found": found,
    }


def _fill(settings: Settings, persons: int) -> None:
    people = population.build(persons, FINGERS, 1, codes.default(), None)
    database = Database(settings.database_url)
    database.migrate("services.abis")
    store = Store(KeyRing.load(settings.key_file))
    for start in range(0, persons, _TOGETHER):
        with database.transaction() as conn:
            store.lock(conn)
            for person in range(start, min(start + _TOGETHER, persons)):
                store.insert(conn, f"filler-{person}", people.fingers(person), datetime.now(UTC))
    database.dispose()


def _submit(
    server: RunningServer, settings: Settings, submissions: int
) -> tuple[dict[str, list[float]], int]:
    """Waiting times by kind of submission, and how many of the second ones were duplicates."""
    channel = client.channel(f"127.0.0.1:{server.port}", settings.tls_dir, "operator-cli")
    stub = abis_pb2_grpc.AbisServiceStub(channel)
    waits: dict[str, list[float]] = {"unique": [], "duplicate": [], "extraction": []}
    found = 0
    # The first one pays for what only happens once.
    for person in range(submissions + 1):
        for kind, touch in (("unique", 1), ("duplicate", 2)):
            request = pb.DeduplicateRequest(
                request_id=str(uuid4()), subject_id=f"{kind}-{person}", fingers=_images(person, touch)
            )
            start = time.perf_counter()
            answer = stub.Deduplicate(request, timeout=120)
            wait = time.perf_counter() - start
            found += person > 0 and kind == "duplicate" and answer.decision == pb.DECISION_DUPLICATE
            if person:
                waits[kind].append(wait)
        fresh = pb.ExtractTemplatesRequest(fingers=_images(person, 3))
        start = time.perf_counter()
        stub.ExtractTemplates(fresh, timeout=120)
        waits["extraction"].append(time.perf_counter() - start)
    channel.close()
    return waits, found


def _images(person: int, touch: int) -> list[pb.FingerSample]:
    """Ten images of a person's fingers, as PNG."""
    samples = []
    for position in range(1, FINGERS + 1):
        pixels = impression(master(_SEED + person, position, None), touch, Level.EASY)
        out = io.BytesIO()
        Image.fromarray(np.array(pixels)).save(out, "PNG")
        image = pb.FingerImage(content=out.getvalue(), dpi=500)
        place = biometric_pb2.FingerPosition.ValueType(position + 1)
        samples.append(pb.FingerSample(position=place, image=image))
    return samples


def main() -> None:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=10_000)
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    report = run(given.persons, given.submissions)
    text = json.dumps(report, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
