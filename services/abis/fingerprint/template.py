"""The template of one finger: what is kept of an image, and its own binary form for the store.

Layout of the binary form (big-endian): magic "TFT1", flags (bit 0: fields from an image; the other seven:
quality), width and height in
pixels (uint16 each), n (uint8), n minutiae of x, y (uint16, 1/16 px), angle (uint16, 2 pi / 65536), kind and
quality (uint8 each), then per 16 px cell one byte orientation (pi / 256) and one byte ridge frequency (0
outside of the ridge area), and a CRC-32 of everything before it. Cylinders are not stored: they follow from
the minutiae.
"""

from __future__ import annotations

import functools
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from services.abis.fingerprint.cylinders import cylinders
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.prepared import Prepared, prepare
from services.abis.kernels import F32, U8, U64
from services.common.errors import DataLoss

CELL = 16
"""Pixels at 500 dpi of a side of the cells of the coarse fields."""
FREQUENCY_UNIT = 1.0 / 1024
"""Cycles per pixel of one step of a stored ridge frequency."""
_MAGIC = b"TFT1"
_HEAD = struct.Struct(">4sBHHB")
_POINT = np.dtype([("x", ">u2"), ("y", ">u2"), ("angle", ">u2"), ("kind", "u1"), ("quality", "u1")])


def cells(pixels: int) -> int:
    """Number of coarse cells that cover a side of so many pixels."""
    return (pixels + CELL - 1) // CELL


