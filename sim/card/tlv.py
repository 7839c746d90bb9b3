"""BER-TLV data objects with one- or two-byte tags, as the card's operating system reads and writes them
(ISO/IEC 7816-4:2020, 6.3).
"""

from __future__ import annotations

from collections.abc import Iterator


class TlvError(ValueError):
    """The bytes are no sequence of data objects; the card answers 6A80."""


def tlv(tag: int, value: bytes) -> bytes:
    """One data object."""
    head = tag.to_bytes(2 if tag > 0xFF else 1, "big")
    if len(value) < 0x80:
        return head + bytes([len(value)]) + value
    if len(value) < 0x100:
        return head + bytes([0x81, len(value)]) + value
    return head + b"\x82" + len(value).to_bytes(2, "big") + value


def objects(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each data object, in order."""
    at = 0
    while at < len(raw):
        try:
            tag = raw[at]
            at += 1
            if tag & 0x1F == 0x1F:
                tag = tag << 8 | raw[at]
                at += 1
            length = raw[at]
            at += 1
            if length > 0x82 or length == 0x80:
                raise TlvError("length field not supported")
            if length > 0x80:
                size = length - 0x80
                length = int.from_bytes(raw[at : at + size], "big")
                at += size
        except IndexError:
            raise TlvError("data object cut short") from None
        if at + length > len(raw):
            raise TlvError("value cut short")
        yield tag, raw[at : at + length]
        at += length
