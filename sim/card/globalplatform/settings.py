"""What the maker fixes in a card, and what can go wrong with its secure channel on demand."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sim.card.globalplatform.persistent import KeyRecord

ISD_AID = bytes.fromhex("A000000151000000")
"""Issuer security domain (GlobalPlatform 2.3.1, Appendix H)."""
PACKAGE_AID = bytes.fromhex("F054554E4747414C30")
"""The load file in the card's ROM ("TUNGGAL0"), which holds one module:"""
MODULE_AID = bytes.fromhex("F054554E4747414C3001")
"""an application of plain files."""
FACTORY_VERSION = 0xFF
_FACTORY_KEY = bytes.fromhex("404142434445464748494A4B4C4D4E4F")
FACTORY_KEYS = KeyRecord(FACTORY_VERSION, "AES", _FACTORY_KEY, _FACTORY_KEY, _FACTORY_KEY)
"""The keys that development cards come with."""


@dataclass(frozen=True)
class CardSettings:
    """A card type.

    Args:
        protocol: secure channel protocol, 2 or 3.
        i: its options. SCP02: 15 (random card challenge) or 55 (pseudo-random). SCP03: 10 pseudo-random card
            challenge, 20 R-MAC, 60 R-MAC and R-ENC, 01 challenges and MACs of 16 bytes.
        keys: the first key set of a fresh card.
        diversification_data: 10 bytes that name the chip in INITIALIZE UPDATE; None makes them from the UID.
        tries: failed authentications in a row that lock the keys.
        random: source of random challenges.
    """

    protocol: Literal[2, 3] = 3
    i: int = 0x70
    keys: KeyRecord = FACTORY_KEYS
    diversification_data: bytes | None = None
    tries: int = 10
    random: Callable[[int], bytes] = field(default=secrets.token_bytes, repr=False)


@dataclass(frozen=True)
class ChannelFaults:
    """Faults of the secure channel; the defaults are a good card.

    Args:
        wrong_cryptogram: the card cryptogram comes with one bit wrong, as from a card with other keys.
        wrong_mac_at: the R-MAC of this protected response (from 1, since the session began) is wrong.
        refuse_host: the host cryptogram is never accepted.
    """

    wrong_cryptogram: bool = False
    wrong_mac_at: int = 0
    refuse_host: bool = False
