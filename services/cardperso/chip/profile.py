"""Which files a chip has, and how many bytes each may take.

The official layout is not public: this one is ours. It is laid out like the logical data structure of ICAO
9303-10 (EF.COM, data groups by short identifier, a file that seals them), in one application of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChipFile:
    """A transparent EF: `number` is the data group's, 0 where it is none; `budget` is in bytes."""

    key: str
    fid: int
    sfi: int
    budget: int
    number: int = 0


@dataclass(frozen=True)
class Profile:
    """An application on a chip: its name, its DF, its files, and the EEPROM that all of it may take.

    `file_overhead` is what the card's operating system spends on a DF or EF, in bytes.
    """

    name: str
    aid: bytes
    fid: int
    capacity: int
    file_overhead: int
    files: tuple[ChipFile, ...]

    def file(self, key: str) -> ChipFile:
        """The file with this key."""
        return next(file for file in self.files if file.key == key)


KTP = Profile(
    name="ktp-plain-1",
    # 'F' begins a proprietary identifier that needs no registration (ISO/IEC 7816-5); then "TUNGGAL", version
    # 1.
    aid=bytes.fromhex("F0") + b"TUNGGAL" + b"\x01",
    fid=0x7F01,
    capacity=8192,
    file_overhead=32,
    files=(
        ChipFile("directory", fid=0x011E, sfi=0x1E, budget=32),
        ChipFile("biodata", fid=0x0101, sfi=0x01, budget=768, number=1),
        ChipFile("portrait", fid=0x0102, sfi=0x02, budget=4096, number=2),
        ChipFile("signature", fid=0x0103, sfi=0x03, budget=1024, number=3),
        ChipFile("finger1", fid=0x0104, sfi=0x04, budget=400, number=4),
        ChipFile("finger2", fid=0x0105, sfi=0x05, budget=400, number=5),
        # Room for what a signature will add to the bare hashes.
        ChipFile("hashes", fid=0x011D, sfi=0x1D, budget=1024),
    ),
)
