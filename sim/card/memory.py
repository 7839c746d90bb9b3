"""The card's EEPROM in a file: what was programmed before a power loss is still there after it.

File layout: 32 bytes that the maker fixes (magic, UID), then the EEPROM cells. Every write goes to the file
at once and in pages, as a chip programs its EEPROM, so a card that loses power in the middle of a command
keeps the pages that were done.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

CAPACITY = 8192
"""Bytes of EEPROM of the card that the programme bought."""
PAGE = 64
"""Bytes that are programmed in one go."""
ERASED = 0x00

_MAGIC = b"TGCARD01"
_HEADER = 32
_UID = slice(9, 19)


class WriteError(Exception):
    """A cell could not be programmed; the card answers 6581."""


class PowerLossError(Exception):
    """The field collapsed while a page was being programmed."""


class CardMemory:
    """EEPROM and UID of one card, kept in `path`.

    A missing file becomes a factory-fresh card with the given or a random 7-byte UID (NXP-style, leading 04).
    `before_page` is called before each page is programmed; it may raise `WriteError` or `PowerLossError`, and
    where it returns True the page comes out with its first bit flipped, as worn-out cells do.
    """

    def __init__(
        self,
        path: Path,
        *,
        uid: bytes | None = None,
        capacity: int = CAPACITY,
        before_page: Callable[[], bool] = lambda: False,
    ) -> None:
        self.path = path
        self.before_page = before_page
        if not path.exists():
            _manufacture(path, uid or b"\x04" + secrets.token_bytes(6), capacity)
        self._file = os.open(path, os.O_RDWR)
        content = os.pread(self._file, _HEADER + CAPACITY * 8, 0)
        if content[:8] != _MAGIC:
            os.close(self._file)
            raise ValueError(f"{path} is not a card image")
        self.uid = content[_UID][: content[8]]
        if uid is not None and uid != self.uid:
            os.close(self._file)
            raise ValueError(f"{path} is the card {self.uid.hex().upper()}, not {uid.hex().upper()}")
        self._cells = bytearray(content[_HEADER:])

    @property
    def capacity(self) -> int:
        """Size of the EEPROM in bytes."""
        return len(self._cells)

    def read(self, offset: int, length: int) -> bytes:
        """Cells `offset` … `offset + length - 1`."""
        return bytes(self._cells[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        """Program cells page by page; a page that is reached is kept whatever happens afterwards."""
        for start in range(0, len(data), PAGE):
            page = data[start : start + PAGE]
            if self.before_page():
                page = bytes([page[0] ^ 0x80]) + page[1:]
            self._cells[offset + start : offset + start + len(page)] = page
            os.pwrite(self._file, page, _HEADER + offset + start)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _manufacture(path: Path, uid: bytes, capacity: int) -> None:
    if len(uid) not in (4, 7, 10):
        raise ValueError("a UID has 4, 7 or 10 bytes (ISO/IEC 14443-3)")
    header = (_MAGIC + bytes([len(uid)]) + uid).ljust(_HEADER, b"\0")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(header + bytes([ERASED]) * capacity)
    draft.replace(path)
