"""PC/SC readers and cards: deadlines of our own, few typed errors, ISO/IEC 7816-4 transport."""

from services.cardperso.pcsc.apdu import CommandApdu, ResponseApdu
from services.cardperso.pcsc.errors import (
    CardChanged,
    CardRemoved,
    CardStatusError,
    CardTimeout,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)
from services.cardperso.pcsc.scard import ReaderState
from services.cardperso.pcsc.session import CardSession, readers
from services.cardperso.pcsc.traits import CardTraits

__all__ = [
    "CardChanged",
    "CardRemoved",
    "CardSession",
    "CardStatusError",
    "CardTimeout",
    "CardTraits",
    "CommandApdu",
    "PcscFault",
    "PcscUnavailable",
    "ReaderGone",
    "ReaderState",
    "ResponseApdu",
    "readers",
]
