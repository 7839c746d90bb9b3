"""A border's reader, for tests of the profile `icao-lds1`: the text of ICAO Doc 9303 in code, nothing of
ours.

Part 5 (TD1 zone), part 10 (logical data structure), part 11 (basic access control, secure messaging). OpenSSL
verifies the signature.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC

APPLICATION = "A0000002471001"
COM, SOD = 0x011E, 0x011D
ELEMENTS = {0x61: 0x0101, 0x75: 0x0102}
"""Files of the data groups by the tags that EF.COM lists."""


def zone_information(lines: list[str]) -> str:
    """Document number, birth, expiry, each with its check digit (9303-11, 4.3.2; long numbers by 9303-5,
    4.2.2).
    """
    first, second, _ = lines
    number = first[5:14]
    if first[14] == "<":
        rest = first[15:30].rstrip("<")
        number, check = number + rest[:-1], rest[-1]
    else:
        check = first[14]
    return number + check + second[0:7] + second[8:15]


def des(key: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    cipher = Cipher(TripleDES(key + key[:8]), CBC(bytes(8)))
    unit = cipher.decryptor() if decrypt else cipher.encryptor()
    return unit.update(data) + unit.finalize()


def pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % 8)


def mac(key: bytes, data: bytes) -> bytes:
    """ISO/IEC 9797-1 algorithm 3 over padded data."""
    state = bytes(8)
    single = key[:8] * 2
    for at in range(0, len(data), 8):
        state = des(single, bytes(a ^ b for a, b in zip(state, data[at : at + 8], strict=True)))
    return des(single, des(key[8:] * 2, state, decrypt=True))


def derived(seed: bytes, counter: int) -> bytes:
    digest = bytearray(hashlib.sha1(seed + counter.to_bytes(4, "big"), usedforsecurity=False).digest()[:16])
    for at, byte in enumerate(digest):
        digest[at] = byte & 0xFE | (1 - (byte >> 1).bit_count() % 2)
    return bytes(digest)


def objects(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        tag, at = data[at], at + 1
        if tag & 0x1F == 0x1F:
            tag, at = tag << 8 | data[at], at + 1
        size, at = data[at], at + 1
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        found.append((tag, data[at : at + size]))
        at += size
    return found


class Reader:
    """One reading. `exchange` takes a command and gives the response with its status word."""

    def __init__(self, exchange: Callable[[bytes], bytes]) -> None:
        self._exchange = exchange
        self._enc = self._mac = b""
        self._counter = 0

    def plain(self, apdu: str) -> bytes:
        answer = self._exchange(bytes.fromhex(apdu))
        assert answer[-2:] == b"\x90\x00", f"{apdu}: {answer[-2:].hex()}"
        return answer[:-2]

    def open(self, lines: list[str]) -> None:
        """Basic access control (9303-11, 4.3.3)."""
        assert self.plain(f"00A4040C07{APPLICATION}") == b""
        seed = hashlib.sha1(zone_information(lines).encode(), usedforsecurity=False).digest()[:16]
        enc, authentic = derived(seed, 1), derived(seed, 2)
        theirs = self.plain("0084000008")
        assert len(theirs) == 8
        mine, key = os.urandom(8), os.urandom(16)
        secret = des(enc, mine + theirs + key)
        answer = self.plain(f"0082000028{secret.hex()}{mac(authentic, pad(secret)).hex()}28")
        assert mac(authentic, pad(answer[:32])) == answer[32:]
        opened = des(enc, answer[:32], decrypt=True)
        assert (opened[:8], opened[8:16]) == (theirs, mine)
        shared = bytes(a ^ b for a, b in zip(key, opened[16:], strict=True))
        self._enc, self._mac = derived(shared, 1), derived(shared, 2)
        self._counter = int.from_bytes(theirs[4:] + mine[4:], "big")

    def protected(self, header: str, data: bytes = b"", le: int | None = None) -> tuple[bytes, int]:
        """A command under secure messaging (9303-11, 9.8)."""
        head = bytes.fromhex(header)
        self._counter += 1
        sent = b""
        if data:
            secret = b"\x01" + des(self._enc, pad(data))
            sent += b"\x87" + bytes([len(secret)]) + secret
        if le is not None:
            sent += b"\x97\x01" + bytes([le & 0xFF])
        check = mac(self._mac, pad(self._counter.to_bytes(8, "big") + pad(head) + sent))
        body = sent + b"\x8e\x08" + check
        answer = self._exchange(head + bytes([len(body)]) + body + b"\0")
        self._counter += 1
        parts = objects(answer[:-2])
        given = dict(parts)
        assert [tag for tag, _ in parts] == ([0x87] if 0x87 in given else []) + [0x99, 0x8E]
        covered = answer[:-12]
        assert mac(self._mac, pad(self._counter.to_bytes(8, "big") + covered)) == given[0x8E]
        assert given[0x99] == answer[-2:]
        plain = b""
        if 0x87 in given:
            assert given[0x87][0] == 1
            plain = des(self._enc, given[0x87][1:], decrypt=True).rstrip(b"\0")
            assert plain[-1] == 0x80
            plain = plain[:-1]
        return plain, int.from_bytes(answer[-2:], "big")

    def file(self, identifier: int) -> bytes:
        """A whole file: its first bytes say how long it is."""
        assert self.protected("0CA4020C", identifier.to_bytes(2, "big")) == (b"", 0x9000)
        head, sw = self.protected("0CB00000", le=6)
        assert (len(head), sw) == (6, 0x9000)
        extra = head[1] & 0x7F if head[1] & 0x80 else 0
        size = 2 + extra + (int.from_bytes(head[2 : 2 + extra], "big") if extra else head[1])
        content = head
        while len(content) < size:
            step = min(0xDF, size - len(content))
            part, sw = self.protected(f"0CB0{len(content):04X}", le=step)
            assert (len(part), sw) == (step, 0x9000)
            content += part
        return content


def signed_hashes(sod: bytes, ca: Path, at: int, scratch: Path) -> dict[int, bytes]:
    """SHA-256 of the data groups by number, after OpenSSL has verified signature and chain as of `at`."""
    ((tag, message),) = objects(sod)
    assert tag == 0x77
    (scratch / "sod.der").write_bytes(message)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(scratch / "sod.der")]
    command += ["-CAfile", str(ca), "-purpose", "any", "-attime", str(at)]
    command += ["-out", str(scratch / "hashes.der")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    ((_, inside),) = objects((scratch / "hashes.der").read_bytes())
    (_, version), (_, algorithm), (_, entries) = objects(inside)
    assert version == b"\0"
    assert objects(algorithm)[0] == (0x06, bytes.fromhex("608648016503040201"))
    pairs = [objects(entry) for _, entry in objects(entries)]
    return {int.from_bytes(number, "big"): digest for (_, number), (_, digest) in pairs}
