"""The commands of a card manager (GlobalPlatform Card Specification 2.3.1, clause 11)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from services.cardperso import tlv
from services.cardperso.globalplatform.errors import TooLong
from services.cardperso.globalplatform.messaging import SecureMessaging
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import BLOCK_SIZES, SoftwareKey, check_value, pad
from services.cardperso.pcsc.apdu import MAX_SHORT_RESPONSE, CommandApdu

_LE = MAX_SHORT_RESPONSE

_PUT_KEY_TYPES = {"TDES": 0x80, "AES": 0x88}
_MULTIPLE_KEYS = 0x80
_FIRST_KEY = 0x01

# P1 of STORE DATA and LOAD (11.11.2 and 11.6.2).
_LAST_BLOCK = 0x80
_ENCRYPTED = 0x60
_DGI_FORMAT = 0x08
_MAX_BLOCKS = 256


class Privilege(IntFlag):
    """First byte of an application's privileges (11.1.2), those that are used here."""

    NONE = 0x00
    SECURITY_DOMAIN = 0x80
    CARD_LOCK = 0x10
    DEFAULT_SELECTED = 0x04


class Scope(IntEnum):
    """What GET STATUS looks at and SET STATUS changes (11.4.2 and 11.10.2)."""

    ISSUER_SECURITY_DOMAIN = 0x80
    APPLICATIONS = 0x40
    LOAD_FILES = 0x20
    LOAD_FILES_AND_MODULES = 0x10


def select(aid: bytes = b"") -> CommandApdu:
    """SELECT (11.9); without name, the application that is selected by default."""
    return CommandApdu("SELECT", 0x00, 0xA4, 0x04, 0x00, aid, _LE)


def get_data(tag: int) -> CommandApdu:
    """GET DATA (11.3)."""
    return CommandApdu("GET DATA", 0x80, 0xCA, tag >> 8, tag & 0xFF, ne=_LE)


def install_for_load(load_file: bytes, security_domain: bytes = b"", load_hash: bytes = b"") -> CommandApdu:
    """INSTALL [for load] (11.5.2.3.1): announces a load file."""
    return _install("load", 0x02, load_file, security_domain, load_hash, b"", b"")


def load(file: bytes, longest: int) -> list[CommandApdu]:
    """LOAD (11.6) for a load file, in blocks of at most `longest` bytes.

    Raises:
        TooLong: there would be more blocks than P2 can count.
    """
    parts = list(_pieces(tlv.encode(0xC4, file), longest))
    if len(parts) > _MAX_BLOCKS:
        raise TooLong("LOAD", len(file), _MAX_BLOCKS * longest)
    return [
        CommandApdu("LOAD", 0x80, 0xE8, _LAST_BLOCK if number == len(parts) - 1 else 0, number, part, _LE)
        for number, part in enumerate(parts)
    ]


def install_for_install(
    load_file: bytes,
    module: bytes,
    instance: bytes,
    privileges: Privilege = Privilege.NONE,
    parameters: bytes = b"",
) -> CommandApdu:
    """INSTALL [for install and make selectable] (11.5.2.3.2); `parameters` are the application's own (C9)."""
    return _install(
        "install and make selectable",
        0x0C,
        load_file,
        module,
        instance,
        bytes([privileges]),
        tlv.encode(0xC9, parameters),
        b"",
    )


def install_for_personalization(instance: bytes) -> CommandApdu:
    """INSTALL [for personalization] (11.5.2.3.6): STORE DATA goes to this application from now on."""
    return _install("personalization", 0x20, b"", b"", instance, b"", b"", b"")


def _install(what: str, p1: int, *fields: bytes) -> CommandApdu:
    data = b"".join(bytes([len(value)]) + value for value in fields)
    return CommandApdu(f"INSTALL [for {what}]", 0x80, 0xE6, p1, 0x00, data, _LE)


def delete(aid: bytes, *, related: bool = False) -> CommandApdu:
    """DELETE an application or load file (11.2); `related` for a load file with all its applications."""
    return CommandApdu("DELETE", 0x80, 0xE4, 0x00, 0x80 if related else 0x00, tlv.encode(0x4F, aid), _LE)


def delete_keys(version: int) -> CommandApdu:
    """DELETE all keys of a version (11.2)."""
    return CommandApdu("DELETE [key]", 0x80, 0xE4, 0x00, 0x00, tlv.encode(0xD2, bytes([version])), _LE)


