"""Comparing one finger with a range of a packed gallery, in one call that holds no lock and no GIL."""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.verify import FLOOR, verify
from services.abis.kernels import F32, F64, I64, U8, U64, kernel

_PROBE = "float32[:,::1], uint64[:,::1], uint64[:,::1], uint8[::1], uint8[:,::1], uint8[:,::1], uint8[:,::1]"
_GALLERY = (
    "float32[:,::1], uint64[:,::1], uint64[:,::1], uint8[::1], int64[::1], uint8[::1], uint8[::1],"
    " int64[::1], uint8[::1], int64[::1], int64[:,::1]"
)


@kernel(
    f"void({_PROBE}, int64, int64, int64, {_GALLERY}, uint8[::1], float64[::1], float64[::1], int64, int64,"
    " float64[::1])"
)
def score_range(
    points: F32,
    bits: U64,
    valid: U64,
    usable: U8,
    orientation: U8,
    frequency: U8,
    texture: U8,
    digest: int,
    from_image: int,
    position: int,
    all_points: F32,
    all_bits: U64,
    all_valid: U64,
    all_usable: U8,
    point_start: I64,
    all_orientation: U8,
    all_frequency: U8,
    cell_start: I64,
    all_texture: U8,
    texture_start: I64,
    fingers: I64,
    alive: U8,
    weights_image: F64,
    weights_minutiae: F64,
    start: int,
    stop: int,
    out: F64,
) -> None:
    """Comparison scores of a probe finger with the gallery's fingers [start, stop), into out[0: stop -
    start].

    Parameters
    ----------
    points to texture: the probe's arrays; digest, from_image, position (0 unknown): of the probe.
    all_*: the gallery's arrays, one finger after the other; finger k owns the minutiae [point_start[k],
    point_start[k + 1]) and the cells [cell_start[k], cell_start[k + 1]), and its texture lies at
    [texture_start[k], texture_start[k + 1]).
    fingers: (f, 6) rows and columns of the cells, digest, from_image, position, rows of the texture.
    alive: 0 where deleted.

    Fingers of another known position, and deleted ones, get NaN: not compared.
    """
    for k in range(start, stop):
        there = fingers[k, 4]
        if not alive[k] or (position != 0 and there not in (0, position)):
            out[k - start] = np.nan
            continue
        p0, p1 = point_start[k], point_start[k + 1]
        c0, c1 = cell_start[k], cell_start[k + 1]
        shape = (fingers[k, 0], fingers[k, 1])
        other_orientation = all_orientation[c0:c1].reshape(shape)
        other_frequency = all_frequency[c0:c1].reshape(shape)
        lines = fingers[k, 5]
        packed = all_texture[texture_start[k] : texture_start[k + 1]]
        other_texture = packed.reshape((lines, packed.size // max(lines, 1)))
        weights = weights_image if from_image and fingers[k, 3] else weights_minutiae
        # As in compare(): both orders compute the same thing.
        if digest > fingers[k, 2]:
            result = verify(
                all_points[p0:p1],
                all_bits[p0:p1],
                all_valid[p0:p1],
                all_usable[p0:p1],
                other_orientation,
                other_frequency,
                other_texture,
                points,
                bits,
                valid,
                usable,
                orientation,
                frequency,
                texture,
                weights,
                FLOOR,
            )
        else:
            result = verify(
                points,
                bits,
                valid,
                usable,
                orientation,
                frequency,
                texture,
                all_points[p0:p1],
                all_bits[p0:p1],
                all_valid[p0:p1],
                all_usable[p0:p1],
                other_orientation,
                other_frequency,
                other_texture,
                weights,
                FLOOR,
            )
        out[k - start] = result[0]
