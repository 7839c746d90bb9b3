"""Slow, readable twins of the kernels."""

from __future__ import annotations

from math import erf, exp, floor, hypot, pi, sqrt

import numpy as np

from services.abis.fingerprint import lssr
from services.abis.fingerprint import parameters as p
from services.abis.kernels import F32, F64, U8, U64


def wrap(angle: float) -> float:
    return (angle + pi) % (2 * pi) - pi


def bits_of(words: U64) -> list[bool]:
    return [bool(int(word) >> bit & 1) for word in words for bit in range(64)]


def inside_frame(image: U8, window: int, tolerance: int, edge: int) -> U8:
    """1 outside of every constant window (clipped at the border) and away from the border."""
    height, width = image.shape
    half = window // 2
    out = np.ones_like(image)
    for y in range(height):
        for x in range(width):
            part = image[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1].astype(int)
            if part.max() - part.min() <= tolerance:
                out[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1] = 0
    out[:edge] = out[height - edge :] = 0
    out[:, :edge] = out[:, width - edge :] = 0
    return out


def constant(image: U8, window: int, tolerance: int) -> U8:
    """1 where the window around a pixel, clipped at the border, is constant."""
    half = window // 2
    out = np.zeros_like(image)
    for y, x in np.ndindex(*image.shape):
        part = image[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1].astype(int)
        out[y, x] = part.max() - part.min() <= tolerance
    return out


