"""A card that answers anything at all: only typed errors come out, and nothing unproven is believed."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cardperso.globalplatform.channel import CardAnswer, open_channel
from services.cardperso.globalplatform.commands import Dgi, Scope
from services.cardperso.globalplatform.errors import ChannelClosed, GlobalPlatformFault, ResponseForged
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.manager import CardManager, protocols
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey
from services.common.errors import TunggalError

KEYS = KeySet(0x30, *(SoftwareKey("AES", bytes([n] * 16)) for n in (1, 2, 3)))
ANSWERS = st.binary(max_size=80).map(lambda raw: raw + b"\x90\x00") | st.binary(min_size=2, max_size=80)


class Liar:
    """Says what it is told to say, in turn."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self.heard: list[int] = []

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        self.heard.append(apdu[1])
        raw = self._answers[len(self.heard) % len(self._answers)]
        return raw[:-2], int.from_bytes(raw[-2:], "big")


@given(st.lists(ANSWERS, min_size=1, max_size=6), st.sampled_from([8, 16]))
def test_no_session_opens_with_a_card_that_does_not_have_the_keys(answers: list[bytes], size: int) -> None:
    liar = Liar(answers)
    with pytest.raises(GlobalPlatformFault):
        open_channel(liar, lambda _: KEYS, chip="liar", guard=AttemptGuard(), size=size)
    assert liar.heard == [0x50]


@given(st.binary(max_size=80), st.sampled_from([8, 16]))
def test_an_answer_is_read_whole_or_refused(data: bytes, size: int) -> None:
    with contextlib.suppress(GlobalPlatformFault):
        answer = CardAnswer.decode(data, size)
        parts = (answer.diversification_data, answer.challenge, answer.cryptogram, answer.sequence_counter)
        assert sum(map(len, parts)) + 2 + (answer.protocol == 3) == len(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=4), st.sampled_from([SecurityLevel.C_MAC, SecurityLevel.ALL]))
def test_a_session_that_turns_hostile_gives_typed_errors_only(
    make_bench: Any, answers: list[bytes], level: SecurityLevel
) -> None:
    bench = make_bench()
    manager = CardManager(bench.open(level))
    liar = Liar(answers)
    bench.tamper_response = lambda _: b"".join(
        part if isinstance(part, bytes) else part.to_bytes(2, "big") for part in liar.transmit(bytes(4))
    )
    for attempt in (
        manager.card_state,
        lambda: manager.registry(Scope.APPLICATIONS),
        lambda: manager.replace_keys(KEYS),
        lambda: manager.personalize(b"ABCDE", [Dgi(1, b"x")]),
        lambda: manager.delete(b"ABCDE"),
    ):
        with contextlib.suppress(TunggalError):
            attempt()
    with contextlib.suppress(TunggalError):
        protocols(bench)
    bench.card.memory.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60))
def test_with_response_macs_no_invented_success_is_believed(make_bench: Any, data: bytes) -> None:
    bench = make_bench()
    manager = CardManager(bench.open())
    bench.tamper_response = lambda _: data + b"\x90\x00"
    with pytest.raises(ResponseForged):
        manager.delete(b"ABCDE")
    with pytest.raises(ChannelClosed):
        manager.delete(b"ABCDE")
    bench.card.memory.close()
