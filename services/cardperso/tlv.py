"""BER-TLV data objects (ISO/IEC 7816-4:2020, 6.3; tags of one or two bytes, lengths up to 65535)."""

from __future__ import annotations

from collections.abc import Iterator


class TlvError(ValueError):
    """The bytes are not a sequence of whole data objects."""


def encode(tag: int, value: bytes) -> bytes:
    """One data object, its length in as few bytes as possible (DER)."""
    size = len(value)
    if size < 0x80:
        length = bytes([size])
    elif size < 0x100:
        length = bytes([0x81, size])
    elif size < 0x10000:
        length = b"\x82" + size.to_bytes(2, "big")
    else:
        raise TlvError(f"a value of {size} bytes is too long")
    return tag.to_bytes(1 if tag < 0x100 else 2, "big") + length + value


def decode(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each data object.

    Raises:
        TlvError: cut short, or a length form that nobody needs for less than 64 KiB.
    """
    at, end = 0, len(raw)
    while at < end:
        tag, at = raw[at], at + 1
        if tag & 0x1F == 0x1F:
            if at >= end or raw[at] & 0x80:
                raise TlvError("tag cut short or longer than two bytes")
            tag, at = tag << 8 | raw[at], at + 1
        if at >= end:
            raise TlvError("length is missing")
        size, at = raw[at], at + 1
        if size >= 0x80:
            count = size - 0x80
            if count not in (1, 2) or at + count > end:
                raise TlvError("length cut short or in a form that is not allowed")
            size, at = int.from_bytes(raw[at : at + count], "big"), at + count
        if at + size > end:
            raise TlvError("value cut short")
        yield tag, raw[at : at + size]
        at += size


def find(raw: bytes, tag: int) -> bytes | None:
    """Value of the first data object with this tag, or None."""
    return next((value for found, value in decode(raw) if found == tag), None)
