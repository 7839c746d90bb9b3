"""Which standard a finger minutiae record follows, and its fingers: the one place where that is decided."""

from __future__ import annotations

from services.abis.formats import ansi378, iso19794_2, iso19794_2_2011
from services.abis.formats.minutiae import FingerMinutiae
from services.common.errors import InvalidArgument

MAGIC = iso19794_2.MAGIC
"""First bytes of all of them."""
_OTHERS = {
    b"FIR\0": "a finger image record (ISO/IEC 19794-4)",
    b"FAC\0": "a face image record (ISO/IEC 19794-5)",
    b"IIR\0": "an iris image record (ISO/IEC 19794-6)",
    b"SDI\0": "a signature record (ISO/IEC 19794-7)",
    b"FSK\0": "a finger skeleton record (ISO/IEC 19794-8)",
    b"VIR\0": "a vascular image record (ISO/IEC 19794-9)",
}
"""Format identifiers of the other parts of the standard."""


def read(data: bytes, *, field: str = "record") -> tuple[FingerMinutiae, ...]:
    """Fingers of a record of ISO/IEC 19794-2:2005 or :2011 or ANSI/INCITS 378-2004.

    Raises InvalidArgument as the reader of that standard does; what is none of them is refused as a record of
    2005, a record of another modality as such.
    """
    other = _OTHERS.get(data[:4])
    if other is not None:
        raise InvalidArgument(
            "TEMPLATE_MODALITY",
            f"This is {other}, not a record of finger minutiae.",
            field=field,
            remedy="Send finger minutiae (ISO/IEC 19794-2 or ANSI/INCITS 378), or an image as an image.",
        )
    if data[4:8] == iso19794_2_2011.VERSION:
        return iso19794_2_2011.read(data, field=field).impressions()
    if _is_ansi(data):
        return ansi378.read(data, field=field).impressions()
    return iso19794_2.read(data, field=field).impressions()


def _is_ansi(data: bytes) -> bool:
    """ANSI and ISO records of the first generation bear the same name and version and differ in how they give
    their length: two bytes against four, which begin with two zeros in any record of one person.
    """
    if int.from_bytes(data[8:12], "big") == len(data):
        return False
    return data[8:10] != b"\0\0" or int.from_bytes(data[10:14], "big") == len(data)
