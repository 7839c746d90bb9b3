"""Chip profiles: a TOML file says which files a chip has, how each is encoded, who reads it, and how many
bytes it may take.

A profile is checked as a whole when it is loaded, so that a mistake stops the start and not the hundredth
card.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from services.cardperso.chip.access import KEYS_BYTES, AccessSource
from services.cardperso.chip.encoders import MRZ_ENCODER, SECURITY_ENCODER, Encoder, available
from services.common.errors import ConfigurationError

SHIPPED = Path(__file__).parent / "profiles"
RULE_BYTES = 3
"""Bytes in which the application is told who reads a file."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PROFILE = {"name", "application", "chip", "access", "file"}
_CHIP = {"capacity", "file_overhead"}
_ACCESS = {"keys", "grouping"}
_FILE = {"key", "identifier", "encoder", "budget", "read", "number", "optional", "options"}
_NEEDED = {"key", "identifier", "encoder", "budget", "read"}
_SECRETS = range(0x8000, 0x9000)
"""Identifiers of groupings that travel encrypted (EMV Card Personalization Specification 1.1, 2.2)."""


class Read(Enum):
    """Who may read a file."""

    FREE = "free"
    AUTHENTICATED = "authenticated"
    """Readers that have proved to know the chip's access keys."""


@dataclass(frozen=True)
class ChipFile:
    """A transparent file.

    Args:
        key: name in this service.
        identifier: file identifier on the chip, and of the data grouping that brings it.
        encoder: makes the content.
        budget: bytes that it may take.
        read: who may read it.
        number: of the data group; 0 where it is none.
        optional: whether a person who lacks what it needs gets a card without it.
        options: for the encoder.
    """

    key: str
    identifier: int
    encoder: str
    budget: int
    read: Read
    number: int = 0
    optional: bool = False
    options: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def sfi(self) -> int:
        """Short identifier: the last five bits."""
        return self.identifier & 0x1F


@dataclass(frozen=True)
class Profile:
    """An application on a chip.

    Args:
        name: of the profile.
        aid: of the application.
        capacity: bytes of the chip.
        file_overhead: bytes that the card spends on the application and on each file.
        files: in the order in which they are written.
        keys: where the access keys come from; None where everything is free.
        keys_grouping: identifier of the data grouping that brings them.
        encoders: those that the files name.
    """

    name: str
    aid: bytes
    capacity: int
    file_overhead: int
    files: tuple[ChipFile, ...]
    keys: AccessSource | None = None
    keys_grouping: int = 0
    encoders: Mapping[str, Encoder] = field(default_factory=dict, repr=False, compare=False)

    def file(self, key: str) -> ChipFile:
        """The file with this key."""
        return next(file for file in self.files if file.key == key)

    @property
    def most(self) -> int:
        """Bytes of EEPROM with every budget used up."""
        known = RULE_BYTES * len(self.files) + KEYS_BYTES if self.keys else 0
        return known + sum(file.budget for file in self.files) + self.file_overhead * (1 + len(self.files))


def find(name: str, encoders: Mapping[str, Encoder] | None = None) -> Profile:
    """A profile by the name of one that is shipped, or by the path of a file.

    Raises:
        ConfigurationError: there is none, or it is wrong; the message says where.
    """
    if _NAME.fullmatch(name):
        path = SHIPPED / f"{name}.toml"
        if not path.exists():
            raise ConfigurationError(
                f"There is no chip profile {name!r}; shipped are {', '.join(shipped())}. A profile of your "
                "own is named by the path of its file."
            )
    else:
        path = Path(name)
    return load(path, encoders)


