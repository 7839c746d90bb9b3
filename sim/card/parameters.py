"""File control parameters: what SELECT tells of a file and CREATE FILE asks for (ISO/IEC 7816-4:2020,
7.4).
"""

from __future__ import annotations

from sim.card.apdu import StatusError
from sim.card.filesystem import CREATION, NEVER, ROOT, File
from sim.card.tlv import objects, tlv

TRANSPARENT_EF = 0x01
_DF = 0x38


def control_parameters(file: File) -> bytes:
    """Value of the FCP template (7816-4, 7.4.3)."""
    parts = b"" if file.is_df else tlv(0x80, file.size.to_bytes(2, "big"))
    parts += tlv(0x82, bytes([file.descriptor])) + tlv(0x83, file.fid.to_bytes(2, "big"))
    if file.name:
        parts += tlv(0x84, file.name)
    if file.sfi:
        parts += tlv(0x88, bytes([file.sfi << 3]))
    parts += tlv(0x8A, bytes([file.life_cycle]))
    if file.access:
        conditions = bytes(NEVER if file.never & bit else 0 for bit in _bits(file.access))
        parts += tlv(0x8C, bytes([file.access]) + conditions)
    return parts


def _bits(access: int) -> list[int]:
    """Bits set in an access mode byte, highest first: the order of the security condition bytes."""
    return [1 << n for n in range(6, -1, -1) if access >> n & 1]


def file_from(parameters: bytes, parent: File) -> File:
    """The file that an FCP template asks for: 6A80 where it is not to be had."""
    given = dict(objects(parameters))
    if set(given) - {0x80, 0x82, 0x83, 0x84, 0x88, 0x8A, 0x8C} or not {0x82, 0x83} <= set(given):
        raise StatusError(0x6A80)
    descriptor = given[0x82][0] if given[0x82] else 0
    name = given.get(0x84, b"")
    if descriptor == _DF:
        size = 0
        sensible = 5 <= len(name) <= 16 and parent is ROOT and 0x80 not in given and 0x88 not in given
    else:
        size = int.from_bytes(given.get(0x80, b""), "big")
        sensible = descriptor == TRANSPARENT_EF and len(given.get(0x80, b"")) == 2 and not name
    sfi = given.get(0x88, b"\0")
    access = given.get(0x8C, b"\0")
    bits = _bits(access[0]) if access else []
    if (
        not sensible
        or len(given[0x83]) != 2
        or len(sfi) != 1
        or sfi[0] & 0x07
        or len(access) != 1 + len(bits)
        or set(access[1:]) - {0, NEVER}
        or given.get(0x8A, bytes([CREATION])) not in (b"\x01", b"\x03")
    ):
        raise StatusError(0x6A80)
    return File(
        at=0,
        descriptor=descriptor,
        fid=int.from_bytes(given[0x83], "big"),
        parent=parent.fid,
        size=size,
        sfi=sfi[0] >> 3,
        life_cycle=given.get(0x8A, bytes([CREATION]))[0],
        access=access[0],
        never=sum(bit for bit, condition in zip(bits, access[1:], strict=True) if condition == NEVER),
        name=name,
    )
