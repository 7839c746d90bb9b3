"""The capture packet: images that arrive in pieces, put together and checked as a whole.

Nothing of a packet is stored before all of it is here and good; see :meth:`Assembler.finish`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn

from services.common.errors import InvalidArgument, ResourceExhausted
from services.enroll import images

MAX_FINGERS = 10
#: The ABIS accepts no less and no more.
MIN_DPI = 200
#: Positions of the contract: the sender did not say; honestly not known.
UNSPECIFIED_POSITION = 0
UNKNOWN_POSITION = 1


class ImageKind(IntEnum):
    """What an image shows; numbered as in the contract."""

    FACE = 1
    FINGER = 2
    SIGNATURE = 3


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a kit says of an image before it sends it.

    Attributes:
        kind: What it shows.
        position: Finger position as the contract numbers it; 0 where it is no finger.
        size: Bytes of the file.
        sha256: Digest of the file.
        dpi: Resolution in pixels per inch; 0 where the kit did not say.
    """

    kind: ImageKind
    position: int
    size: int
    sha256: bytes
    dpi: int


@dataclass(frozen=True, slots=True)
class CapturedImage:
    """One image as announced, with its file."""

    announced: Announcement
    content: bytes


class Assembler:
    """Puts the images of one submission together, and refuses the first thing that is wrong."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._images: list[CapturedImage] = []
        self._announced: Announcement | None = None
        self._content = bytearray()

    def announce(self, announced: Announcement) -> None:
        """Begins the next image; the one before must be complete.

        Raises:
            InvalidArgument: The image before is incomplete, or this one contradicts itself or those before.
            ResourceExhausted: ``SUBMISSION_TOO_LARGE``.
        """
        self._complete()
        field = f"images[{len(self._images)}]"
        self._bytes += announced.size
        if self._bytes > self._max_bytes:
            raise ResourceExhausted(
                "SUBMISSION_TOO_LARGE",
                f"The images have more than {self._max_bytes:,} bytes together.",
                field=f"{field}.size",
                remedy="Send smaller files: finger images of 500 dpi as PNG, the face as JPEG.",
            )
        if announced.kind is ImageKind.FINGER:
            _check_finger(announced, field)
        elif announced.position != UNSPECIFIED_POSITION:
            _refuse(
                "POSITION_WITHOUT_FINGER",
                f"A {announced.kind.name.lower()} has no finger position.",
                f"{field}.position",
                "Leave the position unspecified.",
            )
        self._check_count(announced, field)
        self._announced = announced

    def append(self, chunk: bytes) -> None:
        """Adds the next bytes of the image announced last.

        Raises:
            InvalidArgument: ``CHUNK_WITHOUT_IMAGE`` or ``IMAGE_SIZE_DISAGREES``.
        """
        if self._announced is None:
            _refuse(
                "CHUNK_WITHOUT_IMAGE", "A chunk came before any image header.", "chunk", "Announce it first."
            )
        self._content += chunk
        if len(self._content) > self._announced.size:
            self._refuse_size("more")

    def finish(self) -> tuple[CapturedImage, ...]:
        """Ends the packet.

        Returns:
            The images in the order sent: one face, one signature, one to ten fingers; each one decodes.

        Raises:
            InvalidArgument: Something is missing, incomplete or damaged.
        """
        self._complete()
        counts = Counter(image.announced.kind for image in self._images)
        for kind in ImageKind:
            if not counts[kind]:
                _refuse(
                    f"{kind.name}_MISSING",
                    f"The submission has no {kind.name.lower()} image.",
                    "images",
                    "Send exactly one face, exactly one signature and one to ten fingers.",
                )
        for number, image in enumerate(self._images):
            images.require_whole(image.content, f"images[{number}]")
        return tuple(self._images)

    def _complete(self) -> None:
        if self._announced is None:
            return
        content = bytes(self._content)
        if len(content) < self._announced.size:
            self._refuse_size("fewer")
        if hashlib.sha256(content).digest() != self._announced.sha256:
            _refuse(
                "IMAGE_DIGEST_DISAGREES",
                "The bytes received do not have the SHA-256 that was announced.",
                f"images[{len(self._images)}].sha256",
                "Send the file again; if it happens again, compute the digest anew.",
            )
        self._images.append(CapturedImage(self._announced, content))
        self._announced = None
        self._content = bytearray()

    def _check_count(self, announced: Announcement, field: str) -> None:
        same = [image for image in self._images if image.announced.kind is announced.kind]
        most = MAX_FINGERS if announced.kind is ImageKind.FINGER else 1
        if len(same) == most:
            _refuse(
                f"{announced.kind.name}_REPEATED",
                f"The submission has more than {most} {announced.kind.name.lower()} image(s).",
                f"{field}.kind",
                "Send exactly one face, exactly one signature and one to ten fingers.",
            )
        known = {image.announced.position for image in same} - {UNKNOWN_POSITION, UNSPECIFIED_POSITION}
        if announced.position in known:
            _refuse(
                "POSITION_REPEATED",
                "The same finger was sent before.",
                f"{field}.position",
                "Send each finger once, the best impression of it.",
            )

    def _refuse_size(self, more_or_fewer: str) -> NoReturn:
        assert self._announced is not None
        _refuse(
            "IMAGE_SIZE_DISAGREES",
            f"The image has {more_or_fewer} bytes than the {self._announced.size:,} that were announced.",
            f"images[{len(self._images)}].size",
            "Announce the size of the file, then send all of it and nothing else.",
        )


def submission_digest(header: bytes, captured: Sequence[CapturedImage]) -> bytes:
    """SHA-256 of a whole submission, however it was cut into chunks.

    Args:
        header: Deterministic serialisation of the record header.
        captured: The images in order.
    """
    digest = hashlib.sha256(hashlib.sha256(header).digest())
    for image in captured:
        announced = image.announced
        digest.update(f"{announced.kind:d} {announced.position:d} {announced.dpi:d} ".encode())
        digest.update(announced.sha256)
    return digest.digest()


def _check_finger(announced: Announcement, field: str) -> None:
    if announced.position == UNSPECIFIED_POSITION:
        _refuse(
            "POSITION_MISSING",
            "A finger image needs its position.",
            f"{field}.position",
            "Say which finger it is, or FINGER_POSITION_UNKNOWN where nobody knows.",
        )
    if announced.dpi < MIN_DPI:
        _refuse(
            "RESOLUTION_MISSING" if announced.dpi == 0 else "RESOLUTION_TOO_LOW",
            f"A finger image needs its resolution, at least {MIN_DPI} dpi; {announced.dpi} was sent.",
            f"{field}.dpi",
            "Send the resolution that the scanner declares, usually 500.",
        )


def _refuse(reason: str, message: str, field: str, remedy: str) -> NoReturn:
    raise InvalidArgument(reason, message, field=field, remedy=remedy)
