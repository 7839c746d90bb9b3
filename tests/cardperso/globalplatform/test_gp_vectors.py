"""The recorded and published sessions of other programs, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from services.cardperso.globalplatform import scp03
from services.cardperso.globalplatform.channel import open_channel
from services.cardperso.globalplatform.commands import put_key
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.scp02 import Scp02
from services.cardperso.globalplatform.scp03 import Scp03
from services.cardperso.globalplatform.transport import parse
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey, check_value
from services.cardperso.pcsc.apdu import ResponseApdu

Session = dict[str, Any]
T = TypeVar("T")


def always(value: T) -> Callable[[object], T]:
    return lambda _: value


class Replay:
    """A card that answers as the recording does, and accepts nothing but what the recording sends."""

    def __init__(self, exchanges: list[tuple[str, str | None]]) -> None:
        self._exchanges = exchanges

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        command, response = self._exchanges.pop(0)
        assert apdu.hex().upper() == command
        raw = bytes.fromhex(response or "9000")
        return raw[:-2], int.from_bytes(raw[-2:], "big")

    def finish(self) -> None:
        assert not self._exchanges


def sessions(shared_dir: Path, name: str) -> list[Session]:
    path = shared_dir / "vectors" / name
    if not path.is_file():
        pytest.skip(f"no test vectors {name} in the shared data")
    content = json.loads(path.read_text())
    return [*content["recorded"], *content["published"]]


def static_keys(session: Session, algorithm: Algorithm) -> KeySet[SoftwareKey]:
    enc, mac, dek = (
        SoftwareKey(algorithm, bytes.fromhex(session["static_keys"][name])) for name in ("enc", "mac", "dek")
    )
    return KeySet(int(session["key_version_reported_by_card"], 16), enc, mac, dek)


def start(session: Session, algorithm: Algorithm) -> Scp02 | Scp03:
    keys = static_keys(session, algorithm)
    host, card = bytes.fromhex(session["host_challenge"]), bytes.fromhex(session["card_challenge"])
    if algorithm == "TDES":
        return Scp02(keys, host, bytes.fromhex(session["sequence_counter"]), card)
    return Scp03(keys, host, card)


def opened(session: Session, messaging: Scp02 | Scp03) -> Scp02 | Scp03:
    """After EXTERNAL AUTHENTICATE, unprotected responses where the recorded card does not protect them."""
    command = messaging.begin(SecurityLevel(int(session["security_level"], 16)))
    assert command.encode().hex().upper() == session["external_authenticate"]["command"]
    return messaging


@pytest.mark.parametrize(("file", "algorithm"), [("scp02.json", "TDES"), ("scp03.json", "AES")])
def test_every_session_derives_the_keys_and_cryptograms_of_its_source(
    shared_dir: Path, file: str, algorithm: Algorithm
) -> None:
    for session in sessions(shared_dir, file):
        messaging = start(session, algorithm)
        for name, value in session["session_keys"].items():
            key: SoftwareKey = getattr(messaging, name)
            assert key.value.hex().upper() == value, (session["id"], name)
        assert messaging.card_cryptogram.hex().upper() == session["card_cryptogram"]
        assert messaging.host_cryptogram.hex().upper() == session["host_cryptogram"]


@pytest.mark.parametrize(("file", "algorithm"), [("scp02.json", "TDES"), ("scp03.json", "AES")])
def test_every_command_is_wrapped_as_its_source_wrapped_it(
    shared_dir: Path, file: str, algorithm: Algorithm
) -> None:
    for session in sessions(shared_dir, file):
        messaging = opened(session, start(session, algorithm))
        protected = session["response_protection"] != "none"
        for command in session["commands"]:
            wrapped = messaging.wrap(parse(bytes.fromhex(command["plain"])))
            assert wrapped.encode().hex().upper() == command["wrapped"], (session["id"], command["name"])
            if command["response"] and protected:
                raw = bytes.fromhex(command["response"])
                sw = int.from_bytes(raw[-2:], "big")
                plain = messaging.unwrap(ResponseApdu(raw[:-2], sw))
                assert (plain + raw[-2:]).hex().upper() == command["plain_response"], command["name"]


@pytest.mark.parametrize(("file", "algorithm"), [("scp02.json", "TDES"), ("scp03.json", "AES")])
def test_a_session_opens_with_the_very_bytes_of_its_source(
    shared_dir: Path, file: str, algorithm: Algorithm
) -> None:
    for session in sessions(shared_dir, file):
        card = Replay(
            [
                (session[name]["command"], session[name]["response"])
                for name in ("initialize_update", "external_authenticate")
            ]
        )
        challenge = bytes.fromhex(session["host_challenge"])
        version = int(session["key_version_in_command"], 16)
        if session["key_version_reported_by_card"] == "70":
            # The card of this one source answers with another version than it was asked for.
            continue
        channel = open_channel(
            card,
            always(static_keys(session, algorithm)),
            chip="recorded",
            guard=AttemptGuard(),
            level=SecurityLevel(int(session["security_level"], 16)),
            size=len(challenge),
            key_version=version,
            aid=bytes.fromhex(session.get("select_aid", "")),
            random=always(challenge),
        )
        card.finish()
        assert channel.card.diversification_data.hex().upper() == session["key_diversification_data"]


@pytest.mark.parametrize(("file", "algorithm"), [("scp02.json", "TDES"), ("scp03.json", "AES")])
def test_put_key_is_built_as_its_source_built_it(shared_dir: Path, file: str, algorithm: Algorithm) -> None:
    seen = 0
    for session in sessions(shared_dir, file):
        for command in session["commands"]:
            if "new_keys_plain" in command:
                values = [SoftwareKey(algorithm, bytes.fromhex(key)) for key in command["new_keys_plain"]]
                raw = parse(bytes.fromhex(command["plain"]))
                built = put_key(start(session, algorithm), KeySet(raw.data[0], *values), raw.p1)
                assert (built.p1, built.p2, built.data) == (raw.p1, raw.p2, raw.data)
                assert [check_value(key).hex().upper() for key in values] == command["new_key_check_values"]
                seen += 1
            if "sensitive_data_plain" in command:
                plain = bytes.fromhex(command["sensitive_data_plain"])
                encrypted = start(session, algorithm).encrypt_sensitive(plain)
                assert encrypted.hex().upper() == command["sensitive_data_encrypted"]
                seen += 1
    assert seen


def test_key_check_values_are_those_of_their_source(shared_dir: Path) -> None:
    sessions(shared_dir, "scp03.json")
    for entry in json.loads((shared_dir / "vectors" / "scp03.json").read_text())["key_check_values"]:
        assert check_value(SoftwareKey("AES", bytes.fromhex(entry["key"]))).hex().upper() == entry["kcv"]


def test_recorded_card_challenges_can_be_foretold(shared_dir: Path) -> None:
    for session in sessions(shared_dir, "scp03.json"):
        if "select_aid" in session:
            challenge = scp03.card_challenge(
                static_keys(session, "AES").enc,
                bytes.fromhex(session["sequence_counter"]),
                bytes.fromhex(session["select_aid"]),
                session["mac_bytes"],
            )
            assert challenge.hex().upper() == session["card_challenge"]
