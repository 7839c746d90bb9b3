"""The virtual card goes on answering as it did when the hosts of others were content with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.card.answer import Traits
from sim.card.globalplatform import FACTORY_KEYS, IMAGE_CAPACITY, CardSettings, GlobalPlatformCard, KeyRecord
from sim.card.memory import CardMemory

SESSIONS = json.loads(Path(__file__).with_name("peer_sessions.json").read_text())["sessions"]


@pytest.mark.parametrize(
    "session", SESSIONS, ids=[f"{one['peer']} SCP0{one['scp']} {at}" for at, one in enumerate(SESSIONS)]
)
def test_a_recorded_host_gets_the_same_answers(tmp_path: Path, session: dict[str, Any]) -> None:
    key = (FACTORY_KEYS.enc * 2)[: session["key_bytes"]]
    settings = CardSettings(
        protocol=session["scp"],
        i=int(session["i"], 16),
        keys=KeyRecord(0xFF, "AES" if session["scp"] == 3 else "DES", key, key, key),
    )
    memory = CardMemory(tmp_path / "card", uid=bytes.fromhex("04A1B2C3D4E5F6"), capacity=IMAGE_CAPACITY)
    card = GlobalPlatformCard(memory, Traits(buffer=261), settings)
    for line in session["exchanges"]:
        if line == "reset":
            card.reset()
            continue
        command, answer = line.split()
        assert card.exchange(bytes.fromhex(command)).hex().upper() == answer, command
