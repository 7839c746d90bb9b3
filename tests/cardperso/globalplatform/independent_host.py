"""A second host, for tests of the virtual card: the text of the standards in code, nothing of ours in it.

GlobalPlatform Card Specification 2.3.1 (clause 11, Appendices B and E) and its Amendment D 1.2. It is strict:
any answer that is longer, shorter or otherwise than the text says fails the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

Exchange = Callable[[bytes], bytes]


class NotConformError(AssertionError):
    """The card did something else than the standard says."""


def demand(condition: object, what: str) -> None:
    if not condition:
        raise NotConformError(what)


@dataclass(frozen=True)
class Keys:
    enc: bytes
    mac: bytes
    dek: bytes


def aes(key: bytes, data: bytes, iv: bytes = bytes(16), *, decrypt: bool = False) -> bytes:
    cipher = Cipher(AES(key), CBC(iv))
    unit = cipher.decryptor() if decrypt else cipher.encryptor()
    return unit.update(data) + unit.finalize()


def cmac(key: bytes, message: bytes) -> bytes:
    unit = CMAC(AES(key))
    unit.update(message)
    return unit.finalize()


def des3_cbc(key: bytes, data: bytes) -> bytes:
    unit = Cipher(TripleDES(key + key[:8]), CBC(bytes(8))).encryptor()
    return unit.update(data) + unit.finalize()


def des3_ecb(key: bytes, data: bytes) -> bytes:
    unit = Cipher(TripleDES(key + key[:8]), ECB()).encryptor()
    return unit.update(data) + unit.finalize()


def single_des(key: bytes, block: bytes) -> bytes:
    return des3_ecb(key[:8] + key[:8], block)


def padded(data: bytes, block: int) -> bytes:
    """B.2.3: at least one byte, 80, then zeros."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def without_padding(data: bytes) -> bytes:
    stripped = data.rstrip(b"\0")
    demand(stripped.endswith(b"\x80"), "padding of a response")
    demand(len(data) - len(stripped) < 16, "more padding than one block")
    return stripped[:-1]


