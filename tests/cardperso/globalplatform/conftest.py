"""A virtual card without a reader, and the host's end of a session with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.cardperso.globalplatform.channel import KeySource, SecureChannel, open_channel
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey, SymmetricKey
from sim.card.globalplatform import IMAGE_CAPACITY, CardSettings, ChannelFaults, GlobalPlatformCard, KeyRecord
from sim.card.memory import CardMemory


@dataclass
class Bench:
    """A card, the line to it with everything that was said, and the keys of both ends."""

    card: GlobalPlatformCard
    keys: KeySet[SymmetricKey]
    said: list[tuple[bytes, bytes]] = field(default_factory=list)
    tamper_command: Callable[[bytes], bytes] = bytes
    tamper_response: Callable[[bytes], bytes] = bytes
    guard: AttemptGuard = field(default_factory=AttemptGuard)

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        raw = self.tamper_response(self.card.exchange(self.tamper_command(apdu)))
        self.said.append((apdu, raw))
        return raw[:-2], int.from_bytes(raw[-2:], "big")

    def open(
        self,
        level: SecurityLevel = SecurityLevel.ALL,
        *,
        size: int = 8,
        keys: KeySource | None = None,
        key_version: int = 0,
        aid: bytes = b"",
        limit: int = 255,
    ) -> SecureChannel:
        return open_channel(
            self,
            keys or (lambda _: self.keys),
            chip="the chip",
            guard=self.guard,
            level=level,
            size=size,
            key_version=key_version,
            aid=aid,
            limit=limit,
        )

    def instructions(self) -> list[int]:
        return [apdu[1] for apdu, _ in self.said]


MakeBench = Callable[..., Bench]


def key_record(version: int, size: int, *, des: bool = False) -> KeyRecord:
    enc, mac, dek = (bytes(range(start, start + size)) for start in (0x10, 0x40, 0x80))
    return KeyRecord(version, "DES" if des else "AES", enc, mac, dek)


def host_keys(record: KeyRecord) -> KeySet[SoftwareKey]:
    algorithm: Algorithm = "AES" if record.algorithm == "AES" else "TDES"
    enc, mac, dek = (SoftwareKey(algorithm, value) for value in (record.enc, record.mac, record.dek))
    return KeySet(record.version, enc, mac, dek)


@pytest.fixture
def make_bench(tmp_path: Path) -> MakeBench:
    """Makes a bench: `scp`, `i`, `key_size`, `tries` and `faults` of its card."""

    def make(
        *,
        scp: int = 3,
        i: int = 0x70,
        key_size: int = 16,
        tries: int = 10,
        faults: ChannelFaults | None = None,
    ) -> Bench:
        record = key_record(0x30 if scp == 3 else 0x20, key_size, des=scp == 2)
        number = len(list(tmp_path.iterdir()))
        memory = CardMemory(tmp_path / f"card{number}", capacity=IMAGE_CAPACITY)
        settings = CardSettings(protocol=3 if scp == 3 else 2, i=i, keys=record, tries=tries)
        return Bench(GlobalPlatformCard(memory, settings=settings, faults=faults), host_keys(record))

    return make
