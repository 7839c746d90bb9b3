"""A virtual GlobalPlatform card: issuer security domain, SCP02 and SCP03, and an application of plain files.

Written from GlobalPlatform Card Specification 2.3.1 and its Amendment D, apart from the host's code.
"""

from sim.card.globalplatform.card import GlobalPlatformCard
from sim.card.globalplatform.persistent import IMAGE_CAPACITY, KeyRecord
from sim.card.globalplatform.settings import (
    FACTORY_KEYS,
    ISD_AID,
    MODULE_AID,
    PACKAGE_AID,
    CardSettings,
    ChannelFaults,
)
from sim.card.globalplatform.virtual import VirtualGlobalPlatformCard

__all__ = [
    "FACTORY_KEYS",
    "IMAGE_CAPACITY",
    "ISD_AID",
    "MODULE_AID",
    "PACKAGE_AID",
    "CardSettings",
    "ChannelFaults",
    "GlobalPlatformCard",
    "KeyRecord",
    "VirtualGlobalPlatformCard",
]