def get_status(scope: Scope, *, following: bool = False, aid: bytes = b"") -> CommandApdu:
    """GET STATUS (11.4) as data objects; `following` for what did not fit the last answer."""
    p2 = 0x02 | following
    return CommandApdu("GET STATUS", 0x80, 0xF2, scope, p2, tlv.encode(0x4F, aid), _LE)


def set_status(scope: Scope, state: int, aid: bytes = b"") -> CommandApdu:
    """SET STATUS (11.10) of the card or of the application `aid`."""
    return CommandApdu("SET STATUS", 0x80, 0xF0, scope, state, aid)


def put_key(messaging: SecureMessaging, keys: KeySet[SoftwareKey], replaces: int = 0) -> CommandApdu:
    """PUT KEY (11.8; key data of AES in Amendment D 1.2, 7.2) for a whole key set.

    Args:
        messaging: of the open session; it encrypts the keys once more.
        keys: the new set.
        replaces: version of the set that goes away; 0 adds one.
    """
    fields = b"".join(_key_field(messaging, key) for key in (keys.enc, keys.mac, keys.dek))
    data = bytes([keys.version]) + fields
    return CommandApdu("PUT KEY", 0x80, 0xD8, replaces, _MULTIPLE_KEYS | _FIRST_KEY, data, _LE)


def put_key_confirmation(keys: KeySet[SoftwareKey]) -> bytes:
    """What the card answers to PUT KEY (11.8.3): the version and the three check values."""
    return bytes([keys.version]) + b"".join(check_value(key) for key in (keys.enc, keys.mac, keys.dek))


def _key_field(messaging: SecureMessaging, key: SoftwareKey) -> bytes:
    block = BLOCK_SIZES[messaging.key_algorithm]
    value = messaging.encrypt_sensitive(key.value + bytes(-key.size % block))
    if key.algorithm == "AES":
        value = bytes([key.size]) + value
    kcv = check_value(key)
    return bytes([_PUT_KEY_TYPES[key.algorithm], len(value)]) + value + bytes([len(kcv)]) + kcv


@dataclass(frozen=True)
class Dgi:
    """A data grouping (EMV Card Personalization Specification 1.1, clause 2.2): identifier and value.

    A `secret` one travels encrypted under the key encryption key as well, padded by method 2.
    """

    tag: int
    value: bytes
    secret: bool = False

    def encode(self) -> bytes:
        """Two bytes of identifier, length in one byte or in FF and two, value."""
        size = len(self.value)
        length = bytes([size]) if size < 0xFF else b"\xff" + size.to_bytes(2, "big")
        return self.tag.to_bytes(2, "big") + length + self.value


def store_data(messaging: SecureMessaging, groups: Sequence[Dgi], longest: int) -> list[CommandApdu]:
    """STORE DATA (11.11) for all groups, in as few blocks of at most `longest` bytes as their order allows.

    Groups share a block, and only a group that is longer than a block is split over several. P1 says of each
    block whether it is the last, whether its data is encrypted, and that it holds DGIs; P2 counts. Secret and
    plain groups never share a block, for P1 speaks of the block as a whole.

    Raises:
        TooLong: there would be more blocks than P2 can count.
    """
    parts: list[tuple[bool, bytes]] = []
    for group in groups:
        value = group.value
        if group.secret:
            value = messaging.encrypt_sensitive(pad(value, BLOCK_SIZES[messaging.key_algorithm]))
        encoded = Dgi(group.tag, value).encode()
        room = longest - len(parts[-1][1]) if parts and parts[-1][0] == group.secret else 0
        if len(encoded) <= room or len(encoded) > longest:
            # What must be split anyway begins in the block before.
            beginning, encoded = encoded[:room], encoded[room:]
            if beginning:
                parts[-1] = (group.secret, parts[-1][1] + beginning)
        parts += [(group.secret, piece) for piece in _pieces(encoded, longest)]
    if len(parts) > _MAX_BLOCKS:
        raise TooLong("STORE DATA", sum(len(data) for _, data in parts), _MAX_BLOCKS * longest)
    return [
        CommandApdu(
            "STORE DATA",
            0x80,
            0xE2,
            (_LAST_BLOCK if number == len(parts) - 1 else 0) | (_ENCRYPTED if secret else 0) | _DGI_FORMAT,
            number,
            data,
        )
        for number, (secret, data) in enumerate(parts)
    ]


def _pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))
