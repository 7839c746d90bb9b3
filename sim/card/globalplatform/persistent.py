"""What a GlobalPlatform card keeps without power: its registry, its keys and counters, and its files.

The last 2 KiB of the EEPROM are the system's: two slots of 1 KiB that hold the registry in turn, each with a
sequence number and a check sum. A change is written to the older slot, so a card that loses power in the
middle of it wakes up with the registry as it was. All before is the heap of the applications' files,
which are written before the registry names them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

from sim.card.apdu import StatusError
from sim.card.memory import CardMemory
from sim.card.tlv import TlvError, objects, tlv

USER_CAPACITY = 8192
"""Bytes for the files of applications."""
SLOT = 1024
IMAGE_CAPACITY = USER_CAPACITY + 2 * SLOT
"""Size of the EEPROM of a new card image."""
_HEADER = 10

OP_READY, INITIALIZED, SECURED, CARD_LOCKED, TERMINATED = 0x01, 0x07, 0x0F, 0x7F, 0xFF
INSTALLED, SELECTABLE, PERSONALIZED, LOCKED = 0x03, 0x07, 0x0F, 0x80


@dataclass(frozen=True)
class KeyRecord:
    """A key set: version and the three keys, all of one algorithm."""

    version: int
    algorithm: Literal["AES", "DES"]
    enc: bytes
    mac: bytes
    dek: bytes


@dataclass(frozen=True)
class StoredFile:
    """A file of an application: `at` and `size` say where it lies in the heap."""

    tag: int
    at: int
    size: int


@dataclass(frozen=True)
class Instance:
    """An application: its name, life cycle state, privileges, install parameters and files."""

    aid: bytes
    state: int
    privileges: int
    parameters: bytes = b""
    files: tuple[StoredFile, ...] = ()


@dataclass(frozen=True)
class Registry:
    """All that the card manager remembers. `tries` are left before the keys lock."""

    state: int
    tries: int
    sequence: int
    keys: tuple[KeyRecord, ...]
    instances: tuple[Instance, ...] = ()

    def find(self, aid: bytes) -> Instance | None:
        """The application of this name."""
        return next((instance for instance in self.instances if instance.aid == aid), None)

    def with_instance(self, changed: Instance) -> Registry:
        """The same with this application in place of the one of its name."""
        others = tuple(instance for instance in self.instances if instance.aid != changed.aid)
        return replace(self, instances=(*others, changed))

    def without_instance(self, aid: bytes) -> Registry:
        """The same without the application of this name."""
        return replace(self, instances=tuple(instance for instance in self.instances if instance.aid != aid))


class Persistent:
    """The registry and the heap in `memory`; a fresh image starts with `factory`."""

    def __init__(self, memory: CardMemory, factory: Registry) -> None:
        self._memory = memory
        self._system = memory.capacity - 2 * SLOT
        if self._system <= 0:
            raise ValueError(f"a GlobalPlatform card needs more than {2 * SLOT} bytes of EEPROM")
        found = [(*slot, number) for number in (0, 1) if (slot := self._read_slot(number)) is not None]
        if found:
            self._turn, self.registry, self._slot = max(found, key=lambda entry: entry[0])
        else:
            self._turn, self._slot = 0, 1
            self.commit(factory)

    @property
    def uid(self) -> bytes:
        """UID of the chip."""
        return self._memory.uid

    @property
    def free(self) -> int:
        """Bytes of the heap that no file takes."""
        used = sum(file.size for instance in self.registry.instances for file in instance.files)
        return self._system - used

    def commit(self, registry: Registry) -> None:
        """Make this the registry, whole or not at all.

        Raises:
            StatusError: 6A84, it does not fit.
        """
        content = _encode(registry)
        if _HEADER + len(content) > SLOT:
            raise StatusError(0x6A84)
        body = (self._turn + 1).to_bytes(4, "big") + len(content).to_bytes(2, "big") + content
        slot = 1 - self._slot
        self._memory.write(self._system + slot * SLOT, zlib.crc32(body).to_bytes(4, "big") + body)
        self._turn, self._slot, self.registry = self._turn + 1, slot, registry

    def store(self, content: bytes, keep: tuple[StoredFile, ...]) -> int:
        """Write a file's content where no file of the registry or in `keep` lies; its place.

        Raises:
            StatusError: 6A84, no room.
        """
        at = self._place(len(content), keep)
        self._memory.write(at, content)
        return at

    def read(self, file: StoredFile) -> bytes:
        """A file's content."""
        return self._memory.read(file.at, file.size)

    def _place(self, size: int, keep: tuple[StoredFile, ...]) -> int:
        used = [file for instance in self.registry.instances for file in instance.files]
        taken = sorted((file.at, file.size) for file in (*used, *keep))
        at = 0
        for start, length in taken:
            if start - at >= size:
                return at
            at = max(at, start + length)
        if self._system - at < size:
            raise StatusError(0x6A84)
        return at

    def _read_slot(self, number: int) -> tuple[int, Registry] | None:
        raw = self._memory.read(self._system + number * SLOT, SLOT)
        check, size = int.from_bytes(raw[:4], "big"), int.from_bytes(raw[8:10], "big")
        if not size or zlib.crc32(raw[4 : _HEADER + size]) != check:
            return None
        try:
            return int.from_bytes(raw[4:8], "big"), _decode(raw[_HEADER : _HEADER + size])
        except (TlvError, KeyError, IndexError):
            return None


def _encode(registry: Registry) -> bytes:
    counters = bytes([registry.state, registry.tries]) + registry.sequence.to_bytes(3, "big")
    keys = b"".join(
        tlv(0xA1, bytes([key.version, key.algorithm == "AES"]) + key.enc + key.mac + key.dek)
        for key in registry.keys
    )
    return (
        tlv(0x80, counters)
        + keys
        + b"".join(tlv(0xA2, _encode_instance(item)) for item in registry.instances)
    )


def _encode_instance(instance: Instance) -> bytes:
    files = b"".join(
        file.tag.to_bytes(2, "big") + file.at.to_bytes(2, "big") + file.size.to_bytes(2, "big")
        for file in instance.files
    )
    head = bytes([instance.state, instance.privileges])
    return tlv(0x4F, instance.aid) + tlv(0x80, head) + tlv(0x81, instance.parameters) + tlv(0x82, files)


def _decode(content: bytes) -> Registry:
    given = list(objects(content))
    counters = given[0][1]
    keys, instances = [], []
    for tag, value in given[1:]:
        if tag == 0xA1:
            size = (len(value) - 2) // 3
            enc, mac, dek = (value[2 + n * size : 2 + (n + 1) * size] for n in range(3))
            keys.append(KeyRecord(value[0], "AES" if value[1] else "DES", enc, mac, dek))
        else:
            instances.append(_decode_instance(value))
    return Registry(
        counters[0], counters[1], int.from_bytes(counters[2:5], "big"), tuple(keys), tuple(instances)
    )


def _decode_instance(value: bytes) -> Instance:
    part = dict(objects(value))
    entries = (part[0x82][at : at + 6] for at in range(0, len(part[0x82]), 6))
    files = tuple(
        StoredFile(*(int.from_bytes(entry[n : n + 2], "big") for n in (0, 2, 4))) for entry in entries
    )
    return Instance(part[0x4F], part[0x80][0], part[0x80][1], part[0x81], files)
