"""The subbands of a WSQ image, and its wavelet synthesis.

An image is split four ways (low and high across, low and high down), most of the parts again, into 60
subbands. Splitting a high part turns its spectrum over, so there the high half is stored first: "inverted".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.abis.kernels import F32, kernel

SUBBANDS = 60


@dataclass(frozen=True)
class Region:
    """A rectangle of the coefficients, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Coefficients in it."""
        return self.width * self.height

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.x, self.x + self.width)


@dataclass(frozen=True)
class Node:
    """A region that is split, and whether it is inverted across and down."""

    region: Region
    across: bool = False
    down: bool = False

    def split(self) -> list[Region]:
        """Its four parts: left to right, then top to bottom."""
        r = self.region
        # The low half has the odd sample; it comes second where inverted.
        w = r.width // 2 if self.across else (r.width + 1) // 2
        h = r.height // 2 if self.down else (r.height + 1) // 2
        return [
            Region(r.x + x, r.y + y, width, height)
            for y, height in ((0, h), (h, r.height - h))
            for x, width in ((0, w), (w, r.width - w))
        ]


@dataclass(frozen=True, eq=False)
class Filters:
    """Synthesis filters, symmetric and of odd length."""

    low: F32
    high: F32


def _children(node: Node) -> list[Node]:
    return [Node(part, bool(k & 1), bool(k >> 1)) for k, part in enumerate(node.split())]


def _tree(width: int, height: int) -> tuple[list[Node], list[Region]]:
    """Nodes, parents first, and the subbands in the order of the file."""
    root = Node(Region(0, 0, width, height))
    top, right, below, _ = _children(root)
    low, high_across, high_down, _ = _children(top)
    nodes = [root, top, right, below, low, high_across, high_down]
    bands: list[Region] = []
    for node in (low, high_across, high_down):
        children = _children(node)
        nodes += children
        for k, child in enumerate(children):
            parts = child.split()
            if node is low and k == 0:
                lowest = Node(parts[0])
                nodes.append(lowest)
                parts = lowest.split() + parts[1:]
            bands += parts
    bands += [top.split()[3], *right.split(), *below.split()]
    return nodes, bands


def subbands(width: int, height: int) -> list[Region]:
    """The 60 subbands of an image in the order of the file; small images have empty ones."""
    return _tree(width, height)[1]


def reconstruct(image: F32, filters: Filters) -> None:
    """Turn coefficients, shape (height, width), into pixels in their place."""
    height, width = image.shape
    for node in reversed(_tree(width, height)[0]):
        part = image[node.region.rows, node.region.columns]
        columns = _synthesize(np.ascontiguousarray(part.T), node.down, filters.low, filters.high)
        part[:] = _synthesize(np.ascontiguousarray(columns.T), node.across, filters.low, filters.high)


@kernel("float32[:, ::1](float32[:, ::1], boolean, float32[::1], float32[::1])")
def _synthesize(lines: F32, inverted: bool, low: F32, high: F32) -> F32:
    """Join the two halves of each line, shape (lines, samples), to one signal of the same length.

    The low half belongs to the even samples, the high half to the odd ones; both ends are mirrored about
    their last sample.
    """
    count, size = lines.shape
    out = np.empty_like(lines)
    if size < 2:
        out[:] = lines
        return out
    lows = (size + 1) // 2
    low_at, high_at = (size - lows, 0) if inverted else (0, lows)
    reach = max(len(low), len(high)) // 2
    period = 2 * (size - 1)
    mirror = np.empty(size + 2 * reach, np.int64)
    for k in range(-reach, size + reach):
        folded = k % period
        mirror[k + reach] = folded if folded < size else period - folded
    signal = np.empty(size + 2 * reach, np.float32)
    for line in range(count):
        for k in range(len(signal)):
            n = mirror[k]
            signal[k] = lines[line, (low_at if n & 1 == 0 else high_at) + (n >> 1)]
        for n in range(size):
            total = np.float32(0.0)
            for tap in range(len(low)):
                k = n + tap - len(low) // 2
                if k & 1 == 0:
                    total += low[tap] * signal[k + reach]
            for tap in range(len(high)):
                k = n + tap - len(high) // 2
                if k & 1 == 1:
                    total += high[tap] * signal[k + reach]
            out[line, n] = total
    return out
