"""What a submitted sample holds: one impression of one finger, or a file of several fingers and views.

A file of one finger is the finger that the request says it is. A file of several (ISO/IEC 19794-2 and -4,
ANSI/INCITS 378, ANSI/NIST-ITL) tells them apart by the positions in it, so the request must not name one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.finger import UNKNOWN
from services.abis.formats import finger_record
from services.abis.formats.finger_image import PackedImage
from services.abis.formats.image_container import unpack
from services.abis.formats.minutiae import FingerMinutiae
from services.common.errors import InvalidArgument

MOST_FINGERS = 10
MOST_VIEWS = 40
"""Views of one call: each costs an extraction."""
_ISO_OFFSET = 1
"""FingerPosition is the ISO code plus one, so that zero can stay "unspecified"."""


def position_code(position: int) -> int:
    """ISO code of a FingerPosition."""
    return position - _ISO_OFFSET


def position_value(code: int) -> int:
    """FingerPosition of an ISO code."""
    return code + _ISO_OFFSET


@dataclass(frozen=True, eq=False)
class View:
    """One impression. source: an image file, an image in a container, or minutiae. path: of the request field
    that carries it; dpi: as the request declares it, 0 for minutiae; number, count: which of how many views
    of its file it is; position: as the file has it.
    """

    source: bytes | PackedImage | FingerMinutiae
    path: str
    dpi: float = 0.0
    position: int = UNKNOWN
    number: int = 0
    count: int = 1

    @property
    def place(self) -> str:
        """Where in the file it is, for readers of errors; empty where it is alone."""
        if self.count == 1:
            return ""
        finger = f"finger {self.position}" if self.position != UNKNOWN else "of unknown position"
        return f"View {self.number + 1} of {self.count} ({finger}): "


@dataclass(frozen=True, eq=False)
class Views:
    """All views of one finger. field: path of the sample that it came in; position: code of ISO/IEC 19794."""

    position: int
    field: str
    views: tuple[View, ...]


def fingers_of(messages: Sequence[pb.FingerSample], *, field: str) -> list[Views]:
    """The fingers of the samples, in their order; those of one file in its order.

    Raises InvalidArgument as the readers of the formats do; POSITION_CONTRADICTED and POSITION_FOR_SEVERAL
    where request and file disagree on which finger it is, FINGERS_TOO_MANY where there are more than ten, or
    absurdly many views.
    """
    found = [views for k, message in enumerate(messages) for views in _of(message, f"{field}[{k}]")]
    views = sum(len(finger.views) for finger in found)
    if len(found) > MOST_FINGERS or views > MOST_VIEWS:
        raise InvalidArgument(
            "FINGERS_TOO_MANY",
            f"The samples hold {len(found)} fingers in {views} views; at most {MOST_FINGERS} in {MOST_VIEWS} "
            "are accepted.",
            field=field,
            remedy="Send the fingers of one person only, each once.",
        )
    return found


def finger_of(message: pb.FingerSample, *, field: str) -> Views:
    """The one finger of a sample; InvalidArgument FINGER_COUNT where it holds several."""
    found = _of(message, field)
    if len(found) != 1:
        raise InvalidArgument(
            "FINGER_COUNT",
            f"The sample holds {len(found)} fingers; one is compared.",
            field=found[0].views[0].path,
            remedy="Send one finger here, or name its position if the file holds several views of it.",
        )
    return found[0]


def _of(message: pb.FingerSample, field: str) -> list[Views]:
    views = _views(message, field)
    declared = position_code(message.position)
    claimed = {view.position for view in views} - {UNKNOWN}
    if len(views) == 1:
        _require_same(declared, views[0].position, field)
        return [Views(declared, field, (views[0],))]
    if declared == UNKNOWN:
        return _by_position(views, field)
    if claimed - {declared}:
        codes = ", ".join(str(code) for code in sorted(claimed))
        raise InvalidArgument(
            "POSITION_FOR_SEVERAL",
            f"The sample is declared as finger {declared}; its file holds the fingers {codes}.",
            field=f"{field}.position",
            remedy="Mark the sample as of unknown position: the file then says which finger is which.",
        )
    return [Views(declared, field, tuple(views))]


def _views(message: pb.FingerSample, field: str) -> list[View]:
    if message.WhichOneof("data") == "image":
        path = f"{field}.image.content"
        images = unpack(message.image.content, field=path)
        dpi = float(message.image.dpi)
        if images is None:
            return [View(message.image.content, path, dpi)]
        return [View(one, path, dpi, one.position, k, len(images)) for k, one in enumerate(images)]
    path = f"{field}.iso19794_2_record"
    records = finger_record.read(message.iso19794_2_record, field=path)
    if not records:
        raise InvalidArgument(
            "TEMPLATE_VIEWS",
            "The record has no finger view.",
            field=path,
            remedy="Leave out fingers of which nothing was captured.",
        )
    return [View(one, path, 0.0, one.position, k, len(records)) for k, one in enumerate(records)]


def _by_position(views: Sequence[View], field: str) -> list[Views]:
    """Views of one known position together; of unknown position nobody knows whether they belong together."""
    known: dict[int, list[View]] = {}
    groups: list[list[View]] = []
    for view in views:
        if view.position in known:
            known[view.position].append(view)
            continue
        groups.append([view])
        if view.position != UNKNOWN:
            known[view.position] = groups[-1]
    return [Views(group[0].position, field, tuple(group)) for group in groups]


def _require_same(declared: int, claimed: int, field: str) -> None:
    """What the file says of the finger must not contradict the request: fingers get swapped."""
    if UNKNOWN not in (claimed, declared) and claimed != declared:
        raise InvalidArgument(
            "POSITION_CONTRADICTED",
            f"The sample is declared as finger {declared}, its record says {claimed}.",
            field=f"{field}.position",
            remedy="Find out which finger it is, or mark the sample as of unknown position.",
        )
