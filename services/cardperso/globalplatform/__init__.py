"""Host side of GlobalPlatform Card Specification 2.3.1: secure channels and the card manager."""

from services.cardperso.globalplatform.channel import CardAnswer, KeySource, SecureChannel, open_channel
from services.cardperso.globalplatform.commands import Dgi, Privilege, Scope
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.issue import CardKeys, CardType, Found, issue
from services.cardperso.globalplatform.key_source import fixed, from_master
from services.cardperso.globalplatform.manager import CardManager, CardState, RegistryEntry, protocols
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.transport import PcscTransport, Transport

__all__ = [
    "AttemptGuard",
    "CardAnswer",
    "CardKeys",
    "CardManager",
    "CardState",
    "CardType",
    "Dgi",
    "Found",
    "KeySource",
    "PcscTransport",
    "Privilege",
    "RegistryEntry",
    "Scope",
    "SecureChannel",
    "SecurityLevel",
    "Transport",
    "fixed",
    "from_master",
    "issue",
    "open_channel",
    "protocols",
]
