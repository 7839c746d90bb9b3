"""PC/SC readers and cards: deadlines of our own, few typed errors, ISO/IEC 7816-4 transport."""

from services.cardperso.pcsc.apdu import CommandApdu, ResponseApdu
from services.cardperso.pcsc.errors import (
    CardChanged,
    CardRemoved,
    CardStatusError,
    CardTimeout,
    CommandTooLong,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)
from services.cardperso.pcsc.port import ReaderState
from services.cardperso.pcsc.rack import SYSTEM, Rack, parse_sockets
from services.cardperso.pcsc.session import CardSession, readers
from services.cardperso.pcsc.traits import CardTraits
from services.cardperso.pcsc.watcher import ReaderWatcher, Sight

__all__ = [
    "SYSTEM",
    "CardChanged",
    "CardRemoved",
    "CardSession",
    "CardStatusError",
    "CardTimeout",
    "CardTraits",
    "CommandApdu",
    "CommandTooLong",
    "PcscFault",
    "PcscUnavailable",
    "Rack",
    "ReaderGone",
    "ReaderState",
    "ReaderWatcher",
    "ResponseApdu",
    "Sight",
    "parse_sockets",
    "readers",
]
