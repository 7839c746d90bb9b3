"""Bring a GlobalPlatform card from whatever state it is in to the one in which it is handed over.

What was torn is simply done again: an application without data is deleted and made anew, transport keys are
replaced by ours, the application is personalized, the card is SECURED. An application that is personalized is
left as it is; whether it holds the right data is for reading back to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.cardperso.chip.plan import ACCESS_RULES, ChipPlan
from services.cardperso.globalplatform.channel import CardAnswer, KeySource, SecureChannel, open_channel
from services.cardperso.globalplatform.commands import Dgi, Scope
from services.cardperso.globalplatform.errors import CommandRefused, WrongCardType
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.manager import CardManager, CardState, protocols, select_domain
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.transport import Transport
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey, SymmetricKey

_PERSONALIZED = 0x0F
"""State that our application gives itself with its last block of data; the bits of such states are the
application's own (GlobalPlatform 2.3.1, 5.3 and 11.1.1).
"""
_GLOBALPLATFORM = bytes.fromhex("A000000151")
"""What begins so is GlobalPlatform's own (security domains, contactless registry): blanks come with it."""
_SCP03, _S16 = 3, 0x01
_WRONG_LENGTH, _WRONG_PARAMETERS = 0x6700, 0x6A86
_KEYS_ARE_THERE = (0x6985, 0x6A80)
_HIGHEST_VERSION = 0x7F
_NO_SUCH_MODULE = (0x6A82, 0x6A88)


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
    """The files of a plan as data groupings, named by file identifier; where readers authenticate themselves,
    with who reads what and, last, the access keys.

    Raises:
        ValueError: the plan is not for a certain chip yet, and has no access keys.
    """
    files = [Dgi(file.identifier, content) for file, content in plan.contents]
    if plan.profile.keys is None:
        return files
    if plan.access is None:
        raise ValueError("the plan has no access keys")
    secret = Dgi(plan.profile.keys_grouping, plan.access.encode(), secret=True)
    return [Dgi(ACCESS_RULES, plan.rules), *files, secret]


@dataclass(frozen=True)
class Found:
    """A card that has authenticated itself, before anything is changed on it.

    Args:
        fresh: whether it has its transport keys still.
        application: life cycle state of our application on it; None where there is none.
        others: names of other applications on it, without those of GlobalPlatform's own.
    """

    fresh: bool
    application: int | None
    others: tuple[bytes, ...]

    @property
    def blank(self) -> bool:
        """Whether nobody has put anything on it yet."""
        return self.fresh and self.application is None and not self.others


def issue(
    line: Transport,
    plan: ChipPlan,
    *,
    card_type: CardType,
    keys: CardKeys,
    guard: AttemptGuard,
    chip: str,
    limit: int,
    examine: Callable[[Found], None],
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
        examine: looks at what was found, before the first command that changes the card; what it raises
            leaves the card as it was.

    Raises:
        WrongCardType: the card is none of this type; nothing was changed on it.
        CardLocked: it was locked; nothing was changed on it.
        GlobalPlatformFault, PcscFault, KeyNotFound, KeystoreUnavailable: it stopped there; it may be called
            again with the same card.
    """
    limit = min(limit, select_domain(line, card_type.isd))
    offered = dict(protocols(line))
    size = 16 if offered.get(_SCP03, 0) & _S16 else 8

    def session(key_version: int = 0, *, size: int = size) -> SecureChannel:
        return open_channel(
            line,
            keys.find,
            chip=chip,
            guard=guard,
            level=card_type.level,
            size=size,
            key_version=key_version,
            limit=limit,
        )

    try:
        channel = session()
    except CommandRefused as refused:
        if offered or refused.sw != _WRONG_LENGTH:
            raise
        # A card that does not say what it offers has told that our challenge is too short.
        size = 16
        channel = session(size=size)
    fresh = keys.are_transport(channel.card)
    manager, aid = CardManager(channel), plan.profile.aid
    states = {entry.aid: entry.state for entry in manager.registry(Scope.APPLICATIONS)}
    others = tuple(name for name in states if name != aid and not name.startswith(_GLOBALPLATFORM))
    examine(Found(fresh, states.get(aid), others))
    personalized = states.get(aid) == _PERSONALIZED
    if not personalized:
        if aid in states:
            manager.delete(aid)
        _install(manager, card_type, aid, fresh=fresh)
    if fresh:
        new, old = keys.new(channel.card), channel.card.key_version
        left = _put_keys(manager, new, old)
        # From here on nothing is said that the transport keys could read, also to a card that keeps them
        # beside ours and would take them first.
        manager = CardManager(session(new.version, size=size))
        if left:
            manager.delete_keys(old)
    if not personalized:
        manager.personalize(aid, groups(plan))
    _secure(manager)


def _install(manager: CardManager, card_type: CardType, aid: bytes, *, fresh: bool) -> None:
    """Make the application: the first change of a fresh card, so one of another type refuses it untouched."""
    try:
        manager.install(card_type.load_file, card_type.module, aid)
    except CommandRefused as refused:
        if fresh and refused.sw in _NO_SUCH_MODULE:
            raise WrongCardType(
                f"The card does not hold the module {card_type.module.hex().upper()}."
            ) from None
        raise


def _secure(manager: CardManager) -> None:
    """Move the card on to SECURED; one that is there already says no, others go one step at a time (5.1)."""
    try:
        manager.set_card_state(CardState.SECURED)
    except CommandRefused:
        state = manager.card_state()
        if state is CardState.SECURED:
            return
        if state is not CardState.OP_READY:
            raise
        manager.set_card_state(CardState.INITIALIZED)
        manager.set_card_state(CardState.SECURED)


def _put_keys(manager: CardManager, new: KeySet[SoftwareKey], old: int) -> bool:
    """Put our keys in the place of the set `old`; whether that set is still to be deleted.

    Factory keys give way by themselves. Others are replaced by their version; cards that let a set be
    replaced by one of the same version only (they answer 6A86) get ours beside it.
    """
    if old > _HIGHEST_VERSION:
        manager.replace_keys(new)
        return False
    try:
        manager.replace_keys(new, old)
    except CommandRefused as refused:
        if refused.sw != _WRONG_PARAMETERS:
            raise
    else:
        return False
    try:
        manager.replace_keys(new)
    except CommandRefused as refused:
        # Torn between adding and deleting, the card has ours already; the next session shows it.
        if refused.sw not in _KEYS_ARE_THERE:
            raise
    return True
