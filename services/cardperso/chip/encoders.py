"""Encoders of files, by the names that profiles use. A package adds its own as an entry point of the group
`tunggal.chip_encoders`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from types import MappingProxyType

from services.cardperso.chip import biodata, directory, fingers, lds, mrz, portrait, security_object
from services.cardperso.chip.security_object import Signer
from services.cardperso.holder import Holder
from services.common.errors import ConfigurationError

SECURITY_ENCODER, MRZ_ENCODER = "security-object", "mrz-td1"
"""Encoders that a profile as a whole depends on: what signs, and what says where access keys come from."""
ENTRY_POINTS = "tunggal.chip_encoders"


@dataclass(frozen=True)
class Material:
    """What an encoder may use. `groups` are the data groups by number; they are there for files that are not
    data groups themselves. `options` and `budget` are those of the file.
    """

    holder: Holder
    signer: Signer
    budget: int
    options: Mapping[str, int]
    groups: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoder:
    """Makes the content of a file; `options` names those that a profile must set.

    `encode` raises `ChipRefusal` where the record does not give what the file needs.
    """

    encode: Callable[[Material], bytes]
    options: frozenset[str] = frozenset()
    for_group: bool = True
    """Whether the file is a data group; others see the finished groups."""


def _portrait(given: Material) -> bytes:
    size = (given.options["width"], given.options["height"])
    return portrait.portrait(given.holder.face, given.budget, size)


def _face_record(given: Material) -> bytes:
    width, height = given.options["width"], given.options["height"]
    frame = len(lds.dg2(bytes(given.budget), width, height, given.holder.sex)) - given.budget
    picture = portrait.portrait(given.holder.face, given.budget - frame, (width, height))
    return lds.dg2(picture, width, height, given.holder.sex)


BUILT_IN: Mapping[str, Encoder] = MappingProxyType(
    {
        "biodata": Encoder(lambda given: biodata.encode(given.holder)),
        "portrait": Encoder(_portrait, frozenset({"width", "height"})),
        "signature": Encoder(lambda given: portrait.signature(given.holder.signature, given.budget)),
        "finger": Encoder(
            lambda given: fingers.finger(given.holder, given.options["rank"], given.budget),
            frozenset({"rank"}),
        ),
        MRZ_ENCODER: Encoder(lambda given: lds.dg1(mrz.of(given.holder).lines)),
        "face-record": Encoder(_face_record, frozenset({"width", "height"})),
        "directory": Encoder(lambda given: directory.encode(given.groups), for_group=False),
        "ef-com": Encoder(lambda given: lds.ef_com(given.groups), for_group=False),
        SECURITY_ENCODER: Encoder(
            lambda given: security_object.security_object(given.groups, given.signer), for_group=False
        ),
    }
)


def available() -> dict[str, Encoder]:
    """The built-in encoders and those that are installed beside.

    Raises:
        ConfigurationError: an installed one is no `Encoder`, or has the name of another.
    """
    found = dict(BUILT_IN)
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        encoder = entry.load()
        if not isinstance(encoder, Encoder) or entry.name in found:
            raise ConfigurationError(f"The chip encoder {entry.name!r} of {entry.value} cannot be used.")
        found[entry.name] = encoder
    return found
