"""Masters on disk, so that a finger grows once and not at every run.

One file a finger in a directory per recipe version. Files are written beside their place and renamed into it,
so a reader sees a whole master or none; a file that cannot be read is grown and written anew.
"""

import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.fingerprints.fields import HEIGHT, WIDTH
from sim.fingerprints.traits import Pattern

RECIPE: Final = 1
"""Counts up whenever a change anywhere in this package changes a master."""

DEFAULT_DIRECTORY: Final = Path("var/cache/fingerprints")

Stored = tuple[Pattern, NDArray[np.int8], NDArray[np.uint8]]
"""Pattern, ridges and pores of a master as they are kept on disk."""


def load(directory: Path, person_seed: int, position: int) -> Stored | None:
    """The stored master of a finger; None when there is none that can be read."""
    try:
        # Opened here because NumPy forgets to close a file that turns out to be damaged.
        with (
            _path(directory, person_seed, position).open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            pattern, ridges, pores = Pattern(str(stored["pattern"])), stored["ridges"], stored["pores"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if ridges.shape != (HEIGHT, WIDTH) or pores.shape != (HEIGHT, WIDTH):
        return None
    return pattern, ridges, pores


def store(directory: Path, person_seed: int, position: int, master: Stored) -> None:
    """Write a master; two processes may do so at once, the later file replaces an equal one."""
    path = _path(directory, person_seed, position)
    path.parent.mkdir(parents=True, exist_ok=True)
    pattern, ridges, pores = master
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, pattern=np.array(str(pattern)), ridges=ridges, pores=pores)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _path(directory: Path, person_seed: int, position: int) -> Path:
    return directory / f"recipe-{RECIPE}" / f"{person_seed}-{position:02d}.npz"
