"""A virtual chip card (ISO/IEC 7816-4 files in 8 KB of EEPROM) and private virtual readers for it."""

from sim.card.answer import Traits
from sim.card.faults import Faults, Pace
from sim.card.host import PcscMissingError
from sim.card.memory import CAPACITY, CardMemory
from sim.card.reader import MAX_READERS, ReaderBank, VirtualReader
from sim.card.virtual import VPCD_PORT, VirtualCard

__all__ = [
    "CAPACITY",
    "MAX_READERS",
    "VPCD_PORT",
    "CardMemory",
    "Faults",
    "Pace",
    "PcscMissingError",
    "ReaderBank",
    "Traits",
    "VirtualCard",
    "VirtualReader",
]
