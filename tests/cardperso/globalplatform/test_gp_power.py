"""Power lost at every page that a personalization programs: the card wakes up whole, and can be finished."""

from __future__ import annotations

from typing import Any

import pytest

from services.cardperso.globalplatform.commands import Dgi, Scope
from services.cardperso.globalplatform.errors import GlobalPlatformFault
from services.cardperso.globalplatform.manager import CardManager
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey
from sim.card.globalplatform import MODULE_AID, PACKAGE_AID, GlobalPlatformCard
from sim.card.memory import CardMemory, PowerLossError, WriteError

KTP = b"\xf0TUNGGAL\x01"
GROUPS = [Dgi(0x0101, b"biodata" * 20), Dgi(0x0102, bytes(range(256)))]
NEW = KeySet(0x41, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3)))


class Fuse:
    """Blows at the page of this number."""

    def __init__(self, page: int, fault: type[Exception]) -> None:
        self._page, self._fault = page, fault
        self.pages = 0

    def before_page(self) -> bool:
        self.pages += 1
        if self.pages == self._page:
            raise self._fault
        return False


def personalize(bench: Any) -> None:
    """The whole of it, from whatever state the card is in."""
    versions = [key.version for key in bench.card.persistent.registry.keys]
    if 0x41 in versions:
        bench.keys = NEW
    manager = CardManager(bench.open())
    if 0x41 not in versions:
        manager.replace_keys(NEW, replaces=0x30)
        bench.keys = NEW
    states = {entry.aid: entry.state for entry in manager.registry(Scope.APPLICATIONS)}
    if KTP not in states:
        manager.install(PACKAGE_AID, MODULE_AID, KTP)
    if states.get(KTP) != 0x0F:
        manager.personalize(KTP, GROUPS)


@pytest.mark.parametrize("fault", [PowerLossError, WriteError])
def test_wherever_the_power_goes_the_card_is_whole_and_can_be_finished(
    make_bench: Any, fault: type[Exception]
) -> None:
    page = 0
    while True:
        page += 1
        bench = make_bench()
        fuse = Fuse(page, fault)
        bench.card.memory.before_page = fuse.before_page
        try:
            personalize(bench)
            break
        except (PowerLossError, GlobalPlatformFault):
            path = bench.card.memory.path
            bench.card.memory.close()
            bench.card = GlobalPlatformCard(CardMemory(path), settings=bench.card.settings)
        registry = bench.card.persistent.registry
        assert [key.version for key in registry.keys] in ([0x30], [0x41])
        instance = registry.find(KTP)
        if instance is not None and instance.files:
            assert instance.state == 0x0F
        bench.guard.failures.clear()
        personalize(bench)
        registry = bench.card.persistent.registry
        found = {file.tag: bench.card.persistent.read(file) for file in registry.find(KTP).files}
        assert found == {group.tag: group.value for group in GROUPS}
        assert registry.tries == bench.card.settings.tries
        bench.card.memory.close()
    assert page == fuse.pages + 1 > 15
    bench.card.memory.close()


def test_a_try_is_used_up_even_if_the_power_goes_before_the_answer(make_bench: Any) -> None:
    bench = make_bench(tries=3)
    fuse = Fuse(0, PowerLossError)
    bench.card.memory.before_page = fuse.before_page
    bench.transmit(bytes.fromhex("8050000008") + bytes(8) + b"\0")
    # The first commit takes the try away; the power goes in the second, which would give it back.
    fuse._page = fuse.pages + 100
    assert bench.transmit(bytes.fromhex("8482010010") + bytes(16))[1] == 0x6300
    assert bench.card.persistent.registry.tries == 2
    bench.card.reset()
    assert bench.card.persistent.registry.tries == 2


def test_a_page_that_comes_out_wrong_is_noticed_at_the_next_start(make_bench: Any) -> None:
    bench = make_bench()
    before = bench.card.persistent.registry
    bench.card.memory.before_page = lambda: True
    CardManager(bench.open()).install(PACKAGE_AID, MODULE_AID, KTP)
    bench.card.reset()
    assert bench.card.persistent.registry.find(KTP) is None
    assert bench.card.persistent.registry.keys == before.keys