def tensor(image: F32) -> F64:
    """Sums of gx² - gy² and 2 gx gy (y up) over blocks."""
    height, width = image.shape
    out = np.zeros((2, -(-height // p.BLOCK), -(-width // p.BLOCK)))
    slope = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            part = image[y - 1 : y + 2, x - 1 : x + 2].astype(np.float64)
            gx, gy = (part * slope).sum(), -(part * slope.T).sum()
            out[:, y // p.BLOCK, x // p.BLOCK] += gx * gx - gy * gy, 2 * gx * gy
    return out


def blur(values: F32, taps: F32) -> F64:
    """Separable convolution with zeros outside."""
    radius = len(taps) // 2
    padded = np.pad(values.astype(np.float64), radius)
    height, width = values.shape
    rows = sum(t * padded[:, k : k + width] for k, t in enumerate(taps))
    return np.asarray(sum(t * np.asarray(rows)[k : k + height] for k, t in enumerate(taps)))


def cylinder_values(points: F32, m: int, area: U8, cell: int) -> tuple[F64, F64]:
    """Contributions (16, 16, 5) and validity (16, 16) of one minutia's cylinder."""
    x0, y0, theta, _ = (float(v) for v in points[m])
    values, valid = np.zeros((16, 16, 5)), np.zeros((16, 16))
    step = 2 * p.CYLINDER_RADIUS / 16
    for i in range(16):
        for j in range(16):
            u, v = (i + 0.5) * step - p.CYLINDER_RADIUS, (j + 0.5) * step - p.CYLINDER_RADIUS
            x = x0 + u * np.cos(theta) - v * np.sin(theta)
            y = y0 - (u * np.sin(theta) + v * np.cos(theta))
            row, column = floor(y / cell), floor(x / cell)
            within = 0 <= row < area.shape[0] and 0 <= column < area.shape[1] and area[row, column]
            if hypot(u, v) > p.CYLINDER_RADIUS or not within:
                continue
            valid[i, j] = 1
            for t, (xt, yt, angle, _) in enumerate(points):
                distance = hypot(xt - x, yt - y)
                if t == m or distance > 3 * p.CYLINDER_SIGMA_S:
                    continue
                near = exp(-0.5 * (distance / p.CYLINDER_SIGMA_S) ** 2) / (p.CYLINDER_SIGMA_S * sqrt(2 * pi))
                for k in range(5):
                    off = abs(wrap(float(angle) - theta + pi - (k + 0.5) * 2 * pi / 5))
                    scale = p.CYLINDER_SIGMA_D * sqrt(2)
                    share = 0.5 * (erf((off + pi / 5) / scale) - erf((off - pi / 5) / scale))
                    values[i, j, k] += near * share
    return values, valid


def similarity(bits_a: U64, valid_a: U64, bits_b: U64, valid_b: U64) -> float:
    """1 - |a - b| / sqrt(2 (|a|² + |b|²)) over the cells valid in both; 0 where too few are."""
    both = np.array(bits_of(valid_a)) & np.array(bits_of(valid_b))
    if both.sum() < int(p.COMPARE_MIN_COMMON * 208):
        return 0.0
    mask = np.tile(both, 5)
    a, b = np.array(bits_of(bits_a)) & mask, np.array(bits_of(bits_b)) & mask
    norm = sqrt(2.0 * (a.sum() + b.sum()))
    return 1.0 - sqrt((a ^ b).sum()) / norm if norm else 0.0


def sigmoid(value: float, centre: float, slope: float) -> float:
    return 1.0 / (1.0 + exp(-slope * (value - centre)))


def agreement(a: F32, b: F32, first: tuple[int, int], second: tuple[int, int]) -> float:
    """How far two pairs of minutiae tell the same story, seen from the first pair."""
    (a1, b1), (a2, b2) = first, second
    if a1 == a2 or b1 == b2:
        return 0.0

    def seen(points: F32, m: int, t: int) -> tuple[float, float, float]:
        dx, dy = float(points[t, 0] - points[m, 0]), float(points[m, 1] - points[t, 1])
        turn = wrap(float(points[m, 2]) - float(points[t, 2]))
        return hypot(dx, dy), turn, wrap(float(points[m, 2]) - float(np.arctan2(dy, dx)))

    one, other = seen(a, a1, a2), seen(b, b1, b2)
    distance, turn = abs(one[0] - other[0]), abs(wrap(one[1] - other[1]))
    if distance > 12 or turn > 0.6:
        return 0.0
    radial = abs(wrap(one[2] - other[2]))
    return sigmoid(distance, 5, -1.6) * sigmoid(turn, pi / 12, -30) * sigmoid(radial, pi / 12, -30)


def relaxed_score(similarity: F32, a: F32, b: F32) -> float:
    """LSSR as the paper states it, on the best pairs only."""
    smaller = min(len(a), len(b))
    entries = [(float(s), i, j) for (i, j), s in np.ndenumerate(similarity) if s > 0]
    best = sorted(entries, key=lambda e: -e[0])[: min(smaller, lssr.RELAXED)]
    if len(best) < 2:
        return 0.0
    pairs = [(i, j) for _, i, j in best]
    start = [s for s, _, _ in best]
    now = list(start)
    for _ in range(5):
        now = [
            0.5 * now[s]
            + 0.5
            * sum(agreement(a, b, pairs[s], pairs[t]) * now[t] for t in range(len(pairs)) if t != s)
            / (len(pairs) - 1)
            for s in range(len(pairs))
        ]
    count = min(smaller, 4 + round(sigmoid(smaller, 20, 0.4) * 8))
    kept = sorted(zip(now, start, strict=True), key=lambda v: -v[0] / v[1])[:count]
    return sum(value for value, _ in kept) / count


def texture_correlation(a: U8, b: U8, left: int, top: int) -> float:
    """Correlation of a 16x16 block of signs with the block of b at (left, top)."""
    there = b[top : top + 16, left : left + 16].astype(int) * 2 - 1
    return float(((a.astype(int) * 2 - 1) * there).mean())


def components(mask: U8) -> list[set[tuple[int, int]]]:
    """The 4-connected areas of a mask, each as its set of cells, in reading order of their first cells."""
    left = {(int(i), int(j)) for i, j in zip(*np.nonzero(mask), strict=True)}
    found = []
    while left:
        area, edge = set(), {min(left)}
        while edge:
            area |= edge
            edge = {(i + a, j + b) for i, j in edge for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))}
            edge = (edge & left) - area
        found.append(area)
        left -= area
    return found


def filtered(image: F32, direction: U8, frequency: F32, mask: U8, y: int, x: int) -> float:
    """The answer at one pixel of the Gabor filter that belongs there, from the definition of the filter."""
    if not mask[y // 8, x // 8]:
        return 0.0
    theta = pi * direction[y, x] / p.ORIENTATIONS
    steps = floor((1.0 / frequency[y // 8, x // 8] - p.MIN_PERIOD) / p.PERIOD_STEP + 0.5)
    period = min(max(p.MIN_PERIOD + p.PERIOD_STEP * steps, p.MIN_PERIOD), p.MAX_PERIOD)
    waves, windows, values = [], [], []
    for dy in range(-p.GABOR_RADIUS, p.GABOR_RADIUS + 1):
        for dx in range(-p.GABOR_RADIUS, p.GABOR_RADIUS + 1):
            if hypot(dx, dy) > p.GABOR_RADIUS + 0.5:
                continue
            across = dx * np.sin(theta) + dy * np.cos(theta)
            along = dx * np.cos(theta) - dy * np.sin(theta)
            waves.append(np.cos(2 * pi * across / period))
            windows.append(exp(-0.5 * ((across / (0.45 * period)) ** 2 + (along / 4.0) ** 2)))
            inside = 0 <= y + dy < image.shape[0] and 0 <= x + dx < image.shape[1]
            values.append(float(image[y + dy, x + dx]) if inside else 0.0)
    wave, window = np.array(waves), np.array(windows)
    taps = window * (wave - (window * wave).sum() / window.sum())
    return float((taps * values).sum() / (taps * wave).sum())


AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Offsets (down, right) of the neighbours of a pixel: p2 to p9 of Guo and Hall."""


def thinned(image: U8) -> U8:
    """Guo and Hall's two alternating passes, pixel by pixel, until nothing changes."""
    image = image.copy()
    while True:
        before = image.copy()
        for even in (False, True):
            gone = []
            for y, x in np.argwhere(image).tolist():
                p2, p3, p4, p5, p6, p7, p8, p9 = (int(image[y + v, x + u]) for v, u in AROUND)
                runs = sum(
                    not a and (b or c) for a, b, c in ((p2, p3, p4), (p4, p5, p6), (p6, p7, p8), (p8, p9, p2))
                )
                pairs = (
                    sum((p9 | p2, p3 | p4, p5 | p6, p7 | p8)),
                    sum((p2 | p3, p4 | p5, p6 | p7, p8 | p9)),
                )
                side = ((p2 or p3 or not p5) and p4) if even else ((p6 or p7 or not p9) and p8)
                if runs == 1 and 2 <= min(pairs) <= 3 and not side:
                    gone.append((y, x))
            for pixel in gone:
                image[pixel] = 0
        if (image == before).all():
            return image


def crossing_number(skeleton: U8, y: int, x: int) -> int:
    """Half the number of changes between background and ridge on the way around a pixel (Rutovitz)."""
    ring = [int(skeleton[y + v, x + u]) for v, u in AROUND]
    return sum(abs(a - b) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)) // 2


def walked(skeleton: U8, start: tuple[int, int], avoid: set[tuple[int, int]], reach: int) -> tuple[int, str]:
    """Pixels from the first one of a ridge on, and what stops there: an end, a branch, or nothing."""
    seen = set(avoid) | {start}
    y, x = start
    steps = 1
    while steps < reach:
        if crossing_number(skeleton, y, x) >= 3:
            return steps, "branch"
        ways = [(y + v, x + u) for v, u in AROUND[::2] + AROUND[1::2]]
        ways = [way for way in ways if skeleton[way] and way not in seen]
        if not ways:
            return steps, "end"
        y, x = ways[0]
        seen.add((y, x))
        steps += 1
    return steps, "nothing"


def leaving(skeleton: U8, y: int, x: int) -> list[tuple[int, int]]:
    """The pixels by which ridges leave a pixel: straight neighbours, and diagonal ones that touch none."""
    out = []
    for k, (v, u) in enumerate(AROUND):
        beside = [AROUND[(k + turn) % 8] for turn in (1, 7)]
        touched = any(skeleton[y + b, x + a] for b, a in beside)
        if skeleton[y + v, x + u] and not (k % 2 == 1 and touched):
            out.append((y + v, x + u))
    return out


def nearest_opposed(nodes: F32, most: float) -> list[float]:
    """Distance of each node to the nearest one turned by more than 120°."""
    out = []
    for x, y, angle in nodes[:, :3].astype(float):
        near = [
            hypot(x - u, y - v)
            for u, v, other in nodes[:, :3].astype(float)
            if abs(wrap(angle - other)) > 2 * pi / 3
        ]
        out.append(min([most, *near]))
    return out


def border_distance(x: float, y: float, area: U8, most: float) -> float:
    """Distance of a point to the nearest pixel of a block outside of the area."""
    rows, columns = area.shape
    nearest = most
    for i in range(-1, rows + 1):
        for j in range(-1, columns + 1):
            if 0 <= i < rows and 0 <= j < columns and area[i, j]:
                continue
            dx = x - min(max(x, j * p.BLOCK), j * p.BLOCK + p.BLOCK - 1)
            dy = y - min(max(y, i * p.BLOCK), i * p.BLOCK + p.BLOCK - 1)
            nearest = min(nearest, hypot(dx, dy))
    return nearest
