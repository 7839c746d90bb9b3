"""What the issuer security domain says to anyone who asks (GlobalPlatform 2.3.1, 11.3 and Appendix H)."""

from __future__ import annotations

from sim.card.globalplatform.channel03 import PSEUDO_RANDOM
from sim.card.globalplatform.persistent import Persistent
from sim.card.globalplatform.settings import CardSettings
from sim.card.tlv import tlv

_GLOBALPLATFORM = bytes.fromhex("2A864886FC6B")
"""1.2.840.114283."""
_KEY_TYPES = {"AES": 0x88, "DES": 0x80}
_AES_SIZES = 0x07
"""128, 192 and 256 bits."""


def data_object(tag: int, persistent: Persistent, settings: CardSettings) -> bytes | None:
    """The data object of this tag; None where the card has none."""
    keys = persistent.registry.keys
    uid = persistent.uid
    if tag == 0x0045:
        return tlv(0x45, uid)  # card image number
    if tag == 0x00CF:
        return tlv(0xCF, diversification_data(persistent, settings))
    if tag == 0x00C1 and (settings.protocol == 2 or settings.i & PSEUDO_RANDOM):
        sequence = persistent.registry.sequence
        short = settings.protocol == 2
        return tlv(0xC1, (sequence & 0xFFFF).to_bytes(2, "big") if short else sequence.to_bytes(3, "big"))
    if tag == 0x0066:
        return _recognition(settings)
    if tag == 0x0067:
        sizes = tlv(0x82, bytes([_AES_SIZES])) if settings.protocol == 3 else b""
        offered = tlv(0x80, bytes([settings.protocol])) + tlv(0x81, bytes([settings.i])) + sizes
        return tlv(0x67, tlv(0xA0, offered))
    if tag == 0x00E0:
        entries = (
            bytes([number, key.version, _KEY_TYPES[key.algorithm], len(key.enc)])
            for key in keys
            for number in (1, 2, 3)
        )
        return tlv(0xE0, b"".join(tlv(0xC0, entry) for entry in entries))
    if tag == 0xFF21:
        applications = len(persistent.registry.instances)
        free = persistent.free
        return tlv(0xFF21, tlv(0x81, bytes([applications])) + tlv(0x82, free.to_bytes(4, "big")))
    return None


def diversification_data(persistent: Persistent, settings: CardSettings) -> bytes:
    """Ten bytes that name the chip in INITIALIZE UPDATE."""
    return settings.diversification_data or persistent.uid.rjust(10, b"\0")[:10]


def _recognition(settings: CardSettings) -> bytes:
    """Card recognition data (Appendix H.2): that it is such a card, the version, and the secure channel."""
    protocol = _GLOBALPLATFORM + bytes([4, settings.protocol, settings.i])
    named = (
        tlv(0x06, _GLOBALPLATFORM + b"\x01")
        + tlv(0x60, tlv(0x06, _GLOBALPLATFORM + b"\x02\x02\x03\x01"))
        + tlv(0x63, tlv(0x06, _GLOBALPLATFORM + b"\x03"))
        + tlv(0x64, tlv(0x06, protocol))
    )
    return tlv(0x66, tlv(0x73, named))
