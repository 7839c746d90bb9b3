"""Managing a card: applications, data, keys and life cycle, host against card."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cardperso import tlv
from services.cardperso.globalplatform import commands
from services.cardperso.globalplatform.commands import Dgi, Privilege, Scope, store_data
from services.cardperso.globalplatform.errors import (
    CommandRefused,
    KeyCheckFailed,
    KeyVersionUnknown,
    MalformedResponse,
    TooLong,
    WrongKeys,
)
from services.cardperso.globalplatform.key_source import fixed, from_master
from services.cardperso.globalplatform.manager import CardManager, CardState
from services.cardperso.globalplatform.messaging import SCP03_LEVELS, SecurityLevel
from services.cardperso.globalplatform.scp03 import Scp03
from services.cardperso.keys.diversify import Scheme
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.keystore import KeyKind, KeyRef, card_keys, rotate
from services.cardperso.keys.symmetric import SoftwareKey
from services.cardperso.pcsc.apdu import CommandApdu
from sim.card.globalplatform import MODULE_AID, PACKAGE_AID

KTP = b"\xf0TUNGGAL\x01"
GROUPS = [
    Dgi(0x0101, b"biodata" * 20),
    Dgi(0x0102, bytes(range(256)) * 3),
    Dgi(0x8001, b"k" * 32, secret=True),
]
LEVELS = [(2, 0x01), (2, 0x03), *((3, int(level)) for level in sorted(SCP03_LEVELS))]


def installed(bench: Any, level: SecurityLevel = SecurityLevel.ALL, **options: Any) -> CardManager:
    manager = CardManager(bench.open(level, **options))
    manager.install(PACKAGE_AID, MODULE_AID, KTP, parameters=b"profile")
    return manager


def read(bench: Any, sfi: int) -> bytes:
    assert bench.transmit(commands.select(KTP).encode())[1] == 0x9000
    content = b""
    while True:
        p1, p2 = (0x80 | sfi, 0) if not content else (len(content) >> 8, len(content) & 0xFF)
        data, sw = bench.transmit(CommandApdu("READ BINARY", 0x00, 0xB0, p1, p2, ne=256).encode())
        if sw != 0x9000 or not data:
            return content
        content += data


@pytest.mark.parametrize(("scp", "level"), LEVELS)
def test_an_application_gets_its_data_and_gives_it_to_a_reader(make_bench: Any, scp: int, level: int) -> None:
    bench = make_bench(scp=scp, i=0x70 if scp == 3 else 0x55)
    manager = installed(bench, SecurityLevel(level))
    manager.personalize(KTP, GROUPS)
    (entry,) = manager.registry(Scope.APPLICATIONS)
    assert (entry.aid, entry.state) == (KTP, 0x0F)
    assert [read(bench, sfi) for sfi in (1, 2)] == [GROUPS[0].value, GROUPS[1].value]
    # The secret arrived as it was sent and is not to be read.
    (secret,) = (file for file in bench.card.persistent.registry.find(KTP).files if file.tag == 0x8001)
    assert bench.card.persistent.read(secret) == GROUPS[2].value
    assert bench.transmit(bytes.fromhex("00A4000C028001"))[1] == 0x6A82


def test_a_personalized_application_takes_no_data_any_more(make_bench: Any) -> None:
    manager = installed(make_bench())
    manager.personalize(KTP, GROUPS)
    with pytest.raises(CommandRefused, match="6985"):
        manager.personalize(KTP, GROUPS)
    assert manager.delete(KTP)
    assert not manager.delete(KTP)
    assert manager.registry(Scope.APPLICATIONS) == []
    manager.install(PACKAGE_AID, MODULE_AID, KTP)
    manager.personalize(KTP, GROUPS)


def test_an_application_is_unreadable_until_its_last_block(make_bench: Any) -> None:
    bench = make_bench()
    manager = installed(bench)
    manager.channel.command(commands.install_for_personalization(KTP))
    blocks = store_data(manager.channel.messaging, GROUPS, manager.channel.longest())
    for block in blocks[:-1]:
        manager.channel.command(block)
    bench.card.reset()
    assert bench.transmit(commands.select(KTP).encode())[1] == 0x9000
    assert bench.transmit(bytes.fromhex("00B0810000"))[1] == 0x6985


def test_too_much_data_is_refused_for_want_of_memory(make_bench: Any) -> None:
    manager = installed(make_bench())
    with pytest.raises(CommandRefused, match="6A84"):
        manager.personalize(KTP, [Dgi(0x0101, bytes(8193))])
    # What was written until then is not kept.
    manager.personalize(KTP, [Dgi(0x0101, bytes(8192))])


def test_an_application_that_exists_or_a_module_that_does_not_is_refused(make_bench: Any) -> None:
    manager = installed(make_bench())
    with pytest.raises(CommandRefused, match="6985"):
        manager.install(PACKAGE_AID, MODULE_AID, KTP)
    with pytest.raises(CommandRefused, match="6A88"):
        manager.install(PACKAGE_AID, PACKAGE_AID, KTP + b"2", Privilege.DEFAULT_SELECTED)


def test_keys_are_replaced_and_the_old_ones_no_longer_open_the_card(make_bench: Any, tmp_path: Any) -> None:
    for scp, size in ((3, 16), (3, 24), (3, 32), (2, 16)):
        bench = make_bench(scp=scp, i=0x70 if scp == 3 else 0x15, key_size=size)
        level = SecurityLevel.ALL if scp == 3 else SecurityLevel.C_MAC_AND_C_DECRYPTION
        algorithm = bench.keys.enc.algorithm
        old = bench.keys
        fresh = KeySet(
            0x41, *(SoftwareKey(algorithm, bytes(range(start, start + size))) for start in (1, 33, 65))
        )
        CardManager(bench.open(level)).replace_keys(fresh, replaces=old.version)
        bench.open(level, keys=fixed(fresh), key_version=0x41)
        with pytest.raises(WrongKeys):
            bench.open(level)
        with pytest.raises(KeyVersionUnknown):
            bench.open(level, key_version=old.version)


def test_a_second_key_set_stands_beside_the_first_until_it_is_deleted(make_bench: Any) -> None:
    bench = make_bench()
    other = KeySet(0x42, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3)))
    manager = CardManager(bench.open())
    manager.replace_keys(other)
    bench.open(key_version=0x30)
    manager = CardManager(bench.open(keys=fixed(other), key_version=0x42))
    manager.delete_keys(0x30)
    with pytest.raises(CommandRefused, match="6985"):
        manager.delete_keys(0x42)


def test_a_card_that_confirms_other_keys_is_not_issued(make_bench: Any) -> None:
    bench = make_bench()
    # Without R-MAC a wrong confirmation gets through to the check of the values.
    manager = CardManager(bench.open(SecurityLevel.C_MAC))
    bench.tamper_response = lambda raw: bytes([raw[0]]) + b"\0\0\0" + raw[4:]
    with pytest.raises(KeyCheckFailed, match="000000"):
        manager.replace_keys(KeySet(0x42, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3))))


def test_a_wrong_check_value_is_refused_by_the_card_and_the_keys_stay(make_bench: Any) -> None:
    bench = make_bench()
    channel = bench.open()
    keys = KeySet(0x42, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3)))
    command = commands.put_key(channel.messaging, keys)
    wrong = command.data[:-1] + bytes([command.data[-1] ^ 1])
    with pytest.raises(CommandRefused, match="9485"):
        channel.command(CommandApdu("PUT KEY", 0x80, 0xD8, 0, 0x81, wrong, 256))
    bench.open(key_version=0x30)


def test_the_way_from_transport_keys_to_diversified_ones_and_on_to_the_next_version(
    make_bench: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)
    store = FileKeystore.create(tmp_path / "keys.json", "passphrase")
    store.generate(KeyRef("isd-master", 0x31), KeyKind.AES_MASTER, 16)
    for scheme in (Scheme.KDF3, Scheme.AN10922):
        bench = make_bench()
        channel = bench.open()
        serial = channel.card.diversification_data
        first = card_keys(store, KeyRef("isd-master", 0x31), scheme, serial)
        CardManager(channel).replace_keys(first, replaces=0x30)
        source = from_master(store, "isd-master", scheme, serial)
        manager = CardManager(bench.open(keys=source))
        if scheme is Scheme.KDF3:
            rotate(store, "isd-master")
        manager.replace_keys(card_keys(store, KeyRef("isd-master", 0x32), scheme, serial), replaces=0x31)
        # The card says which master is its own.
        assert bench.open(keys=source).card.key_version == 0x32


def test_a_card_with_factory_keys_is_not_taken_for_one_of_ours(make_bench: Any, tmp_path: Any) -> None:
    bench = make_bench()
    source = from_master(FileKeystore(tmp_path / "none", {}, None), "isd-master", Scheme.KDF3)  # type: ignore[arg-type]
    bench.tamper_response = lambda raw: raw[:10] + b"\xff" + raw[11:]
    with pytest.raises(KeyVersionUnknown, match="factory keys"):
        bench.open(keys=source)


def test_the_life_cycle_of_the_card_goes_forward_only(make_bench: Any) -> None:
    manager = CardManager(make_bench().open())
    manager.set_card_state(CardState.INITIALIZED)
    manager.set_card_state(CardState.SECURED)
    assert manager.card_state() is CardState.SECURED
    with pytest.raises(CommandRefused, match="6985"):
        manager.set_card_state(CardState.OP_READY)


def test_a_locked_card_gives_no_application_until_it_is_unlocked(make_bench: Any) -> None:
    bench = make_bench()
    manager = installed(bench)
    manager.personalize(KTP, GROUPS)
    manager.set_card_state(CardState.CARD_LOCKED)
    with pytest.raises(CommandRefused, match="6985"):
        manager.delete(KTP)
    assert bench.transmit(commands.select(KTP).encode())[1] == 0x6A82
    manager = CardManager(bench.open())
    manager.set_card_state(CardState.SECURED)
    assert read(bench, 1) == GROUPS[0].value


def test_a_terminated_card_opens_no_session(make_bench: Any) -> None:
    bench = make_bench()
    CardManager(bench.open()).set_card_state(CardState.TERMINATED)
    with pytest.raises(CommandRefused, match="6985"):
        bench.open()


def test_one_application_is_locked_and_unlocked(make_bench: Any) -> None:
    bench = make_bench()
    manager = installed(bench)
    manager.channel.command(commands.set_status(Scope.APPLICATIONS, 0x80, KTP))
    assert manager.registry(Scope.APPLICATIONS)[0].state == 0x87
    assert bench.card.persistent.registry.find(KTP).state == 0x87
    manager.channel.command(commands.set_status(Scope.APPLICATIONS, 0x07, KTP))
    assert manager.registry(Scope.APPLICATIONS)[0].state == 0x07


def test_a_long_registry_comes_in_several_answers(make_bench: Any) -> None:
    bench = make_bench()
    manager = CardManager(bench.open())
    names = [KTP + bytes([number]) for number in range(15)]
    for name in names:
        manager.install(PACKAGE_AID, MODULE_AID, name)
    sent = len(bench.said)
    assert [entry.aid for entry in manager.registry(Scope.APPLICATIONS)] == names
    assert len(bench.said) - sent > 1


def test_a_registry_that_never_ends_or_makes_no_sense_is_refused(make_bench: Any) -> None:
    entry = tlv.encode(0xE3, tlv.encode(0x4F, KTP) + tlv.encode(0x9F70, b"\x07"))
    for answer in (entry + b"\x63\x10", b"\xe3\x05\x4f" + b"\x90\x00", tlv.encode(0xE3, b"") + b"\x90\x00"):
        bench = make_bench()
        manager = CardManager(bench.open(SecurityLevel.C_MAC))
        bench.tamper_response = lambda _, raw=answer: raw
        with pytest.raises(MalformedResponse):
            manager.registry(Scope.APPLICATIONS)


def test_commands_are_encoded_as_the_standard_says() -> None:
    announced = commands.install_for_load(b"LOAD1", b"ISD01").encode().hex()
    assert announced == "80e602000f" + "054c4f414431" + "054953443031" + "000000" + "00"
    blocks = [block.encode().hex() for block in commands.load(b"CAPFILE", 5)]
    assert blocks == ["80e8000005c40743415000", "80e880010446494c4500"]
    with pytest.raises(TooLong):
        commands.load(bytes(60000), 200)
    assert commands.delete(b"ABCDE", related=True).encode().hex() == "80e40080074f05414243444500"
    assert commands.get_status(Scope.APPLICATIONS, following=True).encode().hex() == "80f24003024f0000"
    assert commands.set_status(Scope.ISSUER_SECURITY_DOMAIN, CardState.SECURED).encode().hex() == "80f0800f"


@given(
    st.lists(
        st.builds(Dgi, st.integers(1, 0x7FFF), st.binary(max_size=700), st.booleans()),
        max_size=8,
        unique_by=lambda group: group.tag,
    ),
    st.integers(20, 255),
)
def test_blocks_hold_all_groups_in_order_and_say_what_they_are(groups: list[Dgi], longest: int) -> None:
    session = Scp03(KeySet(1, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3))), bytes(8), bytes(8))
    blocks = store_data(session, groups, longest)
    assert [block.p2 for block in blocks] == list(range(len(blocks)))
    assert [bool(block.p1 & 0x80) for block in blocks] == [False] * (len(blocks) - 1) + [True] * bool(blocks)
    assert all(0 < len(block.data) <= longest and block.p1 & 0x18 == 0x08 for block in blocks)
    whole = b"".join(block.data for block in blocks)
    encrypted = [block.p1 & 0x60 == 0x60 for block in blocks for _ in block.data]
    at = 0
    for group in groups:
        head = 3 if whole[at + 2] != 0xFF else 5
        size = whole[at + 2] if head == 3 else int.from_bytes(whole[at + 3 : at + 5], "big")
        assert int.from_bytes(whole[at : at + 2], "big") == group.tag
        assert set(encrypted[at : at + head + size]) == {group.secret}
        if group.secret:
            assert size % 16 == 0
            assert group.value not in whole or len(group.value) < 3
        else:
            assert whole[at + head : at + head + size] == group.value
        at += head + size
    assert at == len(whole)


def test_more_blocks_than_can_be_counted_are_refused() -> None:
    session = Scp03(KeySet(1, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3))), bytes(8), bytes(8))
    with pytest.raises(TooLong):
        store_data(session, [Dgi(0x0101, bytes(60000))], 200)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.sampled_from(LEVELS),
    st.sampled_from([16, 24, 32]),
    st.lists(
        st.builds(Dgi, st.integers(0x0101, 0x011F), st.binary(max_size=600), st.booleans()),
        min_size=1,
        max_size=5,
        unique_by=lambda group: group.tag,
    ),
)
def test_whatever_goes_in_comes_out(
    make_bench: Any, protocol: tuple[int, int], key_size: int, groups: list[Dgi]
) -> None:
    scp, level = protocol
    bench = make_bench(scp=scp, i=0x70 if scp == 3 else 0x15, key_size=key_size if scp == 3 else 16)
    installed(bench, SecurityLevel(level)).personalize(KTP, groups)
    for group in groups:
        assert read(bench, group.tag & 0x1F) == group.value
    bench.card.memory.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SCP03_LEVELS)), st.binary(min_size=1, max_size=200), st.data())
def test_a_flipped_bit_anywhere_never_changes_what_the_card_holds(
    make_bench: Any, level: SecurityLevel, value: bytes, data: st.DataObject
) -> None:
    bench = make_bench()
    manager = installed(bench, level)
    manager.channel.command(commands.install_for_personalization(KTP))
    (block,) = store_data(manager.channel.messaging, [Dgi(0x0101, value)], manager.channel.longest())

    def flip(raw: bytes) -> bytes:
        # The last byte may be Le, which no MAC covers.
        end = len(raw) - (1 if level & SecurityLevel.R_MAC else 0)
        bit = data.draw(st.integers(0, 8 * end - 1))
        return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]

    before = bench.card.persistent.registry
    bench.tamper_command = flip
    assert manager.channel.send(block).sw >> 8 in (0x67, 0x68, 0x69, 0x6E)
    assert bench.card.persistent.registry == before
    bench.card.memory.close()


def test_long_commands_need_fewer_exchanges_where_the_card_takes_them(make_bench: Any) -> None:
    groups = [Dgi(0x0102, bytes(range(256)) * 16)]
    sent = []
    for limit in (255, 2000):
        bench = make_bench()
        manager = installed(bench, limit=limit)
        before = len(bench.said)
        manager.personalize(KTP, groups)
        sent.append(len(bench.said) - before)
        assert read(bench, 2) == groups[0].value
    assert sent == [19, 4]
