"""How one finger may lie on the other: candidate motions, and the few of them worth a closer look.

Each minutia of one finger laid on each of the other names one rigid motion. True partners name nearly the
same, all others name anything, so motions that many pairs name are candidates (Hough transform; pairs of
similar cylinders have more votes). On poor prints many wrong motions get as many votes as the right one:
whether the ridges then run the same way tells most of them apart, and is read off two coarse fields.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.prepared import COS, SIN, TURN, X, Y
from services.abis.kernels import F32, F64, U16, kernel

TURNS: Final = 32
"""Bins of the turn: 11.25° each."""
BIN: Final = 18.0
"""Pixels of a bin of the place where the first finger's centre comes to lie."""
MARGIN: Final = 72.0
"""Pixels by which that centre may lie outside of the rectangle around the other finger's minutiae."""
VOTE: Final = 2
SIMILAR_VOTE: Final = 24.0
"""Votes of any pair, and further votes of a pair of equal cylinders; similarity counts squared."""
MOST: Final = 32
"""Candidates at most."""
VOTERS: Final = 96
"""Minutiae of each finger that vote, the best first: more would overflow the 16 bits of a bin."""
_WEIGHTS: Final = 32
"""A vote is written as its bin times this plus its weight."""


@kernel("void(uint16[::1], int64, int64, uint16[::1], int64, int64)")
def one_two_one(values: U16, at: int, step: int, out: U16, to: int, size: int) -> None:
    """before + 2 at + after, for `size` entries from `at` on; before and after are `step` entries away.

    Written to out from `to` on. Plain arrays, so that LLVM takes whole registers at once, and no slices,
    which cost more than what is done with them; unsigned indices, which are not counted from the end.
    """
    for k in range(size):
        before, here = values[np.uint64(at + k - step)], values[np.uint64(at + k)]
        out[np.uint64(to + k)] = before + here + here + values[np.uint64(at + k + step)]


@kernel("uint16[:,:,::1](uint16[:,:,::1])")
def smooth(votes: U16) -> U16:
    """Votes (turns + 2, rows, columns) blurred by 1 2 1 in each direction; the turn is a circle.

    Planes 1 to turns count. The outermost rows and columns must be empty. Those rows are empty in the result
    too; the columns are none of it.
    """
    planes, rows, columns = votes.shape
    size = rows * columns
    votes[0] = votes[planes - 2]
    votes[planes - 1] = votes[1]
    flat = votes.reshape(planes * size)
    first, second = np.zeros(size, np.uint16), np.zeros(size, np.uint16)
    out = np.empty((planes, rows, columns), np.uint16)
    line = out.reshape(planes * size)
    inner = size - 2 * columns
    for t in range(1, planes - 1):
        one_two_one(flat, t * size, size, first, 0, size)
        one_two_one(first, columns, columns, second, columns, inner)
        one_two_one(second, columns, 1, line, t * size + columns, inner)
        # A peak in the next row looks there for its neighbour.
        out[t, 0] = 0
        out[t, rows - 1] = 0
    return out


@kernel("uint16(uint16[::1])")
def highest(line: U16) -> np.uint16:
    """The greatest entry."""
    best = np.uint16(0)
    for x in range(line.size):
        best = max(best, line[x])
    return best


@kernel("void(uint16[::1], int64, int64, int64, uint16[::1])")
def crest(votes: U16, first: int, rows: int, columns: int, out: U16) -> None:
    """The greatest entry of each column of the plane that begins at `first`, but for its outermost rows and
    columns, into out.
    """
    for x in range(columns):
        out[x] = 0
    last = first + (rows - 2) * columns
    # Four rows at a time: what is read has to wait for what was written just before.
    for y in range(1, rows - 1, 4):
        one = first + y * columns
        two, three, four = (
            min(one + columns, last),
            min(one + 2 * columns, last),
            min(one + 3 * columns, last),
        )
        for x in range(columns):
            upper = max(votes[np.uint64(one + x)], votes[np.uint64(two + x)])
            lower = max(votes[np.uint64(three + x)], votes[np.uint64(four + x)])
            out[x] = max(out[x], upper, lower)
    out[0] = 0
    out[columns - 1] = 0


@kernel("float64(uint16, uint16, uint16)")
def between(before: np.uint16, at: np.uint16, after: np.uint16) -> float:
    """Where between two neighbours a bin's votes lie, in bins; 0 where a neighbour was taken away."""
    if before == 0 or after == 0:
        return 0.0
    return (float(after) - float(before)) / (float(before) + float(at) + float(after))


