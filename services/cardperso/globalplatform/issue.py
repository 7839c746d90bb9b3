"""Bring a GlobalPlatform card from whatever state it is in to the one in which it is handed over.

Each step looks at the card first, so what was torn is simply done again: transport keys are replaced by ours,
an application without data is deleted, made anew and personalized, the card is SECURED. An application that
is personalized is left as it is; whether it holds the right data is for reading back to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.cardperso.chip.plan import ChipPlan
from services.cardperso.globalplatform import commands
from services.cardperso.globalplatform.channel import CardAnswer, KeySource, SecureChannel, open_channel
from services.cardperso.globalplatform.commands import Dgi, Scope
from services.cardperso.globalplatform.errors import CommandRefused
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.manager import CardManager, CardState, protocols
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.transport import Transport
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey, SymmetricKey

_PERSONALIZED = 0x0F
"""State that our application gives itself with its last block of data; the bits of such states are the
application's own (GlobalPlatform 2.3.1, 5.3 and 11.1.1).
"""
_S16 = 0x01


@dataclass(frozen=True)
class CardType:
    """What must be known of the cards that were bought.

    Args:
        load_file: name of the load file on the card, and
        module: of the module in it that becomes the application.
        isd: name of the issuer security domain; empty for the one that is selected by default.
        level: protection of the session.
    """

    load_file: bytes
    module: bytes
    isd: bytes = b""
    level: SecurityLevel = SecurityLevel.ALL


@dataclass(frozen=True)
class CardKeys:
    """Keys on the way of a card.

    Args:
        transport: keys with which cards come.
        transport_versions: key versions that mean these keys; cards with any other version are ours.
        ours: finds the keys of a card that has ours.
        new: makes our keys for a card that comes with transport keys.
    """

    transport: KeySource
    transport_versions: frozenset[int]
    ours: KeySource
    new: Callable[[CardAnswer], KeySet[SoftwareKey]]

    def find(self, card: CardAnswer) -> KeySet[SymmetricKey]:
        """Keys of the card that gave this answer."""
        return (self.transport if self.are_transport(card) else self.ours)(card)

    def are_transport(self, card: CardAnswer) -> bool:
        """Whether the card has its transport keys still."""
        return card.key_version in self.transport_versions


def groups(plan: ChipPlan) -> list[Dgi]:
    """The files of a plan as data groupings, named by file identifier."""
    return [Dgi(file.fid, content) for file, content in plan.contents]


def issue(
    line: Transport,
    plan: ChipPlan,
    *,
    card_type: CardType,
    keys: CardKeys,
    guard: AttemptGuard,
    chip: str,
    limit: int,
) -> None:
    """Personalize the card on `line`, or finish what was begun.

    Args:
        line: to the card.
        plan: what goes on it.
        card_type: what kind of card it is.
        keys: of the card.
        guard: counts failed sessions.
        chip: UID of the chip.
        limit: bytes of data that the card takes in one command.

    Raises:
        GlobalPlatformFault, PcscFault, KeyNotFound, KeystoreUnavailable: it stopped there; it may be called
            again with the same card.
    """

    def session() -> SecureChannel:
        _select(line, card_type.isd)
        offered = dict(protocols(line))
        return open_channel(
            line,
            keys.find,
            chip=chip,
            guard=guard,
            level=card_type.level,
            size=16 if offered.get(3, 0) & _S16 else 8,
            limit=limit,
        )

    channel = session()
    if keys.are_transport(channel.card):
        CardManager(channel).replace_keys(keys.new(channel.card), _replaced(channel.card))
        # From here on nothing is said that the transport keys could read.
        channel = session()
    manager = CardManager(channel)
    aid = plan.profile.aid
    states = {entry.aid: entry.state for entry in manager.registry(Scope.APPLICATIONS)}
    if states.get(aid) != _PERSONALIZED:
        if aid in states:
            manager.delete(aid)
        manager.install(card_type.load_file, card_type.module, aid)
        manager.personalize(aid, groups(plan))
    if manager.card_state() in (CardState.OP_READY, CardState.INITIALIZED):
        manager.set_card_state(CardState.SECURED)


def _select(line: Transport, isd: bytes) -> None:
    command = commands.select(isd)
    _, sw = line.transmit(command.encode())
    if sw != 0x9000:
        raise CommandRefused(command.name, sw)


def _replaced(card: CardAnswer) -> int:
    """P1 of PUT KEY: factory keys give way by themselves, others are replaced by version."""
    return 0 if card.key_version > 0x7F else card.key_version
