"""From cylinders to 64-bit codes: a learned projection, in whole numbers, so that every machine agrees.

LDA finds the 64 directions in which cylinders of one minutia differ least among prints against how much
cylinders differ at all; ITQ (Gong and Lazebnik, 2011) turns them so that their signs keep most of that.
`bench.codes` trains them; what a file was trained on is kept in it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.abis.fingerprint import minutiae
from services.abis.fingerprint.template import Template, from_minutiae
from services.abis.kernels import F32, F64, I8, I32, I64, U8, U64, kernel, popcount
from services.abis.search.parameters import CROWD, CROWDING, FULL_CODES, MIN_CODES, THRESHOLD_SD

MEAN_UNIT = 256
"""Means of cells are kept in 1/256."""
_CELLS = 256
"""Cells of one layer; all layers share one validity mask."""
_KNOWN = 8


@dataclass(frozen=True, eq=False)
class Codebook:
    """A trained code.

    version: identifies it; codes of different versions must not be compared. mean: (1280) share of ones of
    each cell in 1/256. weights: (1280, 64) projection. offset: (64) taken off the projections, in units of
    weight / 256. background: (b) codes of many different fingers, against which thresholds are calibrated.
    provenance: what it was trained on, how, and how well it did.
    """

    version: str
    mean: U8
    weights: I8
    offset: I32
    background: U64
    provenance: Mapping[str, Any]

    @functools.cached_property
    def centre(self) -> I32:
        """Projection of the mean of all layers of one cell, (256, 64): what a valid cell takes off."""
        parts = self.weights.astype(np.int32) * self.mean.astype(np.int32)[:, None]
        return np.ascontiguousarray(parts.reshape(-1, _CELLS, 64).sum(axis=0, dtype=np.int32))

    @functools.cached_property
    def scale(self) -> F64:
        """How far projections of each bit spread, (64), in units of their own."""
        return np.asarray(np.linalg.norm(self.weights.astype(np.float64), axis=0))


@kernel("void(uint64[:,::1], uint64[:,::1], int64[::1], int8[:,::1], int32[:,::1], int32[::1], int32[:,::1])")
def project(
    bits: U64, valid: U64, order: NDArray[np.int64], weights: I8, centre: I32, offset: I32, out: I32
) -> None:
    """Projections of the cylinders order[0], order[1], … whose signs are their codes.

    Parameters
    ----------
    bits (n, 20), valid (n, 4): cylinders. order: (k). weights (1280, 64), centre (256, 64), offset (64): of
    the codebook. out: (k, 64).
    """
    one = np.uint64(1)
    for k in range(order.size):
        m = order[k]
        sums = out[k]
        for d in range(64):
            sums[d] = -offset[d]
        for cell in range(_CELLS):
            word, bit = cell // 64, np.uint64(cell % 64)
            if not (valid[m, word] >> bit) & one:
                continue
            for d in range(64):
                sums[d] -= centre[cell, d]
            for layer in range(bits.shape[1] // 4):
                if (bits[m, layer * 4 + word] >> bit) & one:
                    for d in range(64):
                        sums[d] += np.int32(MEAN_UNIT) * np.int32(weights[layer * _CELLS + cell, d])


@kernel("int64[::1](float32[:,::1], float64[::1])")
def spread(points: F32, worth: F64) -> I64:
    """Order of minutiae (n, 4) by worth (n, positive), of which each taken one takes from those around it."""
    left = worth.copy()
    order = np.empty(worth.size, np.int64)
    for taken in range(worth.size):
        best = np.argmax(left)
        order[taken] = best
        for k in range(worth.size):
            dx, dy = points[k, 0] - points[best, 0], points[k, 1] - points[best, 1]
            left[k] *= 1.0 - CROWDING * np.exp(-(dx * dx + dy * dy) / CROWD**2)
        left[best] = -1.0
    return order


def ranked(template: Template) -> I64:
    """Usable cylinders, best first: of clear minutiae whose surroundings are mostly inside of the ridge area,
    and which are not all in one place. Two impressions share more of such a choice than of the clearest
    alone, which often lie together where one of them was pressed hardest.
    """
    _, valid, usable = template.cylinders
    index = np.nonzero(usable)[0]
    area = np.bitwise_count(valid[index]).sum(axis=1, dtype=np.float64)
    points = template.points[index]
    # A minutia without quality or surroundings still comes after all others.
    worth = np.maximum(points[:, 3].astype(np.float64) * area**2, 1e-9)
    return np.asarray(index[spread(points, worth)], np.int64)


def projections(template: Template, book: Codebook) -> I32:
    """What the codes of a finger are the signs of, (n, 64): at most FULL_CODES, best first; none where it has
    fewer than MIN_CODES cylinders.
    """
    order = ranked(template)[:FULL_CODES]
    if order.size < MIN_CODES:
        return np.empty((0, 64), np.int32)
    bits, valid, _ = template.cylinders
    out = np.empty((order.size, 64), np.int32)
    project(bits, valid, order, book.weights, book.centre, book.offset, out)
    return out


def signs(projected: I32) -> U64:
    """The codes (n) of projections (n, 64)."""
    return np.packbits(projected > 0, axis=1, bitorder="little").view(np.uint64)[:, 0]


def encode(template: Template, book: Codebook) -> U64:
    """At most FULL_CODES codes of a finger, best first; none where it has fewer than MIN_CODES cylinders."""
    return signs(projections(template, book))


@kernel("void(uint64[::1], uint64[::1], float64, uint64[::1])")
def limits(codes: U64, background: U64, deviations: float, out: U64) -> None:
    """Mean less so many standard deviations of the distances of each code (n) to those of the background,
    rounded, at least 0.
    """
    many = background.size
    for k in range(codes.size):
        total, squares = np.int64(0), np.int64(0)
        for other in range(many):
            distance = np.int64(popcount(codes[k] ^ background[other]))
            total += distance
            squares += distance * distance
        mean = total / many
        limit = mean - deviations * np.sqrt(squares / many - mean * mean)
        out[k] = np.uint64(max(np.round(limit), 0.0))


def thresholds(codes: U64, book: Codebook) -> U64:
    """Distance below which a gallery code speaks for the same minutia, for each probe code (n)."""
    out = np.empty(codes.size, np.uint64)
    limits(np.ascontiguousarray(codes), book.background, THRESHOLD_SD, out)
    return out


def recipe(book: Codebook) -> str:
    """What codes depend on, in 16 digits: the codebook, and how cylinders are made and chosen.

    It is a known answer, the codes of a few minutiae strewn by hand, so that nobody has to remember to count
    a version up.
    """
    digest = hashlib.blake2b(book.version.encode(), digest_size=8)
    for number in range(_KNOWN):
        k = np.arange(40, dtype=np.float32)
        x, y = (37 * k + 11 * number) % 290 + 5, (53 * k + 29 * number * number) % 370 + 5
        angle, quality = (k * k * (number + 1)) % 6.25, (7 * k % 40 + 1) / 41
        sort = np.zeros(k.size, np.uint8)
        some = minutiae.Minutiae(x, y, angle.astype(np.float32), sort, quality.astype(np.float32))
        digest.update(encode(from_minutiae(some, 300, 380), book).tobytes())
    return digest.hexdigest()


def to_arrays(book: Codebook) -> dict[str, NDArray[Any]]:
    """The codebook as named arrays, as an .npz keeps them."""
    about = json.dumps({"version": book.version, **book.provenance}, sort_keys=True)
    return {
        "mean": book.mean,
        "weights": book.weights,
        "offset": book.offset,
        "background": book.background,
        "about": np.frombuffer(about.encode(), np.uint8),
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Codebook:
    """A codebook from what `to_arrays` made."""
    about = json.loads(arrays["about"].tobytes())
    return Codebook(
        about.pop("version"),
        arrays["mean"],
        np.ascontiguousarray(arrays["weights"]),
        arrays["offset"],
        arrays["background"],
        about,
    )


@functools.cache
def default() -> Codebook:
    """The codebook that this version of the service searches with."""
    with resources.files(__package__).joinpath("codes.npz").open("rb") as file, np.load(file) as arrays:
        return from_arrays({name: arrays[name] for name in arrays.files})
