"""What can go wrong between us and a card manager, sorted by what to do about it."""

# Named as gRPC names its errors.
# ruff: noqa: N818
from __future__ import annotations

from services.cardperso.pcsc.errors import meaning
from services.common.errors import (
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    TunggalError,
)


class GlobalPlatformFault(TunggalError):
    """Any of the faults below."""


class WrongKeys(GlobalPlatformFault, FailedPrecondition):
    """The card's cryptogram is not what our keys give: wrong keys, or no genuine card.

    Nothing more was sent, so the card has not counted a failed authentication.
    """

    def __init__(self, key_version: int) -> None:
        super().__init__(
            "WRONG_KEYS",
            f"The card does not hold the keys that we have for its key version {key_version:02X}. "
            "No authentication was sent, so its retry counter stands.",
            remedy="Check master key, diversification scheme and key version before trying this card again.",
            metadata={"key_version": f"{key_version:02X}"},
        )


class AuthenticationRefused(GlobalPlatformFault, FailedPrecondition):
    """The card does not accept our cryptogram although its own was right; `sw` is its answer."""

    def __init__(self, sw: int, tries_left: int | None) -> None:
        left = "" if tries_left is None else f" It allows {tries_left} more."
        super().__init__(
            "AUTHENTICATION_REFUSED",
            f"The card refused our authentication with {sw:04X}.{left}",
            remedy="Do not repeat it: the card counts. Put the card aside and look at its journal.",
            metadata={"sw": f"{sw:04X}"} | ({} if tries_left is None else {"tries_left": str(tries_left)}),
        )


class AuthenticationSuspended(GlobalPlatformFault, ResourceExhausted):
    """We stop before the card's retry counter locks its keys for ever; nothing was sent."""

    def __init__(self, chip: str, failures: int) -> None:
        super().__init__(
            "AUTHENTICATION_SUSPENDED",
            f"{failures} sessions with the chip {chip} failed in a row; "
            "it is left alone before it locks itself.",
            remedy="Find the right keys, then clear the count of this chip.",
            metadata={"chip": chip, "failures": str(failures)},
        )


class KeysLocked(GlobalPlatformFault, FailedPrecondition):
    """The card's retry counter has run out: its keys cannot be used any more."""

    def __init__(self) -> None:
        super().__init__(
            "KEYS_LOCKED",
            "The card has locked its keys after failed authentications.",
            remedy="Spoil the card.",
        )


class KeyVersionUnknown(GlobalPlatformFault, FailedPrecondition):
    """The card has no key set of the version asked for, or answers with another one."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "KEY_VERSION_UNKNOWN", message, remedy="Ask for version 00, the card's first key set, and see."
        )


class ProtocolMismatch(GlobalPlatformFault, FailedPrecondition):
    """The card speaks a secure channel protocol, option or security level that we do not."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "PROTOCOL_MISMATCH", message, remedy="Check that the card is of the type that was bought."
        )


class WrongCardType(GlobalPlatformFault, FailedPrecondition):
    """The card is not of the type that was bought; nothing was changed on it."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "WRONG_CARD_TYPE",
            message,
            remedy="Lay a card of the configured type, or check the names of load file, module and domain.",
        )


class CardLocked(GlobalPlatformFault, FailedPrecondition):
    """The card's life cycle state is CARD_LOCKED: it takes no data until its issuer unlocks it."""

    def __init__(self) -> None:
        super().__init__(
            "CARD_LOCKED",
            "The card is locked (SELECT was answered with 6283).",
            remedy="Find out who locked it and why. Spoil it, or set it back to SECURED with its keys.",
        )


class MalformedResponse(GlobalPlatformFault, DataLoss):
    """What the card answered is not what the standard says it looks like."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(
            "MALFORMED_RESPONSE",
            f"The answer to {command} makes no sense: {message}.",
            remedy="Try another reader; a card that keeps doing so is to be spoiled.",
        )


class ResponseForged(GlobalPlatformFault, DataLoss):
    """A protected response does not verify: it was changed, or does not belong to the command.

    The channel is closed, and whether the card carried the command out is not known.
    """

    def __init__(self, command: str) -> None:
        super().__init__(
            "RESPONSE_FORGED",
            f"The answer to {command} was changed between the card and us.",
            remedy="Open a new session and read what the card holds; look at who can reach the line.",
        )


class ChannelClosed(GlobalPlatformFault, FailedPrecondition):
    """The secure channel ended with an earlier fault; nothing was sent."""

    def __init__(self) -> None:
        super().__init__("CHANNEL_CLOSED", "The secure channel is closed.", remedy="Open a new one.")


class CommandRefused(GlobalPlatformFault, FailedPrecondition):
    """The card answered with a status word other than success."""

    def __init__(self, command: str, sw: int) -> None:
        super().__init__(
            "COMMAND_REFUSED",
            f"{command} was answered with {sw:04X}: {_MEANINGS.get(sw) or meaning(sw)}.",
            remedy="See GlobalPlatform 2.3.1, clause 11, for what the status means with this command.",
            metadata={"sw": f"{sw:04X}"},
        )
        self.sw = sw


class TooLong(GlobalPlatformFault, InvalidArgument):
    """The data does not fit one command of this channel."""

    def __init__(self, command: str, size: int, longest: int) -> None:
        super().__init__(
            "COMMAND_TOO_LONG",
            f"{command} has {size} bytes of data where at most {longest} fit.",
            remedy="Split the data into several commands.",
        )


class KeyCheckFailed(GlobalPlatformFault, DataLoss):
    """The card reports other key check values than those of the keys that we sent it."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            "KEY_CHECK_FAILED",
            f"The card confirms the keys {found} where {expected} were sent.",
            remedy="Do not issue the card: nobody may be able to reach it. Spoil it.",
        )


_MEANINGS = {
    0x6283: "the card is locked",
    0x6300: "authentication of the host cryptogram failed",
    0x6310: "more data available",
    0x6438: "imported package not available",
    0x6581: "memory failure",
    0x6985: "conditions of use not satisfied",
    0x6988: "incorrect secure messaging",
    0x6A80: "incorrect values in the command data",
    0x6A82: "application not found",
    0x6A84: "not enough memory",
    0x6A88: "referenced data not found",
    0x9484: "algorithm not supported",
    0x9485: "invalid key check value",
}