@kernel("Tuple((float64[:,::1], float64[::1]))(uint16[:,:,::1])")
def peaks(votes: U16) -> tuple[F64, F64]:
    """The bins of most votes, no two of them neighbours: (k, 3) turn, x, y of their middles in pixels
    from where bin 1 begins, and votes (k).

    votes: smoothed, (turns + 2, rows, columns); used up. k is at most MOST. The true motion may be no peak
    itself but the shoulder of a wrong one, so a bin counts once what is around a higher one was taken away.
    """
    planes, rows, columns = votes.shape
    size = rows * columns
    flat = votes.reshape(planes * size)
    # The greatest of each column and of each plane, so that a look for the greatest of all is short.
    crests = np.zeros((planes, columns), np.uint16)
    tops = np.zeros(planes, np.uint16)
    line = np.empty(columns, np.uint16)
    for t in range(1, planes - 1):
        crest(flat, t * size, rows, columns, line)
        crests[t] = line
        tops[t] = highest(line)
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
        while crests[bt, bx] != best:
            bx += 1
        while votes[bt, by, bx] != best:
            by += 1
        before, after = (bt - 2) % (planes - 2) + 1, bt % (planes - 2) + 1
        dt = between(votes[before, by, bx], best, votes[after, by, bx])
        dx = between(votes[bt, by, bx - 1], best, votes[bt, by, bx + 1])
        dy = between(votes[bt, by - 1, bx], best, votes[bt, by + 1, bx])
        out[count, 0] = (bt - 0.5 + dt) * (2 * np.pi / (planes - 2))
        out[count, 1], out[count, 2] = (bx - 0.5 + dx) * BIN, (by - 0.5 + dy) * BIN
        values[count] = best
        count += 1
        for dt in range(-1, 2):
            t = (bt - 1 + dt) % (planes - 2) + 1
            for y in range(by - 1, by + 2):
                for x in range(bx - 1, bx + 2):
                    votes[t, y, x] = 0
            for x in range(max(bx - 1, 1), min(bx + 2, columns - 1)):
                highest_left = np.uint16(0)
                for y in range(1, rows - 1):
                    highest_left = max(highest_left, votes[t, y, x])
                crests[t, x] = highest_left
            tops[t] = highest(crests[t])
    return out[:count].copy(), values[:count].copy()


@kernel("Tuple((float64[:,::1], float64[::1]))(float32[:,::1], int64, float32[:,::1], int64, float32[:,::1])")
def vote(a: F32, count_a: int, b: F32, count_b: int, similarity: F32) -> tuple[F64, F64]:
    """Motions that lay a over b, most votes first.

    Parameters
    ----------
    a, b: minutiae as `prepared.in_lanes` lays them out; count_*: how many they are. similarity: of
    their cylinders, at least (count_a, lanes of b).

    Returns
    -------
    (k, 4) motions as `field.place` takes them, k <= MOST, and their votes (k).
    """
    n, m = min(count_a, VOTERS), min(b.shape[1], VOTERS)
    left, top, right, bottom = b[X, 0], b[Y, 0], b[X, 0], b[Y, 0]
    for j in range(min(count_b, VOTERS)):
        left, right = min(left, b[X, j]), max(right, b[X, j])
        top, bottom = min(top, b[Y, j]), max(bottom, b[Y, j])
    left -= np.float32(MARGIN)
    top -= np.float32(MARGIN)
    used = int((right - left + MARGIN) * (1.0 / BIN)) + 3
    rows = int((bottom - top + MARGIN) * (1.0 / BIN)) + 3
    # Whole registers.
    columns = (used + 7) // 8 * 8
    plane = np.float32(rows * columns)
    wide = np.float32(columns)
    votes = np.zeros((TURNS + 2) * rows * columns, np.uint16)
    centre_x, centre_y = np.float32(0.0), np.float32(0.0)
    for i in range(n):
        centre_x += a[X, i] / np.float32(n)
        centre_y += a[Y, i] / np.float32(n)
    bx, by = np.empty(m, np.float32), np.empty(m, np.float32)
    for j in range(m):
        # Bin 1 begins MARGIN outside of the rectangle.
        bx[j] = (b[X, j] - left) * np.float32(1.0 / BIN) + np.float32(1.0)
        by[j] = (b[Y, j] - top) * np.float32(1.0 / BIN) + np.float32(1.0)
    bc, bs, bt = b[COS], b[SIN], b[TURN]
    one, last = np.float32(1.0), np.float32(TURNS - 1)
    last_x, last_y = np.float32(used - 1), np.float32(rows - 1)
    cast = np.empty(m, np.uint32)
    for i in range(n):
        ux, uy = (a[X, i] - centre_x) * np.float32(1.0 / BIN), (a[Y, i] - centre_y) * np.float32(1.0 / BIN)
        # The centre as seen from the minutia, in the minutia's own frame.
        p, q = a[COS, i] * ux - a[SIN, i] * uy, a[SIN, i] * ux + a[COS, i] * uy
        turn = a[TURN, i]
        for j in range(m):
            x = bx[j] - bc[j] * p - bs[j] * q
            y = by[j] - bc[j] * q + bs[j] * p
            t = bt[j] - turn
            t = min(np.float32(TURNS) * (t - np.floor(t)), last)
            # What lies outside goes to a bin that nobody reads.
            inside = (x >= one) & (x < last_x) & (y >= one) & (y < last_y)
            where = (
                (np.floor(t) + one) * plane + np.floor(y) * wide + np.floor(x) if inside else np.float32(0.0)
            )
            weight = np.float32(VOTE) + np.floor(
                np.float32(SIMILAR_VOTE) * similarity[i, j] * similarity[i, j]
            )
            cast[j] = np.uint32(where * np.float32(_WEIGHTS) + weight)
        for j in range(m):
            votes[cast[j] // np.uint32(_WEIGHTS)] += np.uint16(cast[j] % np.uint32(_WEIGHTS))
    votes[0] = 0
    found, counts = peaks(smooth(votes.reshape(TURNS + 2, rows, columns)))
    motions = np.empty((counts.size, 4))
    for k in range(counts.size):
        c, s = np.cos(found[k, 0]), np.sin(found[k, 0])
        motions[k, 0], motions[k, 1] = c, s
        motions[k, 2] = found[k, 1] + left - (c * centre_x + s * centre_y)
        motions[k, 3] = found[k, 2] + top - (c * centre_y - s * centre_x)
    return motions, counts
