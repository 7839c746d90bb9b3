"""Train how far a minutia can be trusted: `python -m bench.train_reliability` prints the constant.

Synthetic fingers are printed several times, carelessly. Wherever two prints of one finger can be aligned,
each end or branch of a ridge in one either shows again in the other or does not; a logistic regression tells
which, from what one print alone shows (`minutiae.signs`). No real finger takes part, so every set of real
ones may be reported on. Seeds are fixed: the same code gives the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from bench import logistic
from services.abis.fingerprint import mask, minutiae, tracing
from services.abis.fingerprint.align import place
from services.abis.fingerprint.extract import Trace, extract_pixels
from services.abis.fingerprint.parameters import BLOCK, BORDER
from services.abis.fingerprint.score import DEFAULT
from services.abis.fingerprint.template import Template
from services.abis.fingerprint.verify import verify
from services.common.errors import InvalidArgument
from sim import fingerprints
from sim.fingerprints import Level

F64 = NDArray[np.float64]
FIRST_PERSON = 9_100_000_000_000
"""Seed of the first person, far from those of `sim.population` and `bench.synthetic`."""
FINGERS = 24
LEVELS = (Level.NORMAL, Level.HARD, Level.NORMAL, Level.HARD, Level.NORMAL, Level.HARD)
"""How each print of a finger is taken."""
ALIGNED = 3.0
"""Score above which an alignment of two prints of one finger is believed."""
NEAR, TURNED = 9.0, 0.6
"""Pixels and radians within which a minutia shows again."""
OFTEN = 3
"""Prints that must cover a minutia before its share of them counts."""
RIDGE = 1e-4


@dataclass(frozen=True, eq=False)
class Print:
    """One print: its template, its nodes (n, tracing.COLUMNS), and their signs (n, 7)."""

    template: Template
    nodes: NDArray[np.float32]
    signs: F64
    inner: NDArray[np.bool_]
    """Blocks well inside the ridge area."""

    def covers(self, x: F64, y: F64) -> NDArray[np.bool_]:
        """Whether points lie well inside the ridge area."""
        i, j = (y // BLOCK).astype(int), (x // BLOCK).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < self.inner.shape[0]) & (j < self.inner.shape[1])
        return np.asarray(inside & self.inner[np.where(inside, i, 0), np.where(inside, j, 0)])


def prints(finger: int) -> list[Print]:
    """All usable prints of one synthetic finger."""
    grown = fingerprints.master(FIRST_PERSON + finger // 10, 1 + finger % 10, directory=None)
    out: list[Print] = []
    for number, level in enumerate(LEVELS):
        seen: Trace = {}
        try:
            template = extract_pixels(fingerprints.impression(grown, number, level), trace=seen)
        except InvalidArgument:
            continue
        nodes = tracing.nodes(seen["skeleton"], seen["enhanced"], seen["c"], seen["s"])
        x, y = (np.ascontiguousarray(nodes[:, k]) for k in range(2))
        border = minutiae.border_distance(x, y, seen["area"].astype(np.uint8), minutiae.FAR)
        signs = minutiae.signs(nodes, border, minutiae.read_grid(x, y, seen["power"]))
        out.append(
            Print(template, nodes, np.column_stack(signs).astype(np.float64), mask.erode(seen["area"]))
        )
    return out


def votes(finger: list[Print]) -> list[F64]:
    """For each print how often its nodes were covered by another print, and how often found there: (n, 2)."""
    out = [np.zeros((len(print_.nodes), 2)) for print_ in finger]
    for a, b in permutations(range(len(finger)), 2):
        one, two = finger[a], finger[b]
        score, _, motion, field, _, _ = verify(
            one.template.prepared, two.template.prepared, DEFAULT.image, -np.inf
        )
        if score < ALIGNED or not len(one.nodes) or not len(two.nodes):
            continue
        moved = np.array([place(float(x), float(y), motion, field) for x, y in one.nodes[:, :2]])
        turned = one.nodes[:, 2] + np.arctan2(motion[1], motion[0])
        apart = np.hypot(moved[:, :1] - two.nodes[:, 0], moved[:, 1:] - two.nodes[:, 1])
        turn = np.abs(np.mod(turned[:, None] - two.nodes[:, 2] + np.pi, 2 * np.pi) - np.pi)
        covered = two.covers(moved[:, 0], moved[:, 1])
        out[a][:, 0] += covered
        out[a][:, 1] += covered & ((apart < NEAR) & (turn < TURNED)).any(axis=1)
    return out


def samples() -> tuple[F64, F64, F64]:
    """Signs (n, 7) of all nodes that enough prints cover, in how many of them they were found and missed."""
    rows: list[F64] = []
    counts: list[F64] = []
    for number in range(FINGERS):
        finger = prints(number)
        for print_, seen in zip(finger, votes(finger), strict=True):
            enough = (seen[:, 0] >= OFTEN) & (print_.signs[:, 1] > BORDER)
            rows.append(print_.signs[enough])
            counts.append(seen[enough])
    covered, found = np.concatenate(counts).T
    return np.concatenate(rows), found / covered, 1.0 - found / covered


def main() -> None:
    """Train, and print the weights."""
    signs, found, missed = samples()
    # Each node speaks for both outcomes, in the proportion in which they were seen.
    genuine = np.repeat([True, False], len(signs))
    share = np.concatenate([found, missed]) / len(signs)
    weights = logistic.fit(np.concatenate([signs, signs]), genuine, RIDGE, share)
    print(f"{len(signs)} nodes, {100 * found.mean():.0f} % found again")
    print("RELIABILITY: Final = (" + ", ".join(f"{w:.3g}" for w in weights) + ")")


if __name__ == "__main__":
    main()
