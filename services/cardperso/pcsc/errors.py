"""What can go wrong between us and a card, sorted by what to do about it."""

from __future__ import annotations

from services.common.errors import Aborted, DeadlineExceeded, FailedPrecondition, TunggalError, Unavailable


class PcscFault(TunggalError):  # noqa: N818 - as gRPC and PC/SC name their errors
    """Any fault of the card, the reader or the PC/SC service; `reader` names where."""

    def __init__(self, reason: str, message: str, reader: str, remedy: str) -> None:
        super().__init__(reason, message, remedy=remedy, metadata={"reader": reader})
        self.reader = reader


class CardRemoved(PcscFault, Aborted):
    """The card left the field, lost power or no longer answers."""

    def __init__(self, reader: str) -> None:
        super().__init__(
            "CARD_REMOVED",
            f"The card on {reader} is gone.",
            reader,
            "Leave the card on the reader until it is done.",
        )


class CardChanged(PcscFault, Aborted):
    """The reader holds another card than the one that the session began with, or that card was reset by
    others.
    """

    def __init__(self, reader: str) -> None:
        super().__init__(
            "CARD_CHANGED",
            f"The card on {reader} is not the one that the session began with.",
            reader,
            "Do not swap cards during a session.",
        )


class ReaderGone(PcscFault, Unavailable):
    """PC/SC does not know the reader (any more)."""

    def __init__(self, reader: str) -> None:
        super().__init__(
            "READER_GONE", f"There is no reader {reader}.", reader, "Connect the reader, check its name."
        )


class PcscUnavailable(PcscFault, Unavailable):
    """The PC/SC service does not answer; it may come back without this process being restarted."""

    def __init__(self, reader: str = "") -> None:
        super().__init__(
            "PCSC_UNAVAILABLE",
            "The PC/SC service (pcscd) does not answer.",
            reader,
            "Start pcscd; where it was killed, remove the pcscd.comm and pcscd.pid that it left, or it does "
            "not start. PCSCLITE_CSOCK_NAME must name its socket if it is not the system's.",
        )


class CardTimeout(PcscFault, DeadlineExceeded):
    """No card, or no answer from it, within our deadline."""

    def __init__(self, reader: str, what: str, seconds: float) -> None:
        super().__init__(
            "CARD_TIMEOUT", f"{what} on {reader} took longer than {seconds:g} s.", reader, "Try another card."
        )


class CommandTooLong(PcscFault, FailedPrecondition):
    """The card takes neither long commands nor chains of them."""

    def __init__(self, reader: str, command: str, size: int, longest: int) -> None:
        super().__init__(
            "COMMAND_TOO_LONG",
            f"{command} has {size} bytes of data; the card on {reader} takes {longest} and no chaining.",
            reader,
            "Send shorter blocks, or use another card type.",
        )


class CardStatusError(PcscFault, FailedPrecondition):
    """The card answered with a status word that is not what the command should give (7816-4, 5.6)."""

    def __init__(self, reader: str, command: str, sw: int) -> None:
        super().__init__(
            "CARD_STATUS",
            f"{command} was answered with {sw:04X}: {meaning(sw)}.",
            reader,
            "See ISO/IEC 7816-4 for the status; a card that cannot be written is to be spoiled.",
        )
        self.metadata["sw"] = f"{sw:04X}"
        self.sw = sw


_MEANINGS = {
    0x6282: "end of file reached before the expected bytes",
    0x6581: "memory failure",
    0x6700: "wrong length",
    0x6881: "logical channel not supported",
    0x6882: "secure messaging not supported",
    0x6883: "last command of the chain expected",
    0x6884: "command chaining not supported",
    0x6982: "security status not satisfied",
    0x6985: "conditions of use not satisfied",
    0x6986: "no current file",
    0x6A80: "wrong data",
    0x6A81: "function not supported",
    0x6A82: "file not found",
    0x6A84: "not enough memory",
    0x6A86: "wrong P1 or P2",
    0x6A88: "data object not found",
    0x6A89: "file exists already",
    0x6A8A: "application name exists already",
    0x6B00: "offset outside of the file",
    0x6D00: "instruction not supported",
    0x6E00: "class not supported",
}


def meaning(sw: int) -> str:
    """A status word in words."""
    return _MEANINGS.get(sw, "not expected here")
