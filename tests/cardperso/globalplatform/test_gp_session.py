"""Host against card: every protocol, option, key size and level; and everything that can be wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.cardperso.globalplatform import commands
from services.cardperso.globalplatform.commands import Scope
from services.cardperso.globalplatform.errors import (
    AuthenticationRefused,
    AuthenticationSuspended,
    ChannelClosed,
    CommandRefused,
    GlobalPlatformFault,
    KeysLocked,
    KeyVersionUnknown,
    MalformedResponse,
    ProtocolMismatch,
    ResponseForged,
    TooLong,
    WrongKeys,
)
from services.cardperso.globalplatform.manager import CardManager, CardState, protocols
from services.cardperso.globalplatform.messaging import SCP02_LEVELS, SCP03_LEVELS, SecurityLevel
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey, SymmetricKey
from services.cardperso.pcsc.apdu import CommandApdu
from sim.card.globalplatform import ISD_AID, ChannelFaults

GET_STATUS = commands.get_status(Scope.ISSUER_SECURITY_DOMAIN)
INITIALIZE_UPDATE, EXTERNAL_AUTHENTICATE = 0x50, 0x82


def other_keys(keys: KeySet[SymmetricKey]) -> KeySet[SymmetricKey]:
    return replace(keys, mac=SoftwareKey(keys.mac.algorithm, bytes(keys.mac.size)))


@pytest.mark.parametrize("level", sorted(SCP03_LEVELS), ids=lambda level: f"level{level:02X}")
@pytest.mark.parametrize("i", [0x60, 0x61, 0x70, 0x71], ids=lambda i: f"i{i:02X}")
@pytest.mark.parametrize("key_size", [16, 24, 32])
def test_scp03_works_with_every_key_size_option_and_level(
    make_bench: Any, key_size: int, i: int, level: SecurityLevel
) -> None:
    bench = make_bench(i=i, key_size=key_size)
    size = 16 if i & 1 else 8
    for aid in (b"", ISD_AID):
        manager = CardManager(bench.open(level, size=size, aid=aid))
        assert manager.card_state() is CardState.OP_READY
        with pytest.raises(CommandRefused, match="6A88"):
            manager.channel.command(commands.install_for_personalization(b"no such application"[:16]))
        # The session goes on after an error status.
        assert manager.registry(Scope.LOAD_FILES_AND_MODULES)[0].modules


@pytest.mark.parametrize("level", sorted(SCP02_LEVELS), ids=lambda level: f"level{level:02X}")
@pytest.mark.parametrize("i", [0x15, 0x55], ids=lambda i: f"i{i:02X}")
def test_scp02_works_with_both_options_and_levels(make_bench: Any, i: int, level: SecurityLevel) -> None:
    bench = make_bench(scp=2, i=i)
    for _ in range(2):
        manager = CardManager(bench.open(level))
        assert manager.card_state() is CardState.OP_READY
        with pytest.raises(CommandRefused, match="6A88"):
            manager.channel.command(commands.install_for_personalization(b"no such application"[:16]))
        assert manager.registry(Scope.LOAD_FILES_AND_MODULES)[0].modules


def test_what_a_card_offers_is_read_before_the_session(make_bench: Any) -> None:
    assert protocols(make_bench(i=0x71)) == [(3, 0x71)]
    assert protocols(make_bench(scp=2, i=0x55)) == [(2, 0x55)]


def test_with_wrong_keys_nothing_is_sent_that_the_card_would_count(make_bench: Any) -> None:
    bench = make_bench()
    with pytest.raises(WrongKeys, match="retry counter stands"):
        bench.open(keys=lambda _: other_keys(bench.keys))
    assert bench.instructions() == [INITIALIZE_UPDATE]
    assert bench.card.persistent.registry.tries == bench.card.settings.tries


def test_a_wrong_card_cryptogram_ends_the_session_before_it_begins(make_bench: Any) -> None:
    for scp, i in ((3, 0x70), (2, 0x15)):
        bench = make_bench(scp=scp, i=i, faults=ChannelFaults(wrong_cryptogram=True))
        with pytest.raises(WrongKeys):
            bench.open(SecurityLevel.C_MAC)
        assert bench.instructions() == [INITIALIZE_UPDATE]


def test_a_chip_that_keeps_failing_is_left_alone_until_an_operator_clears_it(make_bench: Any) -> None:
    bench = make_bench()
    for _ in range(bench.guard.limit):
        with pytest.raises(WrongKeys):
            bench.open(keys=lambda _: other_keys(bench.keys))
    sent = len(bench.said)
    with pytest.raises(AuthenticationSuspended, match="3 sessions"):
        bench.open()
    assert len(bench.said) == sent
    bench.guard.clear("the chip")
    bench.open()
    assert not bench.guard.failures


def test_we_stop_before_a_card_that_refuses_us_has_locked_its_keys(make_bench: Any) -> None:
    bench = make_bench(tries=4, faults=ChannelFaults(refuse_host=True))
    for _ in range(bench.guard.limit):
        with pytest.raises(AuthenticationRefused):
            bench.open()
    with pytest.raises(AuthenticationSuspended):
        bench.open()
    assert bench.card.persistent.registry.tries == 1


def test_a_card_whose_tries_are_used_up_says_that_its_keys_are_locked(make_bench: Any) -> None:
    bench = make_bench(tries=1, faults=ChannelFaults(refuse_host=True))
    with pytest.raises(AuthenticationRefused):
        bench.open()
    with pytest.raises(KeysLocked):
        bench.open()


def test_a_successful_session_gives_the_card_its_tries_back(make_bench: Any) -> None:
    bench = make_bench(tries=5)
    bench.tamper_command = lambda apdu: apdu[:-1] + bytes([apdu[-1] ^ 1]) if apdu[1] == 0x82 else apdu
    with pytest.raises(AuthenticationRefused, match="6300"):
        bench.open()
    assert bench.card.persistent.registry.tries == 4
    bench.tamper_command = bytes
    bench.open()
    assert bench.card.persistent.registry.tries == 5


def test_a_key_version_that_the_card_does_not_have_is_named(make_bench: Any) -> None:
    with pytest.raises(KeyVersionUnknown, match="31"):
        make_bench().open(key_version=0x31)


@pytest.mark.parametrize(
    ("i", "level"),
    [(0x10, SecurityLevel.C_MAC_AND_R_MAC), (0x30, SecurityLevel.ALL), (0x70, SecurityLevel(0x02))],
)
def test_a_level_that_the_card_does_not_offer_is_refused_here(
    make_bench: Any, i: int, level: SecurityLevel
) -> None:
    bench = make_bench(i=i)
    with pytest.raises(ProtocolMismatch, match="security level"):
        bench.open(level)
    assert bench.instructions() == [INITIALIZE_UPDATE]


def test_keys_of_the_wrong_kind_are_refused_here(make_bench: Any) -> None:
    bench, old = make_bench(), make_bench(scp=2, i=0x15)
    with pytest.raises(ProtocolMismatch, match="TDES"):
        bench.open(keys=lambda _: old.keys)
    with pytest.raises(ProtocolMismatch, match="AES"):
        old.open(SecurityLevel.C_MAC, keys=lambda _: bench.keys)


def test_challenges_of_the_wrong_size_are_refused_by_either_side(make_bench: Any) -> None:
    with pytest.raises(CommandRefused, match="6700"):
        make_bench(i=0x71).open(size=8)
    with pytest.raises(CommandRefused, match="6700"):
        make_bench(i=0x70).open(size=16)


def test_a_challenge_that_does_not_follow_from_the_counter_is_no_genuine_card(make_bench: Any) -> None:
    bench = make_bench()
    with pytest.raises(WrongKeys):
        bench.open(aid=b"other application")


@pytest.mark.parametrize(
    "answer", ["", "9000", "00" * 11 + "9000", "00" * 28 + "9000", "00" * 10 + "3003709000"]
)
def test_nonsense_in_answer_to_initialize_update_is_refused(make_bench: Any, answer: str) -> None:
    bench = make_bench()
    bench.tamper_response = lambda _: bytes.fromhex(answer) or b"\x90\x00"
    with pytest.raises((MalformedResponse, ProtocolMismatch)):
        bench.open()


def test_every_flipped_bit_of_a_protected_response_is_noticed_and_closes_the_channel(make_bench: Any) -> None:
    length = None
    position = 0
    while length is None or position < 8 * length:
        bench = make_bench()
        channel = bench.open()

        def flip(raw: bytes, bit: int = position) -> bytes:
            nonlocal length
            length = len(raw)
            number = int.from_bytes(raw, "big") ^ 1 << (8 * len(raw) - 1 - bit)
            return number.to_bytes(len(raw), "big")

        bench.tamper_response = flip
        with pytest.raises(ResponseForged):
            channel.send(GET_STATUS)
        bench.tamper_response = bytes
        with pytest.raises(ChannelClosed):
            channel.send(GET_STATUS)
        position += 7


@pytest.mark.parametrize("level", sorted(SCP03_LEVELS), ids=lambda level: f"level{level:02X}")
def test_a_flipped_bit_of_a_command_is_refused_by_the_card(make_bench: Any, level: SecurityLevel) -> None:
    apdu = b""
    for byte in range(24):
        bench = make_bench()
        channel = bench.open(level)

        def flip(raw: bytes, at: int = byte) -> bytes:
            nonlocal apdu
            apdu = raw
            # Not Lc, which would make the command malformed, and not Le, which no MAC covers.
            at = at if at < 4 else at + 1
            return raw[:at] + bytes([raw[at] ^ 0x08]) + raw[at + 1 :] if at < len(raw) - 1 else raw

        bench.tamper_command = flip
        answer = channel.send(GET_STATUS)
        if byte < len(apdu) - 2:
            assert answer.sw in (0x6982, 0x6E00)
            bench.tamper_command = bytes
            assert channel.send(GET_STATUS).sw == 0x6982


def test_a_wrong_r_mac_of_the_card_is_noticed(make_bench: Any) -> None:
    bench = make_bench(faults=ChannelFaults(wrong_mac_at=2))
    channel = bench.open(SecurityLevel.C_MAC_AND_R_MAC)
    assert channel.send(GET_STATUS).sw == 0x9000
    with pytest.raises(ResponseForged, match="GET STATUS"):
        channel.send(GET_STATUS)


def test_a_replayed_response_is_noticed(make_bench: Any) -> None:
    bench = make_bench()
    channel = bench.open(SecurityLevel.C_MAC_AND_R_MAC)
    channel.send(GET_STATUS)
    before = bench.said[-1][1]
    bench.tamper_response = lambda _: before
    with pytest.raises(ResponseForged):
        channel.send(GET_STATUS)


def test_success_without_a_mac_is_not_believed(make_bench: Any) -> None:
    bench = make_bench()
    channel = bench.open(SecurityLevel.C_MAC_AND_R_MAC)
    bench.tamper_response = lambda _: b"\x90\x00"
    with pytest.raises(ResponseForged):
        channel.send(commands.set_status(Scope.ISSUER_SECURITY_DOMAIN, CardState.SECURED))


def test_a_replayed_command_is_refused_by_the_card(make_bench: Any) -> None:
    bench = make_bench()
    bench.open().send(GET_STATUS)
    assert bench.card.exchange(bench.said[-1][0]) == b"\x69\x82"


def test_a_command_in_plain_ends_the_session_on_the_card(make_bench: Any) -> None:
    bench = make_bench()
    channel = bench.open(SecurityLevel.C_MAC)
    assert bench.card.exchange(GET_STATUS.encode()) == b"\x69\x82"
    assert channel.send(GET_STATUS).sw == 0x6982


def test_selecting_ends_the_session_on_the_card(make_bench: Any) -> None:
    bench = make_bench()
    channel = bench.open(SecurityLevel.C_MAC)
    assert bench.card.exchange(commands.select().encode())[-2:] == b"\x90\x00"
    assert channel.send(GET_STATUS).sw == 0x6982


def test_a_fault_of_the_line_closes_the_channel(make_bench: Any) -> None:
    bench = make_bench()
    channel = bench.open()

    def torn(_: bytes) -> bytes:
        raise ConnectionError

    bench.tamper_command = torn
    with pytest.raises(ConnectionError):
        channel.send(GET_STATUS)
    with pytest.raises(ChannelClosed):
        channel.send(GET_STATUS)


@pytest.mark.parametrize(("scp", "level"), [(2, 1), (2, 3), (3, 1), (3, 3), (3, 0x33)])
def test_the_longest_command_fits_and_one_byte_more_is_refused_here(
    make_bench: Any, scp: int, level: int
) -> None:
    bench = make_bench(scp=scp, i=0x70 if scp == 3 else 0x15)
    channel = bench.open(SecurityLevel(level))
    longest = channel.longest()
    channel.send(CommandApdu("STORE DATA", 0x80, 0xE2, 0x88, 0x00, bytes(longest)))
    assert len(bench.said[-1][0]) <= 5 + 255 + 1
    with pytest.raises(TooLong, match=str(longest + 1)):
        channel.send(CommandApdu("STORE DATA", 0x80, 0xE2, 0x88, 0x00, bytes(longest + 1)))
    # Nothing was sent, so the session stands.
    assert channel.send(GET_STATUS).sw == 0x9000


def test_faults_are_of_one_family_with_a_reason_and_a_remedy(make_bench: Any) -> None:
    bench = make_bench()
    with pytest.raises(GlobalPlatformFault) as caught:
        bench.open(key_version=0x31)
    assert caught.value.reason == "KEY_VERSION_UNKNOWN"
    assert caught.value.remedy
