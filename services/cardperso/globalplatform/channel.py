"""A secure channel with a security domain: opened, used and closed (GlobalPlatform 2.3.1, clause 10)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from services.cardperso.globalplatform import scp03
from services.cardperso.globalplatform.errors import (
    AuthenticationRefused,
    ChannelClosed,
    CommandRefused,
    KeysLocked,
    KeyVersionUnknown,
    MalformedResponse,
    ProtocolMismatch,
    ResponseForged,
    TooLong,
    WrongKeys,
)
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.messaging import (
    SCP02_LEVELS,
    SCP03_LEVELS,
    ForgedError,
    SecureMessaging,
    SecurityLevel,
)
from services.cardperso.globalplatform.scp02 import Scp02
from services.cardperso.globalplatform.scp03 import Scp03
from services.cardperso.globalplatform.transport import Transport
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SymmetricKey, same
from services.cardperso.pcsc.apdu import MAX_SHORT_DATA, MAX_SHORT_RESPONSE, CommandApdu, ResponseApdu

SCP02, SCP03 = 2, 3
FACTORY_KEYS = 0xFF
"""Key version that a card reports for the keys it left the factory with."""

# The i parameter of SCP03 (Amendment D 1.2, 5.1).
_S16 = 0x01
_PSEUDO_RANDOM = 0x10
_R_MAC_OFFERED = 0x20
_R_ENCRYPTION_OFFERED = 0x40

_OK = 0x9000


@dataclass(frozen=True)
class CardAnswer:
    """The answer to INITIALIZE UPDATE (GlobalPlatform 2.3.1, E.5.1; Amendment D 1.2, 7.1.1).

    `i` is the option byte of SCP03; SCP02 does not report it. The sequence counter is empty where the card
    challenge is random.
    """

    diversification_data: bytes
    key_version: int
    protocol: int
    i: int | None
    challenge: bytes
    cryptogram: bytes
    sequence_counter: bytes

    @classmethod
    def decode(cls, data: bytes, size: int) -> CardAnswer:
        """From the response data to a host challenge of `size` bytes.

        Raises:
            MalformedResponse, ProtocolMismatch: see there.
        """
        if len(data) < 12:
            raise MalformedResponse("INITIALIZE UPDATE", f"{len(data)} bytes are too few")
        kdd, version, protocol, rest = data[:10], data[10], data[11], data[12:]
        if protocol == SCP02:
            if size != 8:
                raise ProtocolMismatch("The card speaks SCP02, which has challenges of 8 bytes only.")
            if len(rest) != 16:
                raise MalformedResponse("INITIALIZE UPDATE", f"{len(data)} bytes instead of 28")
            return cls(kdd, version, protocol, None, rest[2:8], rest[8:], rest[:2])
        if protocol != SCP03:
            raise ProtocolMismatch(f"The card speaks secure channel protocol {protocol:02X}, not 02 or 03.")
        i = rest[0] if rest else 0
        if size != (16 if i & _S16 else 8):
            raise ProtocolMismatch(
                f"The card's option i = {i:02X} does not go with challenges of {size} bytes."
            )
        counter = 3 if i & _PSEUDO_RANDOM else 0
        if len(rest) != 1 + 2 * size + counter:
            raise MalformedResponse("INITIALIZE UPDATE", f"{len(data)} bytes do not go with i = {i:02X}")
        return cls(
            kdd, version, protocol, i, rest[1 : 1 + size], rest[1 + size : 1 + 2 * size], rest[1 + 2 * size :]
        )


KeySource = Callable[[CardAnswer], KeySet[SymmetricKey]]
"""The static keys of the card that gave this answer: by its diversification data and key version."""


class SecureChannel:
    """An open channel: commands go in plain and are protected on the way.

    After a response that does not verify, or a fault of the line, the channel is closed for good: counters of
    card and host may differ.
    """

    def __init__(
        self,
        transport: Transport,
        messaging: SecureMessaging,
        card: CardAnswer,
        level: SecurityLevel,
        limit: int = MAX_SHORT_DATA,
    ):
        self.card = card
        self.level = level
        self.messaging = messaging
        self._transport = transport
        self._limit = limit
        self._open = True

    def send(self, command: CommandApdu) -> ResponseApdu:
        """Send a command and give its plain response, whatever its status word.

        Raises:
            ChannelClosed: an earlier fault ended the channel.
            TooLong: the data does not fit one command; nothing was sent.
            ResponseForged: the response was changed.
        """
        if not self._open:
            raise ChannelClosed
        longest = self.longest()
        if len(command.data) > longest:
            raise TooLong(command.name, len(command.data), longest)
        ne = command.ne
        if self.level & SecurityLevel.R_MAC:
            # Every response carries at least a MAC now.
            ne = max(ne, MAX_SHORT_RESPONSE)
        self._open = False
        wrapped = self.messaging.wrap(
            CommandApdu(command.name, command.cla, command.ins, command.p1, command.p2, command.data, ne)
        )
        data, sw = self._transport.transmit(wrapped.encode())
        try:
            plain = self.messaging.unwrap(ResponseApdu(data, sw))
        except ForgedError:
            raise ResponseForged(command.name) from None
        self._open = True
        return ResponseApdu(plain, sw)

    def command(self, command: CommandApdu, *, accept: tuple[int, ...] = (_OK,)) -> bytes:
        """Data of the response.

        Raises:
            CommandRefused: the status word is none of `accept`.
            ChannelClosed, TooLong, ResponseForged: see `send`.
        """
        response = self.send(command)
        if response.sw not in accept:
            raise CommandRefused(command.name, response.sw)
        return response.data

    def longest(self) -> int:
        """Bytes of plain data that fit one command."""
        return self.messaging.longest(self._limit)

    def close(self) -> None:
        """Send nothing more. The card closes its side with the next SELECT or reset."""
        self._open = False


def open_channel(
    transport: Transport,
    keys: KeySource,
    *,
    chip: str,
    guard: AttemptGuard,
    level: SecurityLevel = SecurityLevel.ALL,
    size: int = 8,
    key_version: int = 0,
    aid: bytes = b"",
    limit: int = MAX_SHORT_DATA,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> SecureChannel:
    """Authenticate each other with the security domain that is selected.

    Args:
        transport: line to the card.
        keys: finds the static keys when the card has said who it is.
        chip: name of the chip for `guard`, say its UID.
        guard: counts failures.
        level: protection of the commands to come; SCP02 knows 01 and 03 only.
        size: bytes of challenges, cryptograms and MACs: 8, or 16 for a card with SCP03 in S16 mode.
        key_version: of the key set to use; 0 for the card's first.
        aid: of the selected application; where given, a pseudo-random card challenge is checked against it.
        limit: bytes of data that the card takes in one command; above 255 it must know extended length. SCP02
            has short commands only.
        random: source of the host challenge.

    Raises:
        AuthenticationSuspended: the chip has failed too often; nothing was sent.
        WrongKeys: the card's cryptogram is wrong; nothing was sent after it.
        AuthenticationRefused, KeysLocked, KeyVersionUnknown, ProtocolMismatch, MalformedResponse: see there.
    """
    guard.check(chip)
    challenge = random(size)
    card = _initialize_update(transport, challenge, key_version)
    if key_version and card.key_version not in (key_version, FACTORY_KEYS):
        raise KeyVersionUnknown(
            f"The card answers with key version {card.key_version:02X}, not {key_version:02X}."
        )
    _check_level(card, level)
    static = keys(card)
    _check_keys(card, static)
    messaging = _messaging(static, challenge, card)
    genuine = same(card.cryptogram, messaging.card_cryptogram)
    if aid and card.protocol == SCP03 and card.sequence_counter:
        expected = scp03.card_challenge(static.enc, card.sequence_counter, aid, size)
        genuine = genuine and same(card.challenge, expected)
    if not genuine:
        guard.failed(chip)
        raise WrongKeys(card.key_version)
    _, sw = transport.transmit(messaging.begin(level).encode())
    if sw != _OK:
        guard.failed(chip)
        raise _refusal(sw)
    guard.clear(chip)
    return SecureChannel(transport, messaging, card, level, limit)


def _messaging(keys: KeySet[SymmetricKey], challenge: bytes, card: CardAnswer) -> SecureMessaging:
    if card.protocol == SCP02:
        return Scp02(keys, challenge, card.sequence_counter, card.challenge)
    return Scp03(keys, challenge, card.challenge)


def _initialize_update(transport: Transport, challenge: bytes, key_version: int) -> CardAnswer:
    command = CommandApdu("INITIALIZE UPDATE", 0x80, 0x50, key_version, 0x00, challenge, MAX_SHORT_RESPONSE)
    data, sw = transport.transmit(command.encode())
    if sw == 0x6A88:
        raise KeyVersionUnknown(f"The card has no key set of version {key_version:02X}.")
    if sw == 0x6983:
        raise KeysLocked
    if sw != _OK:
        raise CommandRefused(command.name, sw)
    return CardAnswer.decode(data, len(challenge))


def _check_level(card: CardAnswer, level: SecurityLevel) -> None:
    allowed = SCP02_LEVELS if card.protocol == SCP02 else SCP03_LEVELS
    i = card.i or 0
    if (
        level not in allowed
        or (level & SecurityLevel.R_MAC and not i & _R_MAC_OFFERED)
        or (level & SecurityLevel.R_ENCRYPTION and not i & _R_ENCRYPTION_OFFERED)
    ):
        raise ProtocolMismatch(
            f"The card's SCP{card.protocol:02d} with i = {i:02X} has no security level {level:02X}."
        )


def _check_keys(card: CardAnswer, keys: KeySet[SymmetricKey]) -> None:
    algorithm = "TDES" if card.protocol == SCP02 else "AES"
    for key in (keys.enc, keys.mac, keys.dek):
        if key.algorithm != algorithm or (algorithm == "TDES" and key.size != 16):
            raise ProtocolMismatch(
                f"SCP{card.protocol:02d} does not work with {key.algorithm} keys of {key.size} bytes."
            )


def _refusal(sw: int) -> AuthenticationRefused | KeysLocked:
    if sw == 0x6983:
        return KeysLocked()
    return AuthenticationRefused(sw, sw & 0x0F if sw & 0xFFF0 == 0x63C0 else None)
