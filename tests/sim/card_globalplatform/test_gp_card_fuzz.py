"""Whatever a host sends, the card answers with a status word and stays whole."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.card.apdu import Command
from sim.card.globalplatform import FACTORY_KEYS, IMAGE_CAPACITY, MODULE_AID, PACKAGE_AID, GlobalPlatformCard
from sim.card.globalplatform.channel03 import Channel03
from sim.card.globalplatform.manager import Manager
from sim.card.globalplatform.persistent import SELECTABLE, Instance
from sim.card.memory import CardMemory

KTP = b"\xf0TUNGGAL\x01"
INSTALL = b"".join(bytes([len(part)]) + part for part in (PACKAGE_AID, MODULE_AID, KTP, b"\0", b"", b""))
MANAGEMENT = [0xE6, 0xE2, 0xE4, 0xD8, 0xF0, 0xF2]
COMMANDS = st.builds(
    lambda cla, ins, rest: bytes([cla, ins]) + rest,
    st.sampled_from([0x00, 0x04, 0x80, 0x84, 0xFF]) | st.integers(0, 255),
    st.sampled_from([0xA4, 0xB0, 0xC0, 0xCA, 0x50, 0x82, 0xE6, 0xE2, 0xE4, 0xD8, 0xF0, 0xF2])
    | st.integers(0, 255),
    st.binary(max_size=40),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(COMMANDS, max_size=20))
def test_any_bytes_are_answered_with_a_status(tmp_path: Path, apdus: list[bytes]) -> None:
    path = tmp_path / "card"
    path.unlink(missing_ok=True)
    card = GlobalPlatformCard(CardMemory(path, capacity=IMAGE_CAPACITY))
    for apdu in apdus:
        answer = card.exchange(apdu)
        assert len(answer) >= 2
        assert answer[-2] >> 4 in (6, 9)
    assert card.persistent.registry.keys == (FACTORY_KEYS,)
    card.memory.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(MANAGEMENT),
            st.sampled_from([0x00, 0x08, 0x0C, 0x20, 0x40, 0x80, 0x88, 0xE8]) | st.integers(0, 255),
            st.sampled_from([0x00, 0x01, 0x02, 0x81]) | st.integers(0, 255),
            st.binary(max_size=60)
            | st.just(
                b"".join(
                    bytes([len(part)]) + part for part in (PACKAGE_AID, MODULE_AID, KTP, b"\0", b"", b"")
                )
            ),
        ),
        max_size=10,
    )
)
def test_any_authenticated_command_leaves_a_registry_that_can_be_read_again(
    tmp_path: Path, sent: list[tuple[int, int, int, bytes]]
) -> None:
    """The commands of the manager behind the secure channel, so that they get past it."""
    path = tmp_path / "card"
    path.unlink(missing_ok=True)
    card = GlobalPlatformCard(CardMemory(path, capacity=IMAGE_CAPACITY))
    card.persistent.commit(card.persistent.registry.with_instance(Instance(KTP, SELECTABLE, 0)))
    session = Channel03(FACTORY_KEYS, 0x70, bytes(8), bytes(8), 0)
    manager = Manager(card.persistent, card.settings)
    card._state.manager = manager
    for ins, p1, p2, data in sent:
        command = Command(0x80, ins, p1, p2, data, 256)
        answer, sw = card._run(command, session)
        assert sw >> 12 in (6, 9)
        assert isinstance(answer, bytes)
    before = card.persistent.registry
    card.reset()
    assert card.persistent.registry == before
    card.memory.close()
