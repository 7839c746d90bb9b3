"""Every constant of the search, named once. A *code* is the 64-bit learned short form of one cylinder."""

from __future__ import annotations

from typing import Final

PROBE_CODES: Final = 8
"""Codes of each of ten probe fingers that the first pass over all persons uses: few codes of all fingers tell
more than all codes of a few fingers.
"""
SEARCH_CODES: Final = 80
"""Codes of all probe fingers together; fewer fingers use more of each, at the same cost."""
WORD_CODES: Final = 160
"""Codes of all probe fingers together whose words are looked up in an index of words."""
WORD_FINGERS: Final = 8
"""Fingers of known position from which on votes for words are enough; fewer are compared with everybody's."""
HOT_CODES: Final = 16
"""Codes of a gallery finger that the first pass reads: 128 bytes a finger, 1.3 kB a person of ten fingers."""
FULL_CODES: Final = 36
"""Codes of either finger when the persons that the first pass kept are scored again."""
CROWDING: Final = 0.4
CROWD: Final = 30.0
"""A cylinder that was chosen takes this share of the worth of another at the same place, less of those
farther away (a Gaussian of so many pixels), so that the chosen ones are not all in one place.
"""
THRESHOLD_SD: Final = 3.0
"""A pair of codes counts below (background mean - so many standard deviations) of the probe code."""
MIN_CODES: Final = 4
"""A finger with fewer codes says too little to be searched with, or found by."""
POSITIONS: Final = 11
"""Partitions of a segment by finger position: 0 unknown, 1 right thumb … 10 left little finger."""
SEGMENT_PERSONS: Final = 65_536
"""Persons after which a segment is sealed: its sums then fit into the second-level cache."""
