"""The commands that make and read an application of plain files (ISO/IEC 7816-4:2020 and 7816-13:2007)."""

from __future__ import annotations

from services.cardperso import tlv
from services.cardperso.chip.profile import ChipFile, Profile
from services.cardperso.pcsc.apdu import MAX_SHORT_RESPONSE, CommandApdu

_DF = b"\x38"
_TRANSPARENT_EF = b"\x01"
_CREATION_STATE = b"\x01"
# Access mode byte and security conditions in compact format (7816-4, 9.3.3.1): once the application is
# activated, # nobody deletes, adds or updates; everyone reads.
_SEALED_DF = bytes.fromhex("47 FF FF FF FF")
_SEALED_EF = bytes.fromhex("43 FF FF 00")


def select(profile: Profile) -> CommandApdu:
    """SELECT the application by name, asking for its control parameters."""
    return CommandApdu("SELECT", 0x00, 0xA4, 0x04, 0x04, profile.aid, MAX_SHORT_RESPONSE)


def create_application(profile: Profile) -> CommandApdu:
    """CREATE FILE for the application's DF; it is the current one afterwards."""
    return _create(
        tlv.encode(0x82, _DF)
        + tlv.encode(0x83, profile.fid.to_bytes(2, "big"))
        + tlv.encode(0x84, profile.aid)
        + tlv.encode(0x8A, _CREATION_STATE)
        + tlv.encode(0x8C, _SEALED_DF)
    )


def create_file(file: ChipFile, size: int) -> CommandApdu:
    """CREATE FILE for an EF of `size` bytes; it is the current one afterwards."""
    return _create(
        tlv.encode(0x80, size.to_bytes(2, "big"))
        + tlv.encode(0x82, _TRANSPARENT_EF)
        + tlv.encode(0x83, file.fid.to_bytes(2, "big"))
        + tlv.encode(0x88, bytes([file.sfi << 3]))
        + tlv.encode(0x8A, _CREATION_STATE)
        + tlv.encode(0x8C, _SEALED_EF)
    )


def update(offset: int, data: bytes) -> CommandApdu:
    """UPDATE BINARY of the current EF."""
    return CommandApdu("UPDATE BINARY", 0x00, 0xD6, offset >> 8, offset & 0xFF, data)


def read(file: ChipFile, offset: int, length: int) -> CommandApdu:
    """READ BINARY; from the start by short identifier, which makes the EF current for what follows."""
    if offset == 0:
        return CommandApdu("READ BINARY", 0x00, 0xB0, 0x80 | file.sfi, 0x00, ne=length)
    return CommandApdu("READ BINARY", 0x00, 0xB0, offset >> 8, offset & 0xFF, ne=length)


def delete_application(profile: Profile) -> CommandApdu:
    """DELETE FILE for the application's DF and all that it holds."""
    return CommandApdu("DELETE FILE", 0x00, 0xE4, 0x04, 0x00, profile.aid)


def activate_application(profile: Profile) -> CommandApdu:
    """ACTIVATE FILE for the application's DF: from now on its access rules hold."""
    return CommandApdu("ACTIVATE FILE", 0x00, 0x44, 0x04, 0x00, profile.aid)


def _create(parameters: bytes) -> CommandApdu:
    return CommandApdu("CREATE FILE", 0x00, 0xE0, 0x00, 0x00, tlv.encode(0x62, parameters))
