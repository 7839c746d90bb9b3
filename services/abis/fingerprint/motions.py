"""How one finger may lie on the other: candidate motions, and the few of them worth a closer look.

Each minutia of one finger laid on each of the other names one rigid motion. True partners name nearly the
same, all others name anything, so motions that many pairs name are candidates (Hough transform; pairs of
similar cylinders have more votes). On poor prints many wrong motions get as many votes as the right one:
whether the ridges then run the same way tells most of them apart, and is read off two coarse fields.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import F32, F64, kernel

U16 = NDArray[np.uint16]

TURNS: Final = 32
"""Bins of the turn: 11.25° each."""
BIN: Final = 18.0
"""Pixels of a bin of the place where the first finger's centre comes to lie."""
MARGIN: Final = 72.0
"""Pixels by which that centre may lie outside of the other image."""
VOTE: Final = 2
SIMILAR_VOTE: Final = 24.0
"""Votes of any pair, and further votes of a pair of equal cylinders; similarity counts squared."""
MOST: Final = 64
"""Candidates at most."""
VOTERS: Final = 100
"""Minutiae of each finger that vote, the best first: more would overflow the 16 bits of a bin."""


@kernel("void(uint16[::1], uint16[::1], uint16[::1], uint16[::1])")
def one_two_one(before: U16, at: U16, after: U16, out: U16) -> None:
    """before + 2 at + after, entry by entry: plain arrays, so that LLVM takes 32 entries at once."""
    for k in range(out.size):
        out[k] = before[k] + at[k] + at[k] + after[k]


@kernel("uint16[:,:,::1](uint16[:,:,::1])")
def smooth(votes: U16) -> U16:
    """Votes (turns + 2, rows, columns) blurred by 1 2 1 in each direction; the turn is a circle.

    Planes 1 to turns count. The outermost rows and columns do not, neither before nor after.
    """
    planes, rows, columns = votes.shape
    size = rows * columns
    votes[:, 0] = 0
    votes[:, rows - 1] = 0
    votes[:, :, 0] = 0
    votes[:, :, columns - 1] = 0
    votes[0] = votes[planes - 2]
    votes[planes - 1] = votes[1]
    flat = votes.reshape((planes, size))
    first, second = np.zeros(size, np.uint16), np.zeros(size, np.uint16)
    out = np.zeros((planes, rows, columns), np.uint16)
    for t in range(1, planes - 1):
        one_two_one(flat[t - 1], flat[t], flat[t + 1], first)
        one_two_one(
            first[: size - 2 * columns],
            first[columns : size - columns],
            first[2 * columns :],
            second[columns : size - columns],
        )
        one_two_one(second[: size - 2], second[1 : size - 1], second[2:], out[t].reshape(size)[1 : size - 1])
        # The first and the last column saw the neighbouring lines.
        out[t, :, 0] = 0
        out[t, :, columns - 1] = 0
    return out


@kernel("uint16(uint16[::1])")
def highest(line: U16) -> np.uint16:
    """The greatest entry."""
    best = np.uint16(0)
    for x in range(line.size):
        best = max(best, line[x])
    return best


@kernel("Tuple((float64[:,::1], float64[::1]))(uint16[:,:,::1])")
def peaks(votes: U16) -> tuple[F64, F64]:
    """The bins of most votes, no two of them neighbours: (k, 3) turn, x, y of their middles, and votes (k).

    votes: smoothed, (turns + 2, rows, columns); used up. k is at most MOST. The true motion may be no peak
    itself but the shoulder of a wrong one, so a bin counts once what is around a higher one was taken away.
    """
    planes, rows = votes.shape[:2]
    # The greatest of each line and of each plane, so that a look for the greatest of all is short.
    lines = np.zeros((planes, rows), np.uint16)
    tops = np.zeros(planes, np.uint16)
    for t in range(1, planes - 1):
        for y in range(1, rows - 1):
            lines[t, y] = highest(votes[t, y])
        tops[t] = highest(lines[t])
    out = np.empty((MOST, 3))
    values = np.empty(MOST)
    count = 0
    while count < MOST:
        best = highest(tops)
        if best == 0:
            break
        bt, by, bx = 1, 1, 1
        while tops[bt] != best:
            bt += 1
        while lines[bt, by] != best:
            by += 1
        while votes[bt, by, bx] != best:
            bx += 1
        out[count, 0] = (bt - 0.5) * (2 * np.pi / (planes - 2))
        out[count, 1] = (bx - 0.5) * BIN - MARGIN
        out[count, 2] = (by - 0.5) * BIN - MARGIN
        values[count] = best
        count += 1
        for dt in range(-1, 2):
            t = (bt - 1 + dt) % (planes - 2) + 1
            for y in range(max(by - 1, 1), min(by + 2, rows - 1)):
                for x in range(bx - 1, bx + 2):
                    votes[t, y, x] = 0
                lines[t, y] = highest(votes[t, y])
            tops[t] = highest(lines[t])
    return out[:count].copy(), values[:count].copy()


