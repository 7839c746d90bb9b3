"""The virtual card against a host that was written from the standards only."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.card.answer import Traits
from sim.card.globalplatform import (
    IMAGE_CAPACITY,
    MODULE_AID,
    PACKAGE_AID,
    CardSettings,
    GlobalPlatformCard,
    KeyRecord,
)
from sim.card.memory import CardMemory
from tests.cardperso.globalplatform.independent_host import (
    ISD,
    Host,
    Keys,
    check_value,
    fields,
    grouping,
    key_data,
)

AID = b"\xf0TUNGGAL\x02"
OTHER = b"\xf0TUNGGAL\x07"
LEVELS = (0x00, 0x01, 0x03, 0x11, 0x13, 0x33)
INSTALL = fields(PACKAGE_AID, MODULE_AID, AID, b"\0", b"\xc9\0", b"")


def some_keys(size: int, start: int = 0x20) -> Keys:
    enc, mac, dek = (bytes(range(start + n, start + n + size)) for n in (0, 0x40, 0x80))
    return Keys(enc, mac, dek)


def new_card(
    tmp_path: Path,
    *,
    scp: int = 3,
    i: int = 0x70,
    size: int = 16,
    version: int = 0x30,
    kind: Traits | None = None,
) -> tuple[GlobalPlatformCard, Keys]:
    keys = some_keys(size)
    record = KeyRecord(version, "AES" if scp == 3 else "DES", keys.enc, keys.mac, keys.dek)
    memory = CardMemory(tmp_path / f"card{len(list(tmp_path.iterdir()))}", capacity=IMAGE_CAPACITY)
    settings = CardSettings(protocol=3 if scp == 3 else 2, i=i, keys=record)
    return GlobalPlatformCard(memory, kind, settings), keys


def personalize(host: Host, blocks: list[tuple[int, bytes]]) -> list[int]:
    """INSTALL [for personalization], STORE DATA; the status words."""
    words = [host.send("80E62000", fields(b"", b"", AID, b"", b"", b""))[1]]
    words += [
        host.send(f"80E2{p1:02X}{number:02X}", data, None)[1] for number, (p1, data) in enumerate(blocks)
    ]
    return words


def live(host: Host) -> None:
    """Everything that is done with a card in its life, over the session that is open."""
    assert host.send("80F28002", b"\x4f\0") == (
        bytes.fromhex("E3134F08A0000001510000009F700101C5039EFE80"),
        0x9000,
    )
    assert host.send("80F24002", b"\x4f\0") == (b"", 0x6A88)
    assert host.send("80E60400", INSTALL) == (b"\0", 0x9000)
    assert host.send("80E60400", INSTALL) == (b"", 0x6985)
    assert host.send("80E60800", fields(b"", b"", AID, b"\0", b"", b"")) == (b"\0", 0x9000)
    assert host.send("80E60800", fields(b"", b"", AID, b"\0", b"", b"")) == (b"", 0x6985)
    secret = grouping(
        0x8010, host.sensitive(bytes(range(32)) + (b"\x80" + bytes(15 if host.scp == 3 else 7)))
    )
    public = grouping(0x0101, b"\x01" * 40) + grouping(0x0102, bytes(300))
    blocks = [(0x08, public[:150]), (0x08, public[150:]), (0x68, secret), (0x88, b"")]
    assert personalize(host, blocks) == [0x9000] * 5
    assert (
        host.send("80F24002", b"\x4f\x09" + AID)[0].hex().upper().startswith("E3144F09" + AID.hex().upper())
    )
    assert host.send("80F0400F", AID, None)[1] == 0x9000
    assert host.send("80F04080", AID, None)[1] == 0x9000
    assert host.send("80F04000", AID, None)[1] == 0x9000
    assert host.send("80E40000", b"\x4f\x09" + AID) == (b"\0", 0x9000)
    assert host.send("80E40000", b"\x4f\x09" + AID) == (b"", 0x6A88)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: f"level{level:02X}")
@pytest.mark.parametrize("i", [0x00, 0x10, 0x20, 0x30, 0x60, 0x70, 0x61, 0x71], ids=lambda i: f"i{i:02X}")
@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_life_over_scp03(tmp_path: Path, size: int, i: int, level: int) -> None:
    card, keys = new_card(tmp_path, i=i, size=size)
    host = Host(card.exchange)
    if (level & 0x10 and not i & 0x20) or (level & 0x20 and not i & 0x40):
        host.initialize(keys, 3, i=i, version=0, challenge=bytes(16 if i & 1 else 8))
        assert host.authenticate(level) == 0x6A86
        return
    host.open(keys, 3, level, i=i)
    live(host)
    host.open(keys, 3, level, i=i, version=0x30)
    if i & 0x10:
        assert host.sequence == 1
    new = some_keys(size, 0x21)
    data, checks = key_data(host, new)
    assert host.send("80D83081", b"\x31" + data) == (b"\x31" + checks, 0x9000)
    host.open(new, 3, level, i=i, version=0x31)
    live(host)


@pytest.mark.parametrize("level", [0x00, 0x01, 0x03], ids=lambda level: f"level{level:02X}")
@pytest.mark.parametrize("i", [0x15, 0x55], ids=lambda i: f"i{i:02X}")
def test_a_life_over_scp02(tmp_path: Path, i: int, level: int) -> None:
    card, keys = new_card(tmp_path, scp=2, i=i, version=0x20)
    host = Host(card.exchange)
    host.open(keys, 2, level)
    live(host)
    host.open(keys, 2, level)
    assert host.sequence == 1
    new = some_keys(16, 0x22)
    data, checks = key_data(host, new)
    assert host.send("80D82081", b"\x21" + data) == (b"\x21" + checks, 0x9000)
    host.open(new, 2, level, version=0x21)
    live(host)


@pytest.mark.parametrize("level", [0x11, 0x13])
def test_scp02_without_r_mac_says_that_it_has_none(tmp_path: Path, level: int) -> None:
    card, keys = new_card(tmp_path, scp=2, i=0x55, version=0x20)
    host = Host(card.exchange)
    host.initialize(keys, 2, i=0, version=0, challenge=bytes(8))
    assert host.authenticate(level) == 0x6A86


@pytest.mark.parametrize("buffer", [261, 2048])
@pytest.mark.parametrize("level", [0x01, 0x03, 0x13, 0x33])
def test_long_commands_and_answers(tmp_path: Path, level: int, buffer: int) -> None:
    card, keys = new_card(tmp_path, kind=Traits(buffer=buffer))
    host = Host(card.exchange)
    host.open(keys, 3, level, i=0x70)
    assert host.send("80E60C00", INSTALL) == (b"\0", 0x9000)
    content = bytes(range(256)) * 6
    longest = (buffer - 9 if buffer > 261 else 255) - 8
    longest = longest // 16 * 16 - 1 if level & 2 else longest
    whole = grouping(0x0101, content)
    parts = [whole[at : at + longest] for at in range(0, len(whole), longest)]
    p1 = [0x08] * (len(parts) - 1) + [0x88]
    assert set(personalize(host, list(zip(p1, parts, strict=True)))) == {0x9000}
    assert host.plain(b"\x00\xa4\x04\x00\x09" + AID + b"\0")[1] == 0x9000
    read = b""
    while len(read) < len(content):
        step = min(200, len(content) - len(read))
        data, sw = host.plain(
            bytes([0x00, 0xB0, len(read) >> 8, len(read) & 0xFF, step]) if read else "00B08100C8"
        )
        assert sw == 0x9000
        read += data
    assert read == content


def test_status_words_of_wrong_commands(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    wrong = {
        ("80E60C00", fields(PACKAGE_AID, MODULE_AID, AID, b"\0", b"\xc9\0")): 0x6A80,  # no token field
        ("80E60C00", fields(PACKAGE_AID, PACKAGE_AID, AID, b"\0", b"\xc9\0", b"")): 0x6A88,
        ("80E60C00", fields(PACKAGE_AID, MODULE_AID, b"1234", b"\0", b"\xc9\0", b"")): 0x6A80,
        ("80E60C01", INSTALL): 0x6A86,
        ("80E60200", fields(b"12345", b"", b"", b"", b"")): 0x6A80,
        ("80E60200", fields(b"12345", b"", b"", b"", b"", b"")): 0x6A81,
        ("80E62000", fields(b"", b"", b"12345", b"", b"", b"")): 0x6A88,
        ("80E28800", b"\x01\x01\x00"): 0x6985,
        ("80D80001", b"\x31"): 0x6A88,
        ("80D80082", b"\x31"): 0x6A86,
        ("80D83381", b"\x31"): 0x6A88,
        ("80D80081", b"\x31\x80\x10"): 0x9484,
        ("80F28102", b"\x4f\0"): 0x6A86,
        ("80F28002", b""): 0x6A80,
        ("80F08000", b""): 0x6985,
        ("80F04080", b"12345"): 0x6A88,
        ("80E40000", b"\x4f\x05" + b"12345"): 0x6A88,
        ("80E40000", b"\x4f\x08" + ISD): 0x6985,
        ("80E40000", b"\xd2\x01\x55"): 0x6A88,
        ("80E40000", b"\xd2\x01\x30"): 0x6985,  # the last keys
        ("80CA9F7F", b""): 0x6A88,
        ("80CB0066", b""): 0x6D00,
    }
    for (header, data), sw in wrong.items():
        host.open(keys, 3, 0x33, i=0x70)
        assert host.send(header, data) == (b"", sw), header
        # An error does not end the session.
        assert host.send("80F28002", b"\x4f\0")[1] == 0x9000


def test_every_form_of_put_key(tmp_path: Path) -> None:
    for size in (16, 24, 32):
        for with_length in (True, False):
            for with_check in (True, False):
                card, keys = new_card(tmp_path, size=size)
                host = Host(card.exchange)
                host.open(keys, 3, 0x33, i=0x70)
                new = some_keys(size, 0x23)
                data, checks = key_data(host, new, with_length=with_length, with_check=with_check)
                assert host.send("80D80081", b"\x32" + data) == (b"\x32" + checks, 0x9000)
                host.open(new, 3, 0x33, i=0x70, version=0x32)
                host.open(keys, 3, 0x33, i=0x70, version=0x30)
                template = host.send("80CA00E0")[0].hex().upper()
                assert template == "E024" + "".join(
                    f"C0040{number}{version}88{size:02X}" for version in ("32", "30") for number in (1, 2, 3)
                )


def test_one_key_of_a_set_can_be_replaced_and_none_can_be_put_alone(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.open(keys, 3, 0x33, i=0x70)
    value = bytes(range(0x70, 0x80))
    data = b"\x30\x88\x11\x10" + host.sensitive(value) + b"\x03" + check_value(value, 3)
    assert host.send("80D80002", data) == (b"", 0x6A88)
    assert host.send("80D83002", data) == (b"\x30" + check_value(value, 3), 0x9000)
    host.open(Keys(keys.enc, value, keys.dek), 3, 0x33, i=0x70)


def test_a_wrong_check_value_changes_nothing(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.open(keys, 3, 0x33, i=0x70)
    data, _ = key_data(host, some_keys(16, 0x24))
    assert host.send("80D80081", b"\x31" + data[:-1] + bytes([data[-1] ^ 1])) == (b"", 0x9485)
    host.open(keys, 3, 0x33, i=0x70)
    assert host.plain("8050310008" + "00" * 8 + "00") == (b"", 0x6A88)


def test_a_long_registry_comes_in_parts(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.open(keys, 3, 0x33, i=0x70)
    names = [OTHER + bytes([n]) for n in range(12)]
    for name in names:
        assert (
            host.send("80E60C00", fields(PACKAGE_AID, MODULE_AID, name, b"\0", b"\xc9\0", b""))[1] == 0x9000
        )
    listed, sw = host.send("80F24002", b"\x4f\0")
    assert sw == 0x6310
    more, sw = host.send("80F24003", b"\x4f\0")
    assert sw == 0x9000
    assert [(listed + more).count(name) for name in names] == [1] * 12
    assert host.send("80F24003", b"\x4f\0") == (b"", 0x6A88)


def test_a_locked_card_says_so_and_lets_itself_be_unlocked(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.open(keys, 3, 0x33, i=0x70)
    for state in (0x07, 0x0F, 0x7F):
        assert host.send(f"80F080{state:02X}", b"", None)[1] == 0x9000
    fci, sw = host.plain("00A4040000")
    assert (fci[:12].hex().upper(), sw) == ("6F118408A000000151000000", 0x6283)
    host.open(keys, 3, 0x33, i=0x70)
    assert host.send("80E60C00", INSTALL) == (b"", 0x6985)
    assert host.send("80F0800F", b"", None)[1] == 0x9000
    assert host.plain("00A4040000")[1] == 0x9000
    host.open(keys, 3, 0x33, i=0x70)
    assert host.send("80F08001", b"", None)[1] == 0x6985
    assert host.send("80F080FF", b"", None)[1] == 0x9000
    assert host.plain("8050000008" + "00" * 8 + "00") == (b"", 0x6985)


def test_blocks_of_data_must_follow_each_other(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.open(keys, 3, 0x13, i=0x70)
    assert host.send("80E60C00", INSTALL)[1] == 0x9000
    group = grouping(0x0101, b"content")
    for header, data, sw in (
        ("80E28801", group, 0x6A80),  # begins with the second
        ("80E28000", group, 0x6A86),  # no DGIs
        ("80E2A800", group, 0x6A86),  # encrypted in a way of the application's own
        ("80E28800", group[:-1], 0x6A80),  # the last one ends in the middle
        ("80E28800", grouping(0x8010, bytes(32)), 0x6A80),  # a secret in plain
    ):
        assert host.send("80E62000", fields(b"", b"", AID, b"", b"", b""))[1] == 0x9000
        assert host.send(header, data, None) == (b"", sw)
        assert host.send(header, data, None)[1] == 0x6985


def test_a_session_ends_with_select_reset_a_wrong_mac_and_a_plain_command(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)

    def wrong_mac() -> None:
        raw = bytes.fromhex("84F280020A4F00" + "00" * 8 + "00")
        assert card.exchange(raw) == b"\x69\x82"

    for end in (
        lambda: host.plain("00A4040000"),
        lambda: host.plain(b"\x00\xa4\x04\x00\x08" + ISD),
        card.reset,
        wrong_mac,
        lambda: host.plain("80F28002024F0000"),
        lambda: host.plain("8050000008" + "00" * 8 + "00"),
    ):
        host.open(keys, 3, 0x13, i=0x70)
        assert host.send("80F28002", b"\x4f\0")[1] == 0x9000
        end()
        answer = card.exchange(bytes.fromhex("84F280020A4F00" + "11" * 8 + "00"))
        assert answer in (b"\x69\x82", b"\x69\x85")


def test_what_anybody_may_ask_may_be_asked_in_plain_within_a_session(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.open(keys, 3, 0x33, i=0x70)
    assert host.plain("80CA00E000")[1] == 0x9000
    assert host.plain("80CA9F7F00") == (b"", 0x6A88)
    assert host.send("80F28002", b"\x4f\0")[1] == 0x9000
    assert host.send("80CA00E0")[1] == 0x9000
    assert host.send("80F28002", b"\x4f\0")[1] == 0x9000


def test_a_failed_authentication_is_6300_and_needs_a_new_beginning(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    host.initialize(keys, 3, i=0x70, version=0, challenge=bytes(8))
    host._cryptogram = bytes(8)
    assert host.authenticate(0x01) == 0x6300
    assert host.authenticate(0x01) == 0x6985
    host.open(keys, 3, 0x01, i=0x70)


def test_what_anybody_may_ask(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path)
    host = Host(card.exchange)
    uid = card.memory.uid
    for cla in ("80", "00"):
        assert host.plain(f"{cla}CA004500") == (b"\x45" + bytes([len(uid)]) + uid, 0x9000)
        assert host.plain(f"{cla}CA00CF00") == (b"\xcf\x0a" + uid.rjust(10, b"\0"), 0x9000)
        assert host.plain(f"{cla}CA00C100") == (bytes.fromhex("C103000000"), 0x9000)
        assert host.plain(f"{cla}CA006700") == (
            bytes.fromhex("670BA009800103810170820107"),
            0x9000,
        )
        assert host.plain(f"{cla}CAFF2100")[0].hex().upper() == "FF21098101008204" + "00002000"
    host.open(keys, 3, 0x33, i=0x70)
    assert host.send("80CA0045")[0] == b"\x45" + bytes([len(uid)]) + uid


def test_a_card_with_t0_gives_everything_by_get_response(tmp_path: Path) -> None:
    card, keys = new_card(tmp_path, kind=Traits(protocol="T=0"))

    def tpdu(raw: bytes) -> bytes:
        """T=0 carries a command with data without its Le, and one without anything with a zero."""
        if len(raw) == 4:
            return card.exchange(raw + b"\0")
        answer = card.exchange(raw[: 5 + raw[4]] if len(raw) > 5 else raw)
        if answer[-2] == 0x6C:
            answer = card.exchange(raw[:4] + answer[-1:])
        return answer

    assert card.exchange(bytes.fromhex("80CA004500")) == b"\x6c\x09"
    host = Host(tpdu)
    host.open(keys, 3, 0x33, i=0x70)
    live(host)
    assert card.exchange(bytes.fromhex("00A4040008A00000015100000000")) == b"\x67\x00"
