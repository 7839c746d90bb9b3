"""Cards that are not to be written: each is told apart, left as it was, and costs no blank and no record."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.cardperso.attempts import Attempts
from services.cardperso.issuer import TRANSPORT_MASTER
from services.cardperso.job import State
from services.cardperso.keys import KeyRef, Scheme, card_keys
from services.cardperso.keys.errors import KeystoreUnavailable
from services.cardperso.keys.keystore import KeyKind
from services.common.clock import FixedClock
from services.common.errors import ConfigurationError
from sim.card import VirtualReader
from sim.card.globalplatform import FACTORY_KEYS, CardSettings, ChannelFaults, KeyRecord
from sim.card.globalplatform.persistent import CARD_LOCKED, SELECTABLE, TERMINATED, Instance
from tests.cardperso.card_bench import Bench
from tests.cardperso.card_makers import eventually, make_issuer, present
from tests.cardperso.conftest import MakeBlank


def registry(card: Any) -> Any:
    """What the card remembers, but for the number of sessions."""
    return replace(card.card.persistent.registry, sequence=0)


def test_a_card_with_other_keys_is_left_alone_before_it_locks_itself(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader
) -> None:
    stranger = make_blank(settings=CardSettings(keys=replace(FACTORY_KEYS, mac=bytes(16)), tries=3))
    for number in range(4):
        stranger.insert()
        reason = "AUTHENTICATION_SUSPENDED" if number == 3 else "WRONG_KEYS"
        job = bench.run(give_up_at=reason)
        stranger.remove()
        eventually(lambda: not present(reader.name))
        assert (job.state, job.reason.split(":")[0]) == (State.FAILED, reason)
    system: Any = stranger.card
    assert system.persistent.registry.tries == 3
    assert len(bench.world.free) == 10
    bench.check_books()
    attempts = Attempts(bench.database, bench.clock)
    assert dict(attempts) == {stranger.uid: 3}
    del attempts[stranger.uid]
    stranger.insert()
    assert bench.run(give_up_at="WRONG_KEYS").reason.startswith("WRONG_KEYS")


def test_a_card_that_refuses_us_is_counted_and_its_tries_are_not_used_up(
    bench: Bench, make_blank: MakeBlank
) -> None:
    card = make_blank(settings=CardSettings(tries=5), channel_faults=ChannelFaults(refuse_host=True)).insert()
    job = bench.run(give_up_at="AUTHENTICATION_REFUSED")
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "AUTHENTICATION_REFUSED")
    # It lay there for long, and was asked once only.
    system: Any = card.card
    assert system.persistent.registry.tries == 4
    bench.check_books()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"card_load_file": "F000000000"}, "WRONG_CARD_TYPE"),
        ({"card_isd": "A000000003000000"}, "WRONG_CARD_TYPE"),
    ],
    ids=["another module", "another domain"],
)
def test_a_card_of_another_type_is_refused_as_it_was(
    bench: Bench, make_blank: MakeBlank, changes: dict[str, str], reason: str
) -> None:
    card = make_blank().insert()
    before = registry(card)
    named = {"card_load_file": "load_file", "card_isd": "isd"}
    given: dict[str, Any] = {named[name]: bytes.fromhex(value) for name, value in changes.items()}
    bench.issuer.card_type = replace(bench.issuer.card_type, **given)
    job = bench.run(give_up_at=reason)
    assert (job.state, job.reason.split(":")[0], job.chip_uid) == (State.FAILED, reason, "")
    assert registry(card) == before
    bench.check_books()


@pytest.mark.parametrize("kind", ["CHIP_FOREIGN", "CHIP_ALREADY_USED"])
def test_a_chip_that_the_inventory_does_not_want_is_refused_before_it_is_spoken_to(
    bench: Bench, make_blank: MakeBlank, kind: str
) -> None:
    card = make_blank().insert()
    system: Any = card.card
    before = system.persistent.registry
    if kind == "CHIP_FOREIGN":
        bench.world.foreign.add(card.uid)
    else:
        bench.world.consumed[77] = card.uid
    job = bench.run(give_up_at=kind)
    assert (job.state, job.reason.split(":")[0], job.chip_uid) == (State.FAILED, kind, "")
    assert system.persistent.registry == before
    assert len(bench.world.free) == 10


def test_a_card_with_older_options_is_refused_as_it_was(bench: Bench, make_blank: MakeBlank) -> None:
    card = make_blank(settings=CardSettings(i=0x10)).insert()
    before = registry(card)
    job = bench.run(give_up_at="PROTOCOL_MISMATCH")
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "PROTOCOL_MISMATCH")
    assert registry(card) == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": CARD_LOCKED}, "CARD_LOCKED"),
        ({"state": TERMINATED}, "WRONG_CARD_TYPE"),
        ({"tries": 0}, "KEYS_LOCKED"),
        ({"instances": (Instance(b"\xf0OTHERS", SELECTABLE, 0),)}, "CARD_NOT_BLANK"),
        ({"keys": (replace(FACTORY_KEYS, version=0x55),)}, "KEY_NOT_FOUND"),
    ],
    ids=["locked", "terminated", "keys locked", "other data", "unknown key version"],
)
def test_a_card_that_is_used_up_or_in_use_is_told_apart_and_left_as_it_was(
    bench: Bench, make_blank: MakeBlank, change: dict[str, Any], reason: str
) -> None:
    card = make_blank()
    system: Any = card.card
    system.persistent.commit(replace(system.persistent.registry, **change))
    before = registry(card)
    card.insert()
    job = bench.run(give_up_at=reason)
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, reason)
    assert registry(card) == before
    assert len(bench.world.free) == 10
    bench.check_books()


def test_a_card_of_older_stock_is_refused_where_the_station_is_set_for_newer_ones(
    bench: Bench, make_blank: MakeBlank
) -> None:
    keys = KeyRecord(0xFF, "DES", FACTORY_KEYS.enc, FACTORY_KEYS.mac, FACTORY_KEYS.dek)
    card = make_blank(settings=CardSettings(2, 0x55, keys)).insert()
    before = registry(card)
    job = bench.run(give_up_at="PROTOCOL_MISMATCH")
    assert (job.state, job.reason.split(":")[0]) == (State.FAILED, "PROTOCOL_MISMATCH")
    assert "SCP02" in job.reason
    assert registry(card) == before


def test_after_a_refused_card_the_right_one_is_made(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader
) -> None:
    stranger = make_blank("stranger", settings=CardSettings(keys=replace(FACTORY_KEYS, mac=bytes(16))))
    stranger.insert()
    job = bench.new_job()

    def swap() -> None:
        eventually(lambda: bench.jobs.reload(job).reason.startswith("WRONG_KEYS"))
        stranger.remove()
        eventually(lambda: not present(reader.name))
        make_blank("ours").insert()

    hand = threading.Thread(target=swap)
    hand.start()
    ended = bench.run(job)
    hand.join()
    assert ended.state is State.PRINTED
    bench.check_books()


def test_blanks_prove_keys_that_follow_from_the_transport_master_for_their_chip(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader
) -> None:
    store = bench.issuer.store
    store.import_key(KeyRef(TRANSPORT_MASTER, 0x51), KeyKind.AES_MASTER, bytes(range(32)))
    named = bytes.fromhex("000000FEDCBA98765432")
    keys = card_keys(store, KeyRef(TRANSPORT_MASTER, 0x51), Scheme.KDF3, named)
    record = KeyRecord(0x51, "AES", keys.enc.value, keys.mac.value, keys.dek.value)
    clone = CardSettings(keys=record, diversification_data=bytes(10))
    foreign = make_blank("clone", settings=clone).insert()
    assert bench.run(give_up_at="WRONG_KEYS").reason.startswith("WRONG_KEYS")
    foreign.remove()
    eventually(lambda: not present(reader.name))
    make_blank("ours", settings=CardSettings(keys=record, diversification_data=named)).insert()
    assert bench.run().state is State.PRINTED


def test_a_keystore_that_is_away_makes_jobs_wait_with_nothing_taken(
    bench: Bench, make_blank: MakeBlank, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_blank().insert()
    job = bench.new_job()
    store = bench.issuer.store
    away = True
    sign = store.sign

    def sign_or_not(ref: KeyRef, message: bytes) -> bytes:
        if away:
            raise KeystoreUnavailable("The token tunggal fails with DeviceRemoved.")
        return sign(ref, message)

    monkeypatch.setattr(store, "sign", sign_or_not)

    def come_back() -> None:
        nonlocal away
        eventually(lambda: bench.jobs.reload(job).reason.startswith("KEYSTORE_UNAVAILABLE"))
        assert len(bench.world.free) == 10
        away = False

    hand = threading.Thread(target=come_back)
    hand.start()
    ended = bench.run(job)
    hand.join()
    assert (ended.state, ended.chip_uid) == (State.PRINTED, card.uid)
    bench.check_books()


def test_production_does_not_start_without_transport_keys(tmp_path: Path, clock: FixedClock) -> None:
    make_issuer(tmp_path, clock)
    with pytest.raises(ConfigurationError, match="transport-master"):
        make_issuer(tmp_path, clock, development=False)


def test_masters_that_share_a_version_are_refused(tmp_path: Path, clock: FixedClock) -> None:
    issuer = make_issuer(tmp_path, clock)
    issuer.store.generate(KeyRef(TRANSPORT_MASTER, 1), KeyKind.AES_MASTER)
    with pytest.raises(ConfigurationError, match="cannot be told apart"):
        issuer.prepare()
