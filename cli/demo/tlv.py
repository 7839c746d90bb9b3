"""BER-TLV as chips and certificates use it, for those that look at a card without its service's code."""

from __future__ import annotations

from collections.abc import Iterator


def objects(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of objects with tags of one byte, or two after 1F, 3F, 5F, 7F; ends where the bytes end.

    Raises:
        ValueError: an object is cut short.
        IndexError: so is its tag or length.
    """
    at = 0
    while at < len(content):
        tag, at = content[at], at + 1
        if tag & 0x1F == 0x1F:
            tag, at = tag << 8 | content[at], at + 1
        length, at = content[at], at + 1
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(content[at : at + size], "big"), at + size
        if at + length > len(content):
            raise ValueError("a data object is cut short")
        yield tag, content[at : at + length]
        at += length
