"""Headers and packets as a capture kit makes them."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw
from tunggal.common.v1 import biometric_pb2
from tunggal.enroll.v1 import enroll_pb2, record_pb2

from services.common.clock import Clock
from services.common.moments import timestamp
from services.enroll.packet import Announcement, CapturedImage, ImageKind

NIK = "3216010503900001"
OTHER_NIK = "3216010503900002"


def drawing(seed: str, size: tuple[int, int] = (64, 80)) -> bytes:
    """A small grey PNG that differs with its seed; stands for any captured image."""
    image = Image.new("L", size, 255)
    pen = ImageDraw.Draw(image)
    for number, byte in enumerate(hashlib.sha256(seed.encode()).digest()):
        pen.line((byte % size[0], number * 2, size[0] - 1, byte % size[1]), fill=byte)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def image_of(kind: ImageKind, content: bytes, position: int = 0) -> CapturedImage:
    dpi = 500 if kind is ImageKind.FINGER else 0
    announced = Announcement(kind, position, len(content), hashlib.sha256(content).digest(), dpi)
    return CapturedImage(announced, content)


def packet(person: str, positions: Sequence[int] = (2, 3, 8)) -> tuple[CapturedImage, ...]:
    """All images of a person; the same person has the same fingers every time."""
    return (
        image_of(ImageKind.FACE, drawing(f"{person} face")),
        image_of(ImageKind.SIGNATURE, drawing(f"{person} signature")),
        *(image_of(ImageKind.FINGER, drawing(f"{person} {position}"), position) for position in positions),
    )


def header(clock: Clock, nik: str = NIK) -> enroll_pb2.RecordHeader:
    """A header that nothing is wrong with, of a man born on 5 March 1990."""
    message = enroll_pb2.RecordHeader(
        request_id=str(uuid.uuid4()),
        region="32.16",
        biodata=record_pb2.Biodata(
            nik=nik,
            full_name="Sri Rahayu",
            birth_place="Bekasi",
            sex=record_pb2.SEX_MALE,
            marital_status=record_pb2.MARITAL_STATUS_SINGLE,
            occupation="Petani",
            nationality="WNI",
            address=record_pb2.Address(
                street="Jl. Melati 5", rt="001", rw="002", village="Setiadarma", district_code="32.16.06"
            ),
        ),
    )
    born = message.biodata.birth_date
    born.year, born.month, born.day = 1990, 3, 5
    message.capture_time.CopyFrom(timestamp(clock.now()))
    return message


def stream(
    head: enroll_pb2.RecordHeader, images: Sequence[CapturedImage], chunk: int = 4096
) -> Iterator[enroll_pb2.SubmitRecordRequest]:
    """A submission as a kit sends it."""
    yield enroll_pb2.SubmitRecordRequest(header=head)
    for image in images:
        announced = image.announced
        yield enroll_pb2.SubmitRecordRequest(
            image=enroll_pb2.ImageHeader(
                kind=enroll_pb2.ImageKind.ValueType(announced.kind),
                position=biometric_pb2.FingerPosition.ValueType(announced.position),
                size=announced.size,
                sha256=announced.sha256,
                dpi=announced.dpi,
            )
        )
        for start in range(0, len(image.content), chunk):
            yield enroll_pb2.SubmitRecordRequest(chunk=image.content[start : start + chunk])


GOOD = packet("Sri")
"""What nothing is wrong with."""
