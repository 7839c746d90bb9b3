"""Our host against a card that was written from the standards only and forgives nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from services.cardperso.chip import profile
from services.cardperso.chip.access import AccessKeys
from services.cardperso.chip.plan import ChipPlan, encode
from services.cardperso.globalplatform.channel import CardAnswer
from services.cardperso.globalplatform.errors import CardLocked, GlobalPlatformFault, WrongCardType
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.issue import CardKeys, CardType, Found, groups, issue
from services.cardperso.globalplatform.manager import protocols, select_domain
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey
from tests.cardperso.card_makers import make_holder
from tests.cardperso.globalplatform.independent_card import Application, IndependentCard
from tests.cardperso.globalplatform.independent_host import Keys
from tests.cardperso.signing_office import open_office

CARD_TYPE = CardType(IndependentCard.LOAD_FILE, IndependentCard.MODULE)
NEW_VERSION = 0x41
CONTACTLESS_REGISTRY = bytes.fromhex("A00000015143525300")
OFFERED = [
    (i, level)
    for i in (0x00, 0x10, 0x20, 0x30, 0x60, 0x70, 0x61, 0x71)
    for level in (0x01, 0x03, 0x11, 0x13, 0x33)
    if (not level & 0x10 or i & 0x20) and (not level & 0x20 or i & 0x40)
]
"""Options of a card, and the security levels that go with them."""


def some_keys(size: int, start: int) -> Keys:
    enc, mac, dek = (bytes(range(start + n, start + n + size)) for n in (0, 0x30, 0x60))
    return Keys(enc, mac, dek)


def ours(keys: Keys, version: int, algorithm: Algorithm) -> KeySet[SoftwareKey]:
    return KeySet(version, *(SoftwareKey(algorithm, key) for key in (keys.enc, keys.mac, keys.dek)))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> ChipPlan:
    """What goes on a chip: files of 30 to 3,800 bytes, access rules, and keys that travel encrypted."""
    holder = make_holder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)
        office = open_office(tmp_path_factory.mktemp("office"))
    made = encode(profile.find("ktp-el"), holder, office)
    return made.for_chip("0455AA7788", lambda _: [AccessKeys(bytes(range(16)), bytes(range(16, 32)))])


@dataclass
class Bureau:
    """What the host knows of a card: the keys that it comes with and the ones that it gets."""

    algorithm: Algorithm
    transport: Keys
    version: int
    new: Keys

    def keys(self) -> CardKeys:
        def made(_: CardAnswer) -> KeySet[SoftwareKey]:
            return ours(self.new, NEW_VERSION, self.algorithm)

        come = ours(self.transport, self.version, self.algorithm)
        return CardKeys(lambda _: come, frozenset({self.version}), made, made)


def issued(
    card: IndependentCard,
    bureau: Bureau,
    content: ChipPlan,
    level: int,
    limit: int = 255,
    examine: Callable[[Found], None] = lambda found: None,
) -> None:
    issue(
        card,
        content,
        card_type=CardType(CARD_TYPE.load_file, CARD_TYPE.module, level=SecurityLevel(level)),
        keys=bureau.keys(),
        guard=AttemptGuard(),
        chip="0455AA7788",
        limit=limit,
        examine=examine,
    )
    assert not card.violations
    application = card.applications[content.profile.aid]
    assert application.groups == {group.tag: group.value for group in groups(content)}
    assert (application.state, card.state) == (0x0F, 0x0F)
    assert NEW_VERSION in card.keys
    assert bureau.version not in card.keys


@pytest.mark.parametrize(("i", "level"), OFFERED, ids=lambda value: f"{value:02X}")
@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_card_is_issued_over_scp03(content: ChipPlan, size: int, i: int, level: int) -> None:
    bureau = Bureau("AES", some_keys(size, 0x10), 0xFF, some_keys(size, 0x20))
    card = IndependentCard(3, i, bureau.transport)
    issued(card, bureau, content, level)
    before = len(card.instructions)
    issued(card, bureau, content, level)
    # A card that is ready is only looked at.
    assert set(card.instructions[before:]) == {0xA4, 0xCA, 0x50, 0x82, 0xF2, 0xF0}


@pytest.mark.parametrize("level", [0x01, 0x03])
@pytest.mark.parametrize("i", [0x15, 0x55], ids=lambda i: f"i{i:02X}")
@pytest.mark.parametrize("limit", [255, 2000])
def test_a_card_is_issued_over_scp02(content: ChipPlan, i: int, level: int, limit: int) -> None:
    bureau = Bureau("TDES", some_keys(16, 0x10), 0x20, some_keys(16, 0x22))
    card = IndependentCard(2, i, bureau.transport, 0x20, most=limit, extended=limit > 255)
    issued(card, bureau, content, level, limit)


@pytest.mark.parametrize("level", [0x01, 0x03, 0x13, 0x33])
@pytest.mark.parametrize(
    ("most", "limit", "says_most"),
    [(2000, 2000, False), (2000, 2000, True), (1012, 2000, True), (239, 255, True), (128, 2000, True)],
)
def test_no_command_is_longer_than_the_card_says(
    content: ChipPlan, level: int, most: int, limit: int, says_most: bool
) -> None:
    for i in (0x70, 0x71):
        bureau = Bureau("AES", some_keys(32 if i == 0x71 else 16, 0x10), 0xFF, some_keys(16, 0x20))
        card = IndependentCard(3, i, bureau.transport, most=most, extended=most > 255, says_most=says_most)
        issued(card, bureau, content, level, limit)


def test_the_new_keys_are_used_also_where_the_card_keeps_the_old_ones_first(content: ChipPlan) -> None:
    bureau = Bureau("AES", some_keys(16, 0x10), 0x20, some_keys(16, 0x20))
    card = IndependentCard(3, 0x70, bureau.transport, 0x20)
    asked = []
    whole = card.transmit

    def keeping(raw: bytes) -> tuple[bytes, int]:
        if raw[1] == 0x50:
            asked.append(raw[2])
            card.keys = {0x20: bureau.transport, **card.keys}
        return whole(raw)

    card.transmit = keeping  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="not in"):
        issued(card, bureau, content, 0x33)
    assert asked == [0x00, NEW_VERSION]
    assert not card.violations


@pytest.mark.parametrize("i", [0x70, 0x71], ids=lambda i: f"i{i:02X}")
def test_a_card_that_does_not_say_what_it_offers_is_tried_with_long_challenges(
    content: ChipPlan, i: int
) -> None:
    bureau = Bureau("AES", some_keys(16, 0x10), 0xFF, some_keys(16, 0x20))
    card = IndependentCard(3, i, bureau.transport)
    whole = card.transmit

    def silent(raw: bytes) -> tuple[bytes, int]:
        if raw[1] == 0xCA:
            return b"", 0x6D00
        if raw[1] == 0x50 and raw[4] != (16 if i & 1 else 8):
            return b"", 0x6700
        return whole(raw)

    card.transmit = silent  # type: ignore[method-assign]
    issued(card, bureau, content, 0x33)


@pytest.mark.parametrize("torn", [False, True], ids=["at once", "torn before the old keys were deleted"])
def test_transport_keys_that_can_only_be_replaced_by_their_own_version_are_deleted(
    content: ChipPlan, torn: bool
) -> None:
    bureau = Bureau("AES", some_keys(16, 0x10), 0x30, some_keys(16, 0x20))
    card = IndependentCard(3, 0x70, bureau.transport, 0x30, same_version=True)
    whole = card.transmit

    def tearing(raw: bytes) -> tuple[bytes, int]:
        if raw[:3] == bytes([0x80, 0x50, NEW_VERSION]):
            raise ConnectionError
        return whole(raw)

    if torn:
        card.transmit = tearing  # type: ignore[method-assign]
        with pytest.raises(ConnectionError):
            issued(card, bureau, content, 0x33)
        card.transmit = whole  # type: ignore[method-assign]
        card.keys = {0x30: card.keys[0x30], **card.keys}
    issued(card, bureau, content, 0x33)
    assert list(card.keys) == [NEW_VERSION]


def test_a_card_whose_life_goes_on_one_step_at_a_time_is_secured_too(content: ChipPlan) -> None:
    bureau = Bureau("AES", some_keys(16, 0x10), 0xFF, some_keys(16, 0x20))
    card = IndependentCard(3, 0x70, bureau.transport, stepwise=True)
    issued(card, bureau, content, 0x33)
    issued(card, bureau, content, 0x33)


def test_applications_of_globalplatforms_own_do_not_make_a_blank_used(content: ChipPlan) -> None:
    bureau = Bureau("AES", some_keys(16, 0x10), 0xFF, some_keys(16, 0x20))
    for names, blank in (([CONTACTLESS_REGISTRY], True), ([CONTACTLESS_REGISTRY, b"\xf0OTHER"], False)):
        card = IndependentCard(3, 0x70, bureau.transport)
        card.applications = {name: Application(0x07) for name in names}
        seen: list[Found] = []
        issued(card, bureau, content, 0x33, examine=seen.append)
        assert [found.blank for found in seen] == [blank]


@pytest.mark.parametrize(
    "data",
    [
        "6618731606072A864886FC6B01640B06092A864886FC6B040371",
        "731606072A864886FC6B01640B06092A864886FC6B040371",
    ],
    ids=["with its tag", "without it"],
)
def test_what_a_card_offers_is_understood_with_and_without_the_outer_tag(data: str) -> None:
    class Telling:
        def transmit(self, apdu: bytes) -> tuple[bytes, int]:
            return bytes.fromhex(data), 0x9000

    assert protocols(Telling()) == [(3, 0x71)]


class Answering:
    """A card that answers SELECT with something."""

    def __init__(self, data: str, sw: int) -> None:
        self._answer = bytes.fromhex(data), sw

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        assert apdu == bytes.fromhex("00A4040000")
        return self._answer


@pytest.mark.parametrize(
    ("fci", "limit"),
    [
        ("6F108408A000000151000000A5049F6501FF", 65536),
        ("6F118408A000000151000000A5059F650203E8", 1000),
        ("6F108408A000000151000000A5049F6501EF", 239),
        ("6F0A8408A000000151000000", 65536),
        ("", 65536),
        ("6F08A5069F65", 65536),
        ("6F07A5059F65020001", 64),
    ],
)
def test_the_longest_data_field_is_what_the_domain_says(fci: str, limit: int) -> None:
    assert select_domain(Answering(fci, 0x9000)) == limit


def test_a_locked_card_and_a_foreign_one_are_told_apart() -> None:
    with pytest.raises(CardLocked, match="6283"):
        select_domain(Answering("6F108408A000000151000000A5049F6501FF", 0x6283))
    with pytest.raises(WrongCardType, match="6A82"):
        select_domain(Answering("", 0x6A82))


@pytest.mark.parametrize("spoil", ["mac", "le", "class", "lc", "again"])
def test_the_card_forgives_nothing(content: ChipPlan, spoil: str) -> None:
    """Otherwise its silence would mean nothing."""
    bureau = Bureau("AES", some_keys(16, 0x10), 0xFF, some_keys(16, 0x20))
    card = IndependentCard(3, 0x70, bureau.transport)
    whole = card.transmit

    def spoiled(raw: bytes) -> tuple[bytes, int]:
        if raw[1] != 0xE2:
            return whole(raw)
        changed = {
            "mac": raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:],
            "le": raw[:-1],
            "class": b"\x80" + raw[1:],
            "lc": raw[:4] + bytes([raw[4] - 1]) + raw[5:],
            "again": raw,
        }[spoil]
        if spoil == "again":
            whole(raw)
        return whole(changed)

    card.transmit = spoiled  # type: ignore[method-assign]
    with pytest.raises(GlobalPlatformFault):
        issued(card, bureau, content, 0x33)
    assert card.violations
    assert card.applications[content.profile.aid].state == 0x07
