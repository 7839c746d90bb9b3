"""Issuing a card, torn at every command, before it arrives and after it was carried out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.cardperso.chip import profile
from services.cardperso.chip.access import reader_keys
from services.cardperso.chip.plan import ChipPlan, encode
from services.cardperso.globalplatform.channel import CardAnswer
from services.cardperso.globalplatform.errors import WrongCardType
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.issue import CardKeys, CardType, Found, groups, issue
from services.cardperso.globalplatform.key_source import fixed, from_master
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.transport import PcscTransport
from services.cardperso.holder import Holder
from services.cardperso.keys.diversify import Scheme
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore, card_keys, newest
from services.cardperso.keys.symmetric import SoftwareKey
from services.cardperso.pcsc import CardSession
from services.cardperso.verify import verify_card
from sim.card import Faults, VirtualReader
from sim.card.answer import Traits
from sim.card.globalplatform import FACTORY_KEYS, MODULE_AID, PACKAGE_AID, VirtualGlobalPlatformCard
from tests.cardperso.globalplatform.conftest import host_keys
from tests.cardperso.signing_office import Office, open_office

CARD_TYPE = CardType(PACKAGE_AID, MODULE_AID)


class TornError(Exception):
    """The card left the field."""


@dataclass
class Torn:
    """A line that breaks at its n-th command, before or after the card has carried it out."""

    bench: Any
    at: int
    after: bool
    sent: int = 0

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        self.sent += 1
        if self.sent == self.at:
            if self.after:
                self.bench.transmit(apdu)
            raise TornError
        answer: tuple[bytes, int] = self.bench.transmit(apdu)
        return answer


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Keystore:
    monkeypatch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)
    store = FileKeystore.create(tmp_path_factory.mktemp("keys") / "keys.json", "passphrase")
    store.generate(KeyRef("isd-master", 0x41), KeyKind.AES_MASTER, 16)
    return store


@pytest.fixture
def office(tmp_path: Path, store: Keystore) -> Office:
    """Who signs it; `store` is asked for because it makes passphrases cheap."""
    return open_office(tmp_path)


@pytest.fixture
def content(office: Office, holder: Holder) -> ChipPlan:
    """What goes on a chip."""
    made = encode(profile.find("ktp-el"), holder, office)
    return made.for_chip("04A1B2C3D4E5F6", reader_keys(office.store))


def keys_of(store: Keystore, transport: KeySet[Any]) -> CardKeys:
    def new(card: CardAnswer) -> KeySet[SoftwareKey]:
        ref = newest(store, "isd-master").ref
        return card_keys(store, ref, Scheme.KDF3, card.diversification_data)

    ours = from_master(store, "isd-master", Scheme.KDF3)
    return CardKeys(fixed(transport), frozenset({transport.version}), ours, new)


def run(line: Any, content: ChipPlan, keys: CardKeys, **changes: Any) -> None:
    given: dict[str, Any] = {
        "card_type": CARD_TYPE,
        "guard": AttemptGuard(),
        "chip": "chip",
        "limit": 2000,
        "examine": lambda found: None,
    } | changes
    issue(line, content, keys=keys, **given)


def held(bench: Any, content: ChipPlan) -> bool:
    """Whether the card is complete: our keys, all files, SECURED."""
    registry = bench.card.persistent.registry
    instance = registry.find(content.profile.aid)
    if instance is None or instance.state != 0x0F:
        return False
    found = {file.tag: bench.card.persistent.read(file) for file in instance.files}
    return (
        found == {group.tag: group.value for group in groups(content)}
        and registry.state == 0x0F
        and [key.version for key in registry.keys] == [0x41]
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_card_torn_at_any_command_is_never_half_written_and_can_be_finished(
    make_bench: Any, content: ChipPlan, store: Keystore, after: bool
) -> None:
    at = 0
    while True:
        at += 1
        bench = make_bench()
        keys = keys_of(store, bench.keys)
        line = Torn(bench, at, after)
        try:
            run(line, content, keys)
        except TornError:
            bench.card.reset()
        else:
            break
        instance = bench.card.persistent.registry.find(content.profile.aid)
        assert instance is None or not instance.files or len(instance.files) == len(groups(content))
        run(bench, content, keys)
        assert held(bench, content)
        bench.card.memory.close()
    assert held(bench, content)
    assert at == line.sent + 1 > 10


def test_a_finished_card_is_left_as_it_is(make_bench: Any, content: ChipPlan, store: Keystore) -> None:
    bench = make_bench()
    keys = keys_of(store, bench.keys)
    run(bench, content, keys)
    before = bench.card.persistent.registry
    run(bench, content, keys)
    assert bench.card.persistent.registry == replace(before, sequence=before.sequence + 1)


def test_a_card_of_an_older_kind_is_issued_the_same_way(
    make_bench: Any, content: ChipPlan, store: Keystore
) -> None:
    store.generate(KeyRef("old-master", 0x21), KeyKind.TDES_MASTER, 16)
    bench = make_bench(scp=2, i=0x55)
    source = from_master(store, "old-master", Scheme.VISA2)
    keys = CardKeys(
        fixed(bench.keys),
        frozenset({bench.keys.version}),
        source,
        lambda card: card_keys(store, KeyRef("old-master", 0x21), Scheme.VISA2, card.diversification_data),
    )
    level = SecurityLevel.C_MAC_AND_C_DECRYPTION
    run(bench, content, keys, card_type=replace(CARD_TYPE, level=level), limit=255)
    assert bench.card.persistent.registry.find(content.profile.aid).state == 0x0F


def test_a_card_with_long_macs_is_recognised(make_bench: Any, content: ChipPlan, store: Keystore) -> None:
    bench = make_bench(i=0x71)
    run(bench, content, keys_of(store, bench.keys))
    assert held(bench, content)


@pytest.mark.parametrize(
    "other", [{"isd": b"no such domain"}, {"module": b"no module"}], ids=["no domain", "no module"]
)
def test_a_card_of_another_type_is_refused_and_left_as_it_was(
    make_bench: Any, content: ChipPlan, store: Keystore, other: dict[str, Any]
) -> None:
    bench = make_bench()
    with pytest.raises(WrongCardType):
        run(bench, content, keys_of(store, bench.keys), card_type=replace(CARD_TYPE, **other))
    registry = bench.card.persistent.registry
    assert not registry.instances
    assert [key.version for key in registry.keys] == [bench.keys.version]


def test_a_card_is_looked_at_before_anything_is_changed_on_it(
    make_bench: Any, content: ChipPlan, store: Keystore
) -> None:
    bench = make_bench()
    keys = keys_of(store, bench.keys)
    seen: list[Found] = []

    def refuse(found: Found) -> None:
        seen.append(found)
        raise TornError

    with pytest.raises(TornError):
        run(bench, content, keys, examine=refuse)
    assert not bench.card.persistent.registry.instances
    run(bench, content, keys)
    with pytest.raises(TornError):
        run(bench, content, keys, examine=refuse)
    assert seen == [Found(True, None, ()), Found(False, 0x0F, ())]
    assert [found.blank for found in seen] == [True, False]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Traits(), {}),
        (Traits(buffer=261), {}),
        (Traits(buffer=300), {}),
        (Traits(protocol="T=0"), {}),
        (Traits(), {"faults": Faults(slow=0.02)}),
    ],
    ids=["extended", "short", "barely extended", "T=0", "slow"],
)
def test_a_card_on_a_reader_is_issued_and_read_back_as_the_job_does(
    reader: VirtualReader,
    tmp_path: Path,
    office: Office,
    content: ChipPlan,
    store: Keystore,
    kind: Traits,
    options: dict[str, Any],
) -> None:
    with (
        VirtualGlobalPlatformCard(tmp_path / "card.eeprom", reader.port, traits=kind, **options),
        CardSession(reader.name, wait_seconds=60, apdu_seconds=60) as session,
    ):
        run(
            PcscTransport(session),
            content,
            keys_of(store, host_keys(FACTORY_KEYS)),
            chip=session.uid(),
            limit=session.traits.write_block,
        )
        assert content.access is not None
        found = verify_card(session, content.profile, office.trust, [content.access], content)
        assert found.genuine, found.summary