def shipped() -> list[str]:
    """Names of the profiles that come along."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(path: Path, encoders: Mapping[str, Encoder] | None = None) -> Profile:
    """Read and check a profile.

    Args:
        path: TOML file.
        encoders: what its files may name; all that are installed unless given.

    Raises:
        ConfigurationError: it cannot be read, or something in it is wrong; the message says where.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The chip profile {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The chip profile {path} is no TOML: {error}.") from None
    try:
        return _profile(raw, encoders if encoders is not None else available())
    except _WrongError as wrong:
        raise ConfigurationError(f"Chip profile {path.name}: {wrong}.") from None


class _WrongError(Exception):
    """What is wrong, and where."""


def _profile(raw: dict[str, Any], encoders: Mapping[str, Encoder]) -> Profile:
    _check_keys(raw, "the file", _PROFILE, {"name", "application", "chip", "file"})
    chip, access = _table(raw, "chip"), _table(raw, "access")
    _check_keys(chip, "[chip]", _CHIP, _CHIP)
    _check_keys(access, "[access]", _ACCESS, _ACCESS if access else set())
    name = _text(raw, "the file", "name")
    if not _NAME.fullmatch(name):
        raise _WrongError(f"name {name!r} may have small letters, digits and hyphens only")
    if not isinstance(raw["file"], list):
        raise _WrongError("'file' is a list of tables, [[file]]")
    files = tuple(_file(entry, f"[[file]] {n}", encoders) for n, entry in enumerate(raw["file"], 1))
    profile = Profile(
        name=name,
        aid=_application(raw),
        capacity=_number(chip, "[chip]", "capacity", range(1, 1 << 20)),
        file_overhead=_number(chip, "[chip]", "file_overhead", range(1024)),
        files=files,
        keys=_keys(access) if access else None,
        keys_grouping=_number(access, "[access]", "grouping", _SECRETS) if access else 0,
        encoders={file.encoder: encoders[file.encoder] for file in files},
    )
    _check(profile)
    return profile


def _check(profile: Profile) -> None:
    """What holds between the parts."""
    for what in ("key", "identifier", "sfi"):
        values = [getattr(file, what) for file in profile.files]
        twice = next((file for n, file in enumerate(profile.files) if values[n] in values[:n]), None)
        if twice is not None:
            raise _WrongError(f"the {what} of file {twice.key!r} is that of another file")
    numbers = [file.number for file in profile.files if file.number]
    if len(set(numbers)) != len(numbers):
        raise _WrongError("two files have the same data group number")
    for file in profile.files:
        if profile.encoders[file.encoder].for_group != bool(file.number):
            verb = "needs" if not file.number else "is no data group and has"
            raise _WrongError(f"file {file.key!r} with encoder {file.encoder!r} {verb} a number")
    encoders = [file.encoder for file in profile.files]
    if encoders.count(SECURITY_ENCODER) != 1 or not numbers:
        raise _WrongError(f"a profile has data groups and one file with the encoder {SECURITY_ENCODER!r}")
    if profile.keys is AccessSource.MRZ and encoders.count(MRZ_ENCODER) != 1:
        raise _WrongError(f"access keys from the machine readable zone need one {MRZ_ENCODER!r} file")
    if profile.keys is None and any(file.read is Read.AUTHENTICATED for file in profile.files):
        raise _WrongError("files are read by authenticated readers only, but there is no [access]")
    if profile.most > profile.capacity:
        raise _WrongError(
            f"the budgets and the overhead come to {profile.most} bytes; the chip has {profile.capacity}"
        )


def _file(entry: dict[str, Any], where: str, encoders: Mapping[str, Encoder]) -> ChipFile:
    if not isinstance(entry, dict):
        raise _WrongError(f"{where} is no table")
    _check_keys(entry, where, _FILE, _NEEDED)
    key, name = _text(entry, where, "key"), _text(entry, where, "encoder")
    where = f"file {key!r}"
    if name not in encoders:
        raise _WrongError(
            f"{where} has the unknown encoder {name!r}; known are {', '.join(sorted(encoders))}"
        )
    options = _table(entry, "options")
    _check_keys(options, f"options of {where}", set(encoders[name].options), set(encoders[name].options))
    optional = entry.get("optional", False)
    if not isinstance(optional, bool):
        raise _WrongError(f"'optional' of {where} is true or false")
    identifier = _number(entry, where, "identifier", range(0x0100, 0x8000))
    if not 1 <= identifier & 0x1F <= 30:
        raise _WrongError(
            f"the last five bits of the identifier of {where} give no short identifier (1 to 30)"
        )
    return ChipFile(
        key=key,
        identifier=identifier,
        encoder=name,
        budget=_number(entry, where, "budget", range(1, 1 << 16)),
        read=_read(entry, where),
        number=_number(entry, where, "number", range(1, 17)) if "number" in entry else 0,
        optional=optional,
        options={option: _number(options, where, option, range(1, 1 << 16)) for option in options},
    )


def _application(raw: dict[str, Any]) -> bytes:
    digits = _text(raw, "the file", "application")
    try:
        aid = bytes.fromhex(digits)
    except ValueError:
        aid = b""
    if not 5 <= len(aid) <= 16:
        raise _WrongError("'application' is an identifier of 5 to 16 bytes in hexadecimal")
    return aid


def _keys(access: dict[str, Any]) -> AccessSource:
    try:
        return AccessSource(access["keys"])
    except ValueError:
        raise _WrongError(f"'keys' in [access] is {_choices(AccessSource)}") from None


def _read(entry: dict[str, Any], where: str) -> Read:
    try:
        return Read(entry["read"])
    except ValueError:
        raise _WrongError(f"'read' of {where} is {_choices(Read)}") from None


def _choices(kind: type[Enum]) -> str:
    return " or ".join(repr(member.value) for member in kind)


def _check_keys(table: dict[str, Any], where: str, known: set[str], needed: set[str]) -> None:
    if unknown := sorted(set(table) - known):
        raise _WrongError(f"{where} has {unknown[0]!r}, which means nothing there")
    if missing := sorted(needed - set(table)):
        raise _WrongError(f"{where} lacks {missing[0]!r}")


def _table(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise _WrongError(f"{key!r} is a table")
    return value


def _text(table: dict[str, Any], where: str, key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise _WrongError(f"{key!r} of {where} is a text")
    return value


def _number(table: dict[str, Any], where: str, key: str, allowed: range) -> int:
    value = table[key]
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise _WrongError(f"{key!r} of {where} is a number from {allowed.start} to {allowed.stop - 1}")
    return value