def derived(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """Amendment D, 4.1.5."""
    out = b""
    for counter in range(1, 3 if bits > 128 else 2):
        out += cmac(
            key, bytes(11) + bytes([constant, 0]) + bits.to_bytes(2, "big") + bytes([counter]) + context
        )
    return out[: bits // 8]


def short_mac(key: bytes, message: bytes, iv: bytes) -> bytes:
    """B.1.2.2: single DES in CBC, triple DES for the last block."""
    data = padded(message, 8)
    state = iv
    for at in range(0, len(data) - 8, 8):
        state = single_des(key, bytes(a ^ b for a, b in zip(state, data[at : at + 8], strict=True)))
    return des3_ecb(key, bytes(a ^ b for a, b in zip(state, data[-8:], strict=True)))


def encoded(header: bytes, data: bytes, le: int | None) -> bytes:
    """ISO/IEC 7816-3, 12.1.3: Le None is none, 0 is all."""
    extended = len(data) > 255 or (le is not None and le > 256)
    if extended:
        lc = b"\0" + len(data).to_bytes(2, "big") if data else b""
        end = b"" if le is None else (b"" if data else b"\0") + (le & 0xFFFF).to_bytes(2, "big")
        return header + lc + data + end
    lc = bytes([len(data)]) if data else b""
    return header + lc + data + (b"" if le is None else bytes([le & 0xFF]))


class Host:
    """The off-card entity of one session after the other with the card behind `exchange`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.level = 0
        self.scp = 0
        self.sequence: int | None = None

    def plain(self, apdu: str | bytes) -> tuple[bytes, int]:
        """A command as it is; GET RESPONSE for what is announced."""
        raw = self._exchange(bytes.fromhex(apdu) if isinstance(apdu, str) else apdu)
        data, sw = raw[:-2], int.from_bytes(raw[-2:], "big")
        while sw >> 8 == 0x61:
            raw = self._exchange(bytes([0x00, 0xC0, 0x00, 0x00, sw & 0xFF]))
            data, sw = data + raw[:-2], int.from_bytes(raw[-2:], "big")
        return data, sw

    def initialize(self, keys: Keys, scp: int, *, i: int, version: int, challenge: bytes) -> None:
        """INITIALIZE UPDATE with every field of the answer checked."""
        size = len(challenge)
        data, sw = self.plain(bytes([0x80, 0x50, version, 0x00, size]) + challenge + b"\0")
        demand(sw == 0x9000, f"INITIALIZE UPDATE: {sw:04X}")
        demand(data[11] == scp, "protocol in the key information")
        demand(version in (0, data[10]), "key version in the key information")
        self.scp, self._keys, self._host, self._size, self.level = scp, keys, challenge, size, 0
        rest = data[12:]
        if scp == 3:
            self._initialize03(rest, i)
        else:
            self._initialize02(rest)

    def _initialize03(self, rest: bytes, i: int) -> None:
        size = self._size
        demand(rest[0] == i, "i in the key information")
        demand(len(rest) == 1 + 2 * size + (3 if i & 0x10 else 0), "length of the answer")
        card = rest[1 : 1 + size]
        if i & 0x10:
            counter = rest[-3:]
            expected = derived(self._keys.enc, 0x02, counter + ISD, 8 * size)
            demand(card == expected, "pseudo-random card challenge (6.2.2.1)")
            self.sequence = int.from_bytes(counter, "big")
        context, bits = self._host + card, 8 * len(self._keys.enc)
        self._enc = derived(self._keys.enc, 0x04, context, bits)
        self._mac = derived(self._keys.mac, 0x06, context, bits)
        self._rmac = derived(self._keys.mac, 0x07, context, bits)
        demand(rest[1 + size : 1 + 2 * size] == derived(self._mac, 0, context, 8 * size), "card cryptogram")
        self._cryptogram = derived(self._mac, 1, context, 8 * size)
        self._chain, self._counter = bytes(16), 0

    def _initialize02(self, rest: bytes) -> None:
        demand(len(rest) == 16, "length of the answer")
        counter, challenge, cryptogram = rest[:2], rest[2:8], rest[8:]

        def session(key: bytes, constant: str) -> bytes:
            return des3_cbc(key, bytes.fromhex(constant) + counter + bytes(12))

        self._mac = session(self._keys.mac, "0101")
        self._enc = session(self._keys.enc, "0182")
        self._dek = session(self._keys.dek, "0181")
        self.sequence = int.from_bytes(counter, "big")
        self._challenge = challenge
        expected = des3_cbc(self._enc, padded(self._host + counter + challenge, 8))[-8:]
        demand(cryptogram == expected, "card cryptogram")
        self._cryptogram = des3_cbc(self._enc, padded(counter + challenge + self._host, 8))[-8:]
        self._icv = bytes(8)

    def authenticate(self, level: int) -> int:
        """EXTERNAL AUTHENTICATE; its status word."""
        header = bytes([0x84, 0x82, level, 0x00])
        data, sw = self.plain(encoded(header, *self._with_mac(header, self._cryptogram, None)))
        demand(not data, "no data in answer to EXTERNAL AUTHENTICATE")
        if sw == 0x9000:
            self.level = level
        return sw

    def open(
        self,
        keys: Keys,
        scp: int,
        level: int,
        *,
        i: int = 0,
        version: int = 0,
        challenge: bytes | None = None,
    ) -> None:
        """Both steps."""
        size = 16 if scp == 3 and i & 1 else 8
        self.initialize(
            keys, scp, i=i, version=version, challenge=challenge or bytes(range(0x31, 0x31 + size))
        )
        sw = self.authenticate(level)
        demand(sw == 0x9000, f"EXTERNAL AUTHENTICATE: {sw:04X}")

    def send(self, header: str, data: bytes = b"", le: int | None = 0) -> tuple[bytes, int]:
        """A command through the session, and its plain answer."""
        head = bytes.fromhex(header)
        if not self.level & 0x01:
            return self.plain(encoded(head, data, le))
        head = bytes([head[0] | 0x04]) + head[1:]
        if self.scp == 3:
            self._counter += 1
            if self.level & 0x02 and data:
                data = aes(self._enc, padded(data, 16), aes(self._enc, self._counter.to_bytes(16, "big")))
        if self.level & 0x10 and le is None:
            le = 0
        body, le = self._with_mac(head, data, le)
        answer, sw = self.plain(encoded(head, body, le))
        return self._opened(answer, sw), sw

    def sensitive(self, data: bytes) -> bytes:
        """Under the key encryption key: 6.2.8 of Amendment D, E.4.7."""
        return aes(self._keys.dek, data) if self.scp == 3 else des3_ecb(self._dek, data)

    def _with_mac(self, header: bytes, data: bytes, le: int | None) -> tuple[bytes, int | None]:
        length = len(data) + (self._size if self.scp == 3 else 8)
        extended = length > 255 or (le is not None and le > 256)
        if self.scp == 3:
            lc = b"\0" + length.to_bytes(2, "big") if extended else bytes([length])
            self._chain = cmac(self._mac, self._chain + header + lc + data)
            return data + self._chain[: self._size], le
        mac = short_mac(self._mac, header + bytes([length]) + data, self._icv)
        self._icv = single_des(self._mac, mac)
        if self.level & 0x02 and data:
            data = des3_cbc(self._enc, padded(data, 8))
        return data + mac, le

    def _opened(self, answer: bytes, sw: int) -> bytes:
        if not self.level & 0x10:
            return answer
        if sw != 0x9000 and sw >> 8 not in (0x62, 0x63):
            demand(not answer, "an error comes without data and MAC (6.2.5)")
            return b""
        demand(len(answer) >= self._size, "R-MAC is missing")
        data, mac = answer[: -self._size], answer[-self._size :]
        expected = cmac(self._rmac, self._chain + data + sw.to_bytes(2, "big"))[: self._size]
        demand(mac == expected, "R-MAC")
        if self.level & 0x20 and data:
            demand(len(data) % 16 == 0, "whole blocks of encrypted response data")
            block = bytes([0x80]) + self._counter.to_bytes(15, "big")
            data = without_padding(aes(self._enc, data, aes(self._enc, block), decrypt=True))
        return data


ISD = bytes.fromhex("A000000151000000")


def fields(*values: bytes) -> bytes:
    """Data of INSTALL: each with its length."""
    return b"".join(bytes([len(value)]) + value for value in values)


def check_value(key: bytes, scp: int) -> bytes:
    """B.6: of an AES key over ones, of a DES key over zeros."""
    return aes(key, b"\x01" * 16)[:3] if scp == 3 else des3_ecb(key, bytes(8))[:3]


def key_data(
    host: Host, keys: Keys, *, with_length: bool = True, with_check: bool = True
) -> tuple[bytes, bytes]:
    """Key data fields of PUT KEY (11.8.2.3), and the check values that the card must answer."""
    data = checks = b""
    for value in (keys.enc, keys.mac, keys.dek):
        block = host.sensitive(value + bytes(-len(value) % (16 if host.scp == 3 else 8)))
        if host.scp == 3 and (with_length or len(block) != len(value)):
            block = bytes([len(value)]) + block
        check = check_value(value, host.scp)
        data += bytes([0x88 if host.scp == 3 else 0x80, len(block)]) + block
        data += bytes([3]) + check if with_check else b"\0"
        checks += check
    return data, checks


def grouping(tag: int, value: bytes) -> bytes:
    """A data grouping as EMV Card Personalization has it."""
    length = bytes([len(value)]) if len(value) < 255 else b"\xff" + len(value).to_bytes(2, "big")
    return tag.to_bytes(2, "big") + length + value
