"""An index of codes, so that a search need not look at everybody: multi-index hashing (Norouzi, Punjani and
Fleet, 2012) with votes summed over all fingers of a person.

A code of 64 bits is four words of 16. Two codes of one minutia differ in some 13 bits, so one of their words
is often the same, and more often still if bits of which the probe is least certain are turned. For each word
there is a table that says which persons of a segment have it; every agreement gives them votes, the more the
rarer the word is. A person whose fingers get many votes is worth a closer look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import F64, I32, U64, kernel
from services.abis.search.lanes import ask_for
from services.abis.search.parameters import HOT_CODES
from services.abis.search.plain import U16
from services.abis.vectors import LANES

WORDS = 4
"""Words of a code, and tables of a partition."""
UNCERTAIN = 3
"""Least certain bits of a word that may be wrong: it is looked up with every combination of them turned."""
MOST = 8
"""Votes for a rare word: one that at most one other person has of 65,536. Twice as frequent ones give one
less, down to 1.
"""
_BITS = 16
_VALUES = 1 << _BITS
U32 = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Tables:
    """Who has which word, for one partition of a segment.

    starts: (4, 65537); owners: (4, n). The persons that have word v as their k-th are
    owners[k, starts[k, v]: starts[k, v + 1]].
    """

    starts: U32
    owners: U16

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.starts.nbytes + self.owners.nbytes


@kernel("int64(uint64[:,::1], int32[::1], uint32[:,::1], uint16[:,::1], boolean)")
def _fill(rows: U64, owners: I32, starts: U32, out: U16, counting: bool) -> int:
    """Count the codes of each word into starts[:, v + 1], or put their owners at starts[:, v], moving it
    on. Returns the number of codes.
    """
    total = 0
    for finger in range(owners.size):
        owner = owners[finger]
        if owner < 0:
            continue
        group, lane = finger // LANES, finger % LANES
        first = rows[group * HOT_CODES, lane]
        for k in range(HOT_CODES):
            code = rows[group * HOT_CODES + k, lane]
            # A finger with fewer codes repeats its own.
            if k > 0 and code == first:
                break
            total += 1
            for word in range(WORDS):
                value = np.int64((code >> np.uint64(16 * word)) & np.uint64(0xFFFF))
                if counting:
                    starts[word, value + 1] += np.uint32(1)
                else:
                    out[word, starts[word, value]] = np.uint16(owner)
                    starts[word, value] += np.uint32(1)
    return total


def tables(rows: U64, owners: I32) -> Tables:
    """Tables of a partition, laid out as `plain.score` takes it, of at most 65,536 persons."""
    starts = np.zeros((WORDS, _VALUES + 1), np.uint32)
    codes = _fill(rows, owners, starts, np.empty((WORDS, 0), np.uint16), True)
    np.cumsum(starts, axis=1, out=starts)
    found = np.empty((WORDS, codes), np.uint16)
    ends = starts.copy()
    _fill(rows, owners, ends, found, False)
    return Tables(starts, found)


@kernel("uint16[:,::1](int32[:,::1], float64[::1])")
def asked(projected: I32, scale: F64) -> U16:
    """The words that a probe finger asks for, (4, n * 8): of each code its own, and those with every
    combination of its least certain bits turned.

    projected: (n, 64) what the codes are the signs of. scale: (64) how far each spreads; a bit is the less
    certain, the nearer to zero its projection is in this unit.
    """
    out = np.empty((WORDS, projected.shape[0] << UNCERTAIN), np.uint16)
    doubt = np.empty(_BITS)
    for code in range(projected.shape[0]):
        for word in range(WORDS):
            own = 0
            for bit in range(_BITS):
                value = projected[code, word * _BITS + bit]
                own |= int(value > 0) << bit
                doubt[bit] = abs(value) / scale[word * _BITS + bit]
            at = code << UNCERTAIN
            out[word, at] = np.uint16(own)
            for turned in range(UNCERTAIN):
                bit = int(np.argmin(doubt))
                doubt[bit] = np.inf
                for k in range(1 << turned):
                    out[word, at + (1 << turned) + k] = out[word, at + k] ^ np.uint16(1 << bit)
    return out


@kernel("int64(int64, int64)")
def weight(owners: int, persons: int) -> int:
    """What agreement in a word says that so many of so many persons have: the logarithm of how rare it is.

    It is how many others have it that counts: in a small segment one owner is no sign of a frequent word.
    """
    many = (owners - 1) * _VALUES // persons
    told = MOST
    while many > 1 and told > 1:
        many >>= 1
        told -= 1
    return told


@kernel("void(uint32[:,::1], uint16[:,::1], uint16[:,::1], uint16[::1])")
def vote(starts: U32, owners: U16, asked: U16, votes: U16) -> None:
    """Add the `weight` of each asked word (4, m) to the votes (persons) of those who have it."""
    many = asked.shape[1]
    begin, end = np.empty(many, np.int64), np.empty(many, np.int64)
    for word in range(WORDS):
        # All look-ups first, and before each the memory it needs: they wait side by side.
        for k in range(many):
            ask_for(starts, word * starts.shape[1] + asked[word, k])
        for k in range(many):
            begin[k] = starts[word, asked[word, k]]
            end[k] = starts[word, asked[word, k] + 1]
            ask_for(owners, word * owners.shape[1] + begin[k])
        for k in range(many):
            told = np.uint16(weight(end[k] - begin[k], votes.size))
            for at in range(begin[k], end[k]):
                votes[owners[word, at]] += told