@kernel(
    "Tuple((float64[:,::1], float64[::1]))(float32[:,::1], float32[:,::1], float32[:,::1], float64, float64)"
)
def vote(a: F32, b: F32, similarity: F32, width: float, height: float) -> tuple[F64, F64]:
    """Motions that lay a over b, most votes first.

    Parameters
    ----------
    a, b: minutiae (n, 4), (m, 4). similarity: (n, m) of their cylinders. width, height: of b in pixels.

    Returns
    -------
    (k, 4) motions as `field.place` takes them, k <= MOST, and their votes (k).
    """
    n, m = min(a.shape[0], VOTERS), min(b.shape[0], VOTERS)
    columns, rows = int((width + 2 * MARGIN) / BIN) + 3, int((height + 2 * MARGIN) / BIN) + 3
    plane = rows * columns
    votes = np.zeros((TURNS + 2) * plane, np.uint16)
    centre_x, centre_y = np.float32(0.0), np.float32(0.0)
    for i in range(n):
        centre_x += a[i, 0] / np.float32(n)
        centre_y += a[i, 1] / np.float32(n)
    bx, by = np.empty(m, np.float32), np.empty(m, np.float32)
    bc, bs = np.empty(m, np.float32), np.empty(m, np.float32)
    bt = np.empty(m, np.int32)
    for j in range(m):
        # Bin 1 begins at -MARGIN; bins 0 and last take what lies outside and are no candidates.
        bx[j] = (b[j, 0] + np.float32(MARGIN)) * np.float32(1.0 / BIN) + np.float32(1.0)
        by[j] = (b[j, 1] + np.float32(MARGIN)) * np.float32(1.0 / BIN) + np.float32(1.0)
        bc[j], bs[j] = np.cos(b[j, 2]), np.sin(b[j, 2])
        bt[j] = np.int32(b[j, 2] * np.float32(256 / (2 * np.pi)) + np.float32(0.5))
    where = np.empty(m, np.int32)
    weight = np.empty(m, np.int32)
    last_x, last_y = np.float32(columns - 1), np.float32(rows - 1)
    for i in range(n):
        ux, uy = (a[i, 0] - centre_x) * np.float32(1.0 / BIN), (a[i, 1] - centre_y) * np.float32(1.0 / BIN)
        ac, as_ = np.cos(a[i, 2]), np.sin(a[i, 2])
        at = np.int32(a[i, 2] * np.float32(256 / (2 * np.pi)) + np.float32(0.5))
        for j in range(m):
            c, s = bc[j] * ac + bs[j] * as_, bs[j] * ac - bc[j] * as_
            x = min(max(bx[j] - (c * ux + s * uy), np.float32(0.0)), last_x)
            y = min(max(by[j] - (c * uy - s * ux), np.float32(0.0)), last_y)
            turn = ((bt[j] - at) & 255) // (256 // TURNS) + 1
            where[j] = turn * plane + np.int32(y) * columns + np.int32(x)
            weight[j] = VOTE + np.int32(np.float32(SIMILAR_VOTE) * similarity[i, j] * similarity[i, j])
        for j in range(m):
            votes[where[j]] += np.uint16(weight[j])
    found, counts = peaks(smooth(votes.reshape(TURNS + 2, rows, columns)))
    motions = np.empty((counts.size, 4))
    for k in range(counts.size):
        c, s = np.cos(found[k, 0]), np.sin(found[k, 0])
        motions[k, 0], motions[k, 1] = c, s
        motions[k, 2] = found[k, 1] - (c * centre_x + s * centre_y)
        motions[k, 3] = found[k, 2] - (c * centre_y - s * centre_x)
    return motions, counts