@dataclass(frozen=True, eq=False)
class Template:
    """One finger, at 500 dpi.

    width, height: of the image in pixels. points: (n, 4) x, y, angle, quality of the minutiae, best first;
    kind: (n).
    orientation, frequency: (rows, columns) fields on 16 px cells, frequency 0 outside of the ridge area.
    texture: (height / 2, width / 16) signs of the enhanced image at 250 dpi, packed; (0, 0) where unknown.
    from_image: False where only minutiae are known (ISO/IEC 19794-2); the fields are then guessed from them
    (frequency: the area only).
    """

    width: int
    height: int
    points: F32
    kind: U8
    orientation: U8
    frequency: U8
    texture: U8
    from_image: bool
    quality: int = 0

    def __len__(self) -> int:
        return int(self.points.shape[0])

    @functools.cached_property
    def cylinders(self) -> tuple[U64, U64, U8]:
        """Bit cylinders (n, 20), validity masks (n, 4) and usable flags (n)."""
        return cylinders(self.points, self.frequency, CELL)

    @functools.cached_property
    def prepared(self) -> Prepared:
        """The finger as the comparison reads it."""
        return prepare(self.points, self.cylinders, self.orientation, self.frequency, self.texture)

    @functools.cached_property
    def digest(self) -> int:
        """A number that orders templates, so that both orders of a comparison compute the same thing."""
        # Not of the binary form: compressing the texture would take longer than the comparison.
        return zlib.crc32(self.texture.tobytes(), zlib.crc32(self.points.tobytes()))

    def to_bytes(self) -> bytes:
        """The binary form described above."""
        n = len(self)
        records = np.empty(n, _POINT)
        records["x"] = np.clip(np.round(self.points[:, 0] * 16), 0, 65535)
        records["y"] = np.clip(np.round(self.points[:, 1] * 16), 0, 65535)
        records["angle"] = (
            np.round(self.points[:, 2].astype(np.float64) * (65536 / (2 * np.pi))).astype(int) % 65536
        )
        records["kind"] = self.kind
        records["quality"] = np.round(self.points[:, 3] * 255)
        head = _HEAD.pack(_MAGIC, int(self.from_image) | self.quality << 1, self.width, self.height, n)
        body = head + records.tobytes() + self.orientation.tobytes() + self.frequency.tobytes()
        body += zlib.compress(self.texture.tobytes(), 9) if self.from_image else b""
        return body + zlib.crc32(body).to_bytes(4, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Template:
        """Read the binary form; DataLoss where it is damaged (it comes from our own store only)."""
        if len(data) < _HEAD.size + 4 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
            raise DataLoss("TEMPLATE_DAMAGED", "A stored fingerprint template fails its checksum.")
        magic, flags, width, height, n = _HEAD.unpack_from(data)
        shape = cells(height), cells(width)
        fixed = _HEAD.size + n * _POINT.itemsize + 2 * shape[0] * shape[1]
        if magic != _MAGIC or len(data) < fixed + 4 or (len(data) > fixed + 4) != bool(flags & 1):
            raise DataLoss("TEMPLATE_DAMAGED", "A stored fingerprint template is not of this version.")
        records = np.frombuffer(data, _POINT, n, _HEAD.size)
        points = np.empty((n, 4), np.float32)
        points[:, 0] = records["x"] / 16.0
        points[:, 1] = records["y"] / 16.0
        points[:, 2] = records["angle"] * (2 * np.pi / 65536)
        points[:, 3] = records["quality"] / 255.0
        fields = np.frombuffer(data, np.uint8, 2 * shape[0] * shape[1], _HEAD.size + records.nbytes)
        orientation, frequency = fields.reshape(2, *shape).copy()
        texture = np.zeros((0, 0), np.uint8)
        if flags & 1:
            texture = np.frombuffer(zlib.decompress(data[fixed:-4]), np.uint8).reshape(height // 2, -1).copy()
        kind = records["kind"].copy()
        return cls(width, height, points, kind, orientation, frequency, texture, bool(flags & 1), flags >> 1)


def from_minutiae(minutiae: Minutiae, width: int, height: int) -> Template:
    """A template of minutiae alone: its ridge area is their convex hull, widened by 24 px, and the ridges
    between them run as they do at the minutiae around.
    """
    points = np.column_stack([minutiae.x, minutiae.y, minutiae.angle, minutiae.quality]).astype(np.float32)
    shape = cells(height), cells(width)
    area = _hull(points[:, :2], shape)
    orientation, texture = _directions(points, shape), np.zeros((0, 0), np.uint8)
    kind = minutiae.kind.copy()
    return quantised(Template(width, height, points, kind, orientation, area, texture, from_image=False))


def quantised(template: Template) -> Template:
    """The template as it would come back from the store, so that a fresh and a stored one compare alike."""
    return Template.from_bytes(template.to_bytes())


def _directions(points: F32, shape: tuple[int, int], width: float = 32.0) -> U8:
    """Orientation at the middle of each cell: that of the minutiae, each weighing by a Gaussian of its
    distance.
    """
    y, x = (np.mgrid[: shape[0], : shape[1]].astype(np.float64) + 0.5) * CELL
    double = np.zeros(shape, np.complex128)
    for px, py, angle, _ in points.astype(np.float64):
        near = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * width * width))
        double += near * np.exp(2j * angle)
    return np.asarray(np.round(np.angle(double) * (128 / np.pi)).astype(np.int64) % 256, np.uint8)


def _hull(points: F32, shape: tuple[int, int], margin: float = 24.0) -> U8:
    """Cells (as 1 or 0) whose centre lies within `margin` pixels of the convex hull of the points."""
    inside = np.zeros(shape, np.uint8)
    if not len(points):
        return inside
    y, x = (np.mgrid[: shape[0], : shape[1]].astype(np.float64) + 0.5) * CELL
    support = np.full(shape, -np.inf)
    # The hull is the intersection of half planes; 64 directions are close enough for cells of 16 px.
    for angle in np.linspace(0, 2 * np.pi, 64, endpoint=False):
        normal = np.array([np.cos(angle), np.sin(angle)])
        edge = float((points @ normal).max())
        support = np.maximum(support, x * normal[0] + y * normal[1] - edge)
    inside[support <= margin] = 1
    return inside


def minutiae_only(template: Template) -> Template:
    """The template as it would be after a journey through a format that carries minutiae only."""
    step = np.pi / 128
    points = template.points.copy()
    points[:, :2] = np.round(points[:, :2])
    points[:, 2] = np.round(points[:, 2] / step) % 256 * step
    x, y, angle, quality = (np.ascontiguousarray(column) for column in points.T)
    minutiae = Minutiae(x, y, angle, template.kind, quality)
    return from_minutiae(minutiae, template.width, template.height)
