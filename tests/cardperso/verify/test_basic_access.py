"""Basic access control and secure messaging against the worked example of ICAO Doc 9303-11, Appendix D."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cardperso.chip.access import AccessKeys, from_mrz, from_seed
from services.cardperso.globalplatform.transport import parse
from services.cardperso.pcsc.apdu import CommandApdu, ResponseApdu
from services.cardperso.verify.basic_access import AccessRefusedError, authenticate
from services.cardperso.verify.secure_messaging import ForgedResponseError, SecureMessaging
from sim.card.apdu import StatusError
from sim.card.apdu import parse as parse_command
from sim.card.globalplatform.reader_access import ReaderAccess

KEYS = from_seed(bytes(16))


@pytest.fixture
def vectors(shared_dir: Path) -> dict[str, Any]:
    path = shared_dir / "vectors" / "icao9303.json"
    if not path.exists():
        pytest.skip("no test vectors icao9303.json in the shared data")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


class Recording:
    """A card that answers as the example does."""

    def __init__(self, *exchanges: dict[str, str]) -> None:
        self._exchanges = list(exchanges)

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        exchange = self._exchanges.pop(0)
        assert command.encode().hex().upper() == exchange["command"]
        return ResponseApdu.decode(bytes.fromhex(exchange["response"]))


def test_a_session_opens_and_speaks_as_the_worked_example(vectors: dict[str, Any]) -> None:
    bac = vectors["bac"]
    mutual, session = bac["mutual_authentication"], bac["session_keys"]
    random = iter([bytes.fromhex(mutual["rnd_ifd"]), bytes.fromhex(mutual["k_ifd"])])
    line = Recording(mutual["get_challenge"], mutual["external_authenticate"])
    keys = from_mrz(bac["keys"]["mrz_information"])
    messaging = authenticate(line, [keys], lambda _: next(random))
    assert from_seed(bytes.fromhex(session["k_seed"])).enc.hex().upper() == session["enc"]["key"]
    for step in vectors["secure_messaging_3des"]["steps"]:
        command = parse(bytes.fromhex(step["plain_command"]), step["name"])
        assert messaging.wrap(command).encode().hex().upper() == step["protected_command"]
        plain = messaging.unwrap(ResponseApdu.decode(bytes.fromhex(step["protected_response"])))
        assert plain == ResponseApdu.decode(bytes.fromhex(step["plain_response"]))


def test_the_card_of_this_suite_answers_as_the_worked_example(vectors: dict[str, Any]) -> None:
    bac = vectors["bac"]
    mutual = bac["mutual_authentication"]
    random = iter([bytes.fromhex(mutual["rnd_ic"]), bytes.fromhex(mutual["k_ic"])])
    keys = bac["keys"]["document_basic_access_keys"]
    card = ReaderAccess(bytes.fromhex(keys["enc"]["key"] + keys["mac"]["key"]), lambda _: next(random))
    challenge = card.challenge(parse_command(bytes.fromhex(mutual["get_challenge"]["command"])))
    assert challenge.hex().upper() == mutual["rnd_ic"]
    answer = card.authenticate(parse_command(bytes.fromhex(mutual["external_authenticate"]["command"])))
    assert answer.hex().upper() + "9000" == mutual["external_authenticate"]["response"]
    for step in vectors["secure_messaging_3des"]["steps"]:
        plain = card.unwrap(parse_command(bytes.fromhex(step["protected_command"])))
        expected = parse_command(bytes.fromhex(step["plain_command"]))
        assert (plain.cla & 0xF3, plain.ins, plain.p1p2, plain.data, plain.ne) == (
            expected.cla,
            expected.ins,
            expected.p1p2,
            expected.data,
            expected.ne,
        )
        response = bytes.fromhex(step["plain_response"])
        wrapped = card.wrap(response[:-2], 0x9000)
        assert wrapped.hex().upper() + "9000" == step["protected_response"]


@given(data=st.binary(max_size=300), answer=st.binary(max_size=300), ne=st.integers(0, 700))
def test_whatever_is_said_arrives_at_the_other_end(data: bytes, answer: bytes, ne: int) -> None:
    reader, card = pair()
    sent = reader.wrap(CommandApdu("TEST", 0x00, 0xB0, 0x01, 0x02, data, ne))
    received = card.unwrap(parse_command(sent.encode()))
    assert (received.ins, received.p1p2, received.data, received.ne) == (0xB0, 0x0102, data, ne)
    assert reader.unwrap(ResponseApdu(card.wrap(answer, 0x9000), 0x9000)) == ResponseApdu(answer, 0x9000)


@given(at=st.integers(min_value=0), flip=st.integers(1, 255))
def test_a_changed_response_is_never_taken_for_true(at: int, flip: int) -> None:
    reader, card = pair()
    card.unwrap(parse_command(reader.wrap(CommandApdu("READ", 0, 0xB0, 0, 0, ne=32)).encode()))
    raw = bytearray(card.wrap(b"thirty-two bytes of a data group", 0x9000))
    raw[at % len(raw)] ^= flip
    with pytest.raises(ForgedResponseError):
        reader.unwrap(ResponseApdu(bytes(raw), 0x9000))


def test_the_second_key_is_tried_where_the_first_does_not_fit() -> None:
    class Card:
        def __init__(self) -> None:
            self.access = ReaderAccess(KEYS.encode(), bytes)

        def transmit(self, command: CommandApdu) -> ResponseApdu:
            given = parse_command(command.encode())
            try:
                if given.ins == 0x84:
                    return ResponseApdu(self.access.challenge(given), 0x9000)
                return ResponseApdu(self.access.authenticate(given), 0x9000)
            except StatusError as error:
                return ResponseApdu(b"", error.sw)

    wrong = AccessKeys(bytes(16), bytes(range(16)))
    authenticate(Card(), [wrong, KEYS], bytes)
    with pytest.raises(AccessRefusedError, match="6300"):
        authenticate(Card(), [wrong], bytes)


def pair() -> tuple[SecureMessaging, ReaderAccess]:
    """Both ends of an open session."""
    card = ReaderAccess(KEYS.encode(), bytes)

    class Line:
        def transmit(self, command: CommandApdu) -> ResponseApdu:
            given = parse_command(command.encode())
            answer = card.challenge(given) if given.ins == 0x84 else card.authenticate(given)
            return ResponseApdu(answer, 0x9000)

    return authenticate(Line(), [KEYS], bytes), card
