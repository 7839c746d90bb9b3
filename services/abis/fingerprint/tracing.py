"""Ends and branches of the ridge skeleton, and what the skeleton around each says about it.

The crossing number (Rutovitz 1966) tells a skeleton pixel where a ridge ends (1) or divides (3). From there
every ridge is followed for some pixels: where it leads gives the direction, and how soon it ends or divides
again tells spurs, islands, bridges and lakes from true minutiae. The position comes from the enhanced image:
where it changes sign at the tip of the ridge (of an ending) or of the valley (of a bifurcation), between the
pixels. So an ending that another print shows as a bifurcation lies where it lay.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import grid
from services.abis.kernels import F32, F64, I32, I64, U8, kernel

REACH = 24
"""Pixels for which a ridge is followed."""
NOWHERE, END, BRANCH = 0, 1, 2
"""What a walk met: nothing within REACH, the end of the ridge, or a branch."""
COLUMNS = 8
"""Of a node: x, y, angle, kind (1 ending, 2 bifurcation), pixels to the nearest end and to the nearest branch
along its ridges (at most REACH), how steeply the image changes sign at the tip (0 where it does not), and the
cosine between where its ridges lead and the ridge orientation.
"""
_MOST = 4096
"""Nodes in one image at most; fingers have some hundred."""
_TIP = 16
"""Steps of half a pixel within which the tip must lie."""
_DOWN = (-1, -1, 0, 1, 1, 1, 0, -1)
_RIGHT = (0, 1, 1, 1, 0, -1, -1, -1)


@kernel("int64(uint8[:,::1], int64, int64)")
def crossings(skeleton: U8, y: int, x: int) -> int:
    """How many times one comes from background to ridge on the way around a pixel."""
    count = 0
    before = skeleton[y - 1, x - 1]
    for d in range(8):
        here = skeleton[y + _DOWN[d], x + _RIGHT[d]]
        count += before < here
        before = here
    return count


@kernel("int64(uint8[:,::1], int64, int64, int64[:,::1])")
def branches(skeleton: U8, y: int, x: int, first: I64) -> int:
    """The first pixel (y, x) of each ridge that leaves a pixel; their number.

    Of neighbours that touch each other the straight one is taken, not the diagonal one.
    """
    count = 0
    for d in range(8):
        if not skeleton[y + _DOWN[d], x + _RIGHT[d]]:
            continue
        a, b = (d + 7) % 8, (d + 1) % 8
        beside = skeleton[y + _DOWN[a], x + _RIGHT[a]] or skeleton[y + _DOWN[b], x + _RIGHT[b]]
        if d % 2 == 0 or not beside:
            first[count, 0], first[count, 1] = y + _DOWN[d], x + _RIGHT[d]
            count += 1
    return count


@kernel("void(uint8[:,::1], int32[:,::1], int32, int64, int64, int64[::1])")
def walk(skeleton: U8, seen: I32, mark: int, y: int, x: int, out: I64) -> None:
    """Follow a ridge from its first pixel (y, x) on, over pixels that do not bear the mark yet.

    Fills `out`: pixels walked, last y and x, and what was met (NOWHERE, END, BRANCH).
    """
    walked, met = 1, NOWHERE
    seen[y, x] = mark
    while walked < REACH:
        if crossings(skeleton, y, x) >= 3:
            met = BRANCH
            break
        found = -1
        # Straight neighbours (even) before diagonal ones, or a corner would be cut.
        for k in range(8):
            d = 2 * k if k < 4 else 2 * k - 7
            v, u = y + _DOWN[d], x + _RIGHT[d]
            if skeleton[v, u] and seen[v, u] != mark:
                found = d
                break
        if found < 0:
            met = END
            break
        y, x = y + _DOWN[found], x + _RIGHT[found]
        seen[y, x] = mark
        walked += 1
    out[0], out[1], out[2], out[3] = walked, y, x, met


@kernel("int64(float64[:,::1], int64, float64[::1])")
def lead(ways: F64, count: int, out: F64) -> int:
    """Where a node points (x, y down): along the ridge of an ending; between the two closest ridges of a
    bifurcation, into the valley that ends there.

    ways: (count, 2) x and y from the node to where each walk ended.
    """
    out[0], out[1] = ways[0, 0], ways[0, 1]
    closest = -2.0
    for a in range(count):
        for b in range(a):
            length_a = np.hypot(ways[a, 0], ways[a, 1]) + 1e-9
            length_b = np.hypot(ways[b, 0], ways[b, 1]) + 1e-9
            cosine = (ways[a, 0] * ways[b, 0] + ways[a, 1] * ways[b, 1]) / (length_a * length_b)
            if cosine > closest:
                closest = cosine
                out[0] = ways[a, 0] / length_a + ways[b, 0] / length_b
                out[1] = ways[a, 1] / length_a + ways[b, 1] / length_b
    return count


@kernel("float64(float32[:,::1], float64, float64)")
def value(image: F32, y: float, x: float) -> float:
    """Bilinear value of an image; 0 outside."""
    i, j = int(np.floor(y)), int(np.floor(x))
    if i < 0 or j < 0 or i + 1 >= image.shape[0] or j + 1 >= image.shape[1]:
        return 0.0
    a, b = y - i, x - j
    top = image[i, j] * (1 - b) + image[i, j + 1] * b
    bottom = image[i + 1, j] * (1 - b) + image[i + 1, j + 1] * b
    return float(top * (1 - a) + bottom * a)


@kernel("float32[:,::1](uint8[:,::1], float32[:,::1], float32[:,::1], float32[:,::1])")
def nodes(skeleton: U8, enhanced: F32, c: F32, s: F32) -> F32:
    """All ends and branches of a skeleton.

    Parameters
    ----------
    skeleton: from `thinning`, shape (height, width). enhanced: the image that it was taken from.
    c, s: doubled-angle ridge orientation, one a block.

    Returns
    -------
    (n, COLUMNS), row by row. The angle is that of the ridge orientation, towards where the node points.
    """
    height, width = skeleton.shape
    seen = np.zeros((height, width), np.int32)
    out = np.empty((_MOST, COLUMNS), np.float32)
    first = np.empty((8, 2), np.int64)
    ways = np.empty((8, 2))
    walked = np.empty(4, np.int64)
    towards = np.empty(2)
    count = 0
    for y in range(2, height - 2):
        for x in range(2, width - 2):
            if not skeleton[y, x] or count == _MOST:
                continue
            crossing = crossings(skeleton, y, x)
            if crossing not in (1, 3):
                continue
            ridges = min(branches(skeleton, y, x, first), crossing)
            if ridges < crossing:
                continue
            mark = count + 1
            seen[y, x] = mark
            for k in range(ridges):
                seen[first[k, 0], first[k, 1]] = mark
            to_end, to_branch = REACH, REACH
            for k in range(ridges):
                walk(skeleton, seen, mark, first[k, 0], first[k, 1], walked)
                ways[k, 0], ways[k, 1] = walked[2] - x, walked[1] - y
                if walked[3] == END:
                    to_end = min(to_end, walked[0])
                elif walked[3] == BRANCH:
                    to_branch = min(to_branch, walked[0])
            lead(ways, ridges, towards)
            theta = 0.5 * np.arctan2(grid.sample(s, y, x), grid.sample(c, y, x))
            tx, ty = np.cos(theta), -np.sin(theta)
            along = tx * towards[0] + ty * towards[1]
            if along < 0:
                tx, ty, theta = -tx, -ty, theta + np.pi
            # The tip of an ending's ridge lies behind the node, that of a bifurcation's valley ahead of it.
            side = -1.0 if crossing == 1 else 1.0
            px, py, steep = float(x), float(y), 0.0
            last = float(enhanced[y, x])
            for k in range(1, _TIP + 1):
                here = value(enhanced, y + side * ty * 0.5 * k, x + side * tx * 0.5 * k)
                if here > 0:
                    steep = 2.0 * (here - last)
                    t = 0.5 * (k - 1 + last / (last - here))
                    px, py = x + side * tx * t, y + side * ty * t
                    break
                last = here
            out[count, 0], out[count, 1] = px, py
            out[count, 2] = theta % (2 * np.pi)
            out[count, 3] = 1 if crossing == 1 else 2
            out[count, 4], out[count, 5] = to_end, to_branch
            out[count, 6] = steep
            out[count, 7] = abs(along) / (np.hypot(towards[0], towards[1]) + 1e-9)
            count += 1
    return out[:count].copy()


@kernel("float32[::1](float32[:,::1], float32)")
def nearest_opposed(found: F32, most: float) -> F32:
    """Distance in pixels, at most `most`, of each node to the nearest one that points the other way.

    Breaks, bridges, islands, lakes and spurs all are two nodes close to each other with opposite directions.
    """
    n = found.shape[0]
    out = np.full(n, most, np.float32)
    for a in range(n):
        for b in range(n):
            dx, dy = found[a, 0] - found[b, 0], found[a, 1] - found[b, 1]
            near = np.float32(np.sqrt(dx * dx + dy * dy))
            if near < out[a] and np.cos(found[a, 2] - found[b, 2]) < -0.5:
                out[a] = near
    return out
