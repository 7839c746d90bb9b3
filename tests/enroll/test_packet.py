"""Packets: put together from chunks, and refused for the first thing that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tunggal.enroll.v1 import enroll_pb2

from services.common.errors import InvalidArgument, ResourceExhausted, TunggalError
from services.enroll.packet import (
    UNKNOWN_POSITION,
    Announcement,
    Assembler,
    CapturedImage,
    ImageKind,
    submission_digest,
)
from tests.enroll.enroll_people import drawing, image_of, packet

FACE, SIGNATURE, *FINGERS = packet("Sri", positions=range(2, 12))


def assemble(
    images: Sequence[CapturedImage], max_bytes: int = 10**6, chunk: int = 1000
) -> tuple[CapturedImage, ...]:
    assembler = Assembler(max_bytes)
    for image in images:
        assembler.announce(image.announced)
        for start in range(0, len(image.content), chunk):
            assembler.append(image.content[start : start + chunk])
    return assembler.finish()


def finger(**changes: object) -> CapturedImage:
    return replace(FINGERS[0], announced=replace(FINGERS[0].announced, **changes))  # type: ignore[arg-type]


@settings(max_examples=25)
@given(st.integers(1, 4000), st.integers(1, 10), st.randoms(use_true_random=False))
def test_a_packet_is_the_same_however_it_is_cut(chunk: int, fingers: int, random: object) -> None:
    images = [FACE, SIGNATURE, *FINGERS[:fingers]]
    random.shuffle(images)  # type: ignore[attr-defined]
    assert assemble(images, chunk=chunk) == tuple(images)


def test_fingers_of_unknown_position_may_be_several() -> None:
    unknown = [image_of(ImageKind.FINGER, drawing(f"finger {n}"), UNKNOWN_POSITION) for n in range(3)]
    assert len(assemble([FACE, SIGNATURE, *unknown])) == 5


@pytest.mark.parametrize(
    ("images", "reason", "field"),
    [
        ([SIGNATURE, FINGERS[0]], "FACE_MISSING", "images"),
        ([FACE, FINGERS[0]], "SIGNATURE_MISSING", "images"),
        ([FACE, SIGNATURE], "FINGER_MISSING", "images"),
        ([], "FACE_MISSING", "images"),
        ([FACE, FACE], "FACE_REPEATED", "images[1].kind"),
        ([FACE, SIGNATURE, SIGNATURE], "SIGNATURE_REPEATED", "images[2].kind"),
        ([*FINGERS, finger(position=UNKNOWN_POSITION)], "FINGER_REPEATED", "images[10].kind"),
        ([FINGERS[0], FACE, FINGERS[0]], "POSITION_REPEATED", "images[2].position"),
        ([finger(position=0)], "POSITION_MISSING", "images[0].position"),
        ([finger(dpi=0)], "RESOLUTION_MISSING", "images[0].dpi"),
        ([finger(dpi=96)], "RESOLUTION_TOO_LOW", "images[0].dpi"),
        ([image_of(ImageKind.FACE, drawing("x"), 3)], "POSITION_WITHOUT_FINGER", "images[0].position"),
        (
            [FACE, finger(size=FINGERS[0].announced.size + 1), SIGNATURE],
            "IMAGE_SIZE_DISAGREES",
            "images[1].size",
        ),
        (
            [FACE, finger(size=FINGERS[0].announced.size - 1), SIGNATURE],
            "IMAGE_SIZE_DISAGREES",
            "images[1].size",
        ),
        ([FACE, finger(sha256=bytes(32)), SIGNATURE], "IMAGE_DIGEST_DISAGREES", "images[1].sha256"),
        (
            [FACE, SIGNATURE, image_of(ImageKind.FINGER, drawing("x")[:-40], 3)],
            "IMAGE_DAMAGED",
            "images[2]",
        ),
    ],
)
def test_each_fault_has_its_own_reason(images: list[CapturedImage], reason: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        assemble(images)
    assert (caught.value.reason, caught.value.field) == (reason, field)
    assert caught.value.remedy


def test_a_chunk_without_an_image_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="before any image"):
        Assembler(1000).append(b"x")


def test_too_many_bytes_are_refused_before_they_arrive() -> None:
    assembler = Assembler(1000)
    with pytest.raises(ResourceExhausted) as caught:
        assembler.announce(Announcement(ImageKind.FACE, 0, 1001, bytes(32), 0))
    assert caught.value.reason == "SUBMISSION_TOO_LARGE"


def test_more_bytes_than_announced_are_not_kept() -> None:
    assembler = Assembler(10**9)
    assembler.announce(Announcement(ImageKind.FACE, 0, 10, bytes(32), 0))
    with pytest.raises(TunggalError, match="more bytes"):
        assembler.append(bytes(11))


def test_the_digest_covers_header_order_and_every_announced_value() -> None:
    images = [FACE, SIGNATURE, FINGERS[0]]
    variants = [
        (b"header", images),
        (b"Header", images),
        (b"header", [SIGNATURE, FACE, FINGERS[0]]),
        (b"header", [FACE, SIGNATURE, FINGERS[1]]),
        (b"header", [FACE, SIGNATURE, finger(position=5)]),
        (b"header", [FACE, SIGNATURE, finger(dpi=1000)]),
        (b"header", [FACE, SIGNATURE]),
    ]
    assert len({submission_digest(*variant) for variant in variants}) == len(variants)


def test_kinds_are_numbered_as_in_the_contract() -> None:
    assert {f"IMAGE_KIND_{kind.name}": int(kind) for kind in ImageKind} == {
        name: number for name, number in enroll_pb2.ImageKind.items() if number
    }
