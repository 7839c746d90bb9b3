"""A second card, for tests of our host: the text of the standards in code, nothing of the virtual card in it.

GlobalPlatform Card Specification 2.3.1 (clauses 5, 7 and 11, Appendices B and E), its Amendment D 1.2, and
the data groupings of EMV Card Personalization 1.1. It forgives nothing: what the text does not allow is
written down in `violations` and answered with 6F00.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from tests.cardperso.globalplatform.independent_host import (
    ISD,
    Keys,
    aes,
    check_value,
    cmac,
    derived,
    des3_cbc,
    padded,
    short_mac,
    single_des,
)

NO_LE = -1
UID = bytes.fromhex("0455AA7788")


class Status(Exception):  # noqa: N818 - an answer, not an error
    """The answer is this status word, with data or without."""

    def __init__(self, sw: int, data: bytes = b"") -> None:
        super().__init__(f"{sw:04X}")
        self.sw, self.data = sw, data


class Violation(Exception):  # noqa: N818 - of the standard, by the host
    """The host did what the text does not allow."""


def insist(condition: object, what: str) -> None:
    if not condition:
        raise Violation(what)


@dataclass
class Apdu:
    """A command with its length fields as they were sent; `le` is NO_LE without that field."""

    header: bytes
    lc: bytes
    data: bytes
    le: int

    @property
    def extended(self) -> bool:
        return len(self.lc) == 3


def read_apdu(raw: bytes) -> Apdu:
    """ISO/IEC 7816-3, 12.1.3, short or extended; both lengths of one kind."""
    header, body = raw[:4], raw[4:]
    insist(len(header) == 4, "a header")
    if not body:
        return Apdu(header, b"", b"", NO_LE)
    if len(body) == 1:
        return Apdu(header, b"", b"", body[0] or 256)
    width = 3 if body[0] == 0 else 1
    if width == 3 and len(body) == 3:
        return Apdu(header, b"", b"", int.from_bytes(body[1:], "big") or 65536)
    size = int.from_bytes(body[:width], "big")
    data, le = body[width : width + size], body[width + size :]
    insist(size and len(data) == size, "Lc and data")
    insist(len(le) in (0, 2 if width == 3 else 1), "length of Le")
    wanted = int.from_bytes(le, "big") or (65536 if width == 3 else 256)
    return Apdu(header, body[:width], data, wanted if le else NO_LE)


@dataclass
class Application:
    state: int
    groups: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Session:
    """Keys and chaining of one session, open once `level` is there."""

    scp: int
    size: int
    host: bytes
    host_cryptogram: bytes = b""
    enc: bytes = b""
    mac: bytes = b""
    rmac: bytes = b""
    dek: bytes = b""
    chain: bytes = bytes(16)
    counter: int = 0
    level: int | None = None


class IndependentCard:
    """A card with one load file and one module.

    Args:
        scp: 2 or 3.
        i: options.
        keys: the key set that it comes with, and
        version: of it.
        most: bytes of the longest data field.
        extended: whether extended length is understood.
        says_most: whether SELECT tells `most`.
        same_version: whether PUT KEY replaces a set by one of the same version only.
        stepwise: whether the life cycle of the card goes on one step at a time.
    """

    LOAD_FILE, MODULE = b"\xf0LOADED", b"\xf0LOADED\x01"

    def __init__(
        self,
        scp: int,
        i: int,
        keys: Keys,
        version: int = 0xFF,
        *,
        most: int = 255,
        extended: bool = False,
        says_most: bool = False,
        same_version: bool = False,
        stepwise: bool = False,
    ) -> None:
        self.same_version, self.stepwise = same_version, stepwise
        self.scp, self.i = scp, i
        self.keys: dict[int, Keys] = {version: keys}
        self.most, self.extended, self.says_most = most, extended, says_most
        self.state = 0x01
        self.applications: dict[bytes, Application] = {
            b"\xf0OTHER%d" % n: Application(0x07) for n in range(2)
        }
        self.violations: list[str] = []
        self.instructions: list[int] = []
        self.sequence = 0x0102
        self._selected = True
        self._session: Session | None = None
        self._target: Application | None = None
        self._block = 0
        self._stream = b""
        self._secret: list[bool] = []
        self._listed: list[bytes] = []

    def transmit(self, raw: bytes) -> tuple[bytes, int]:
        """The transport of our host: a command in, data and status word out."""
        self.instructions.append(raw[1])
        try:
            return self._answer(read_apdu(raw))
        except Violation as violation:
            self.violations.append(f"{raw[:5].hex().upper()}: {violation}")
            self._session = None
            return b"", 0x6F00

    def _answer(self, apdu: Apdu) -> tuple[bytes, int]:
        insist(len(apdu.data) <= self.most, f"{len(apdu.data)} bytes of data where {self.most} are allowed")
        insist(self.extended or (not apdu.extended and apdu.le <= 256), "extended length")
        kind = (apdu.header[0], apdu.header[1])
        if kind == (0x00, 0xA4):
            return self._select(apdu)
        insist(self._selected, "a command to an application that knows none")
        if kind == (0x80, 0x50):
            return self._initialize(apdu)
        if kind == (0x84, 0x82):
            return self._authenticate(apdu), 0x9000
        session = self._session
        if session is None or session.level is None:
            insist(kind == (0x80, 0xCA), "only GET DATA without a session")
            insist(apdu.le != NO_LE and not apdu.data, "GET DATA is a command of case 2")
            return self._get_data(apdu.header[2:])
        insist(apdu.header[0] == (0x84 if session.level else 0x80), "class of a command in a session")
        plain = self._unwrapped(session, apdu)
        try:
            data, sw = self._manage(session, apdu, plain), 0x9000
        except Status as status:
            data, sw = status.data, status.sw
        if sw != 0x9000 and sw >> 8 not in (0x62, 0x63):
            return b"", sw
        return self._wrapped(session, data, sw), sw

    def _select(self, apdu: Apdu) -> tuple[bytes, int]:
        insist(apdu.header[2:] == b"\x04\x00", "SELECT by name, first occurrence")
        insist(apdu.le != NO_LE, "SELECT asks for the control information")
        self._session = self._target = None
        if apdu.data in (b"", ISD):
            self._selected = True
            longest = b"\x9f\x65" + (
                b"\x02" + self.most.to_bytes(2, "big") if self.says_most else b"\x01\xff"
            )
            inside = b"\x84\x08" + ISD + b"\xa5" + bytes([len(longest)]) + longest
            return b"\x6f" + bytes([len(inside)]) + inside, 0x9000
        return b"", 0x6A82

    def _get_data(self, tag: bytes) -> tuple[bytes, int]:
        if tag != b"\x00\x66":
            return b"", 0x6A88
        oid = bytes.fromhex("2A864886FC6B04") + bytes([self.scp, self.i])
        inside = bytes.fromhex("06072A864886FC6B01") + b"\x64\x0b\x06\x09" + oid
        return b"\x66" + bytes([len(inside) + 2]) + b"\x73" + bytes([len(inside)]) + inside, 0x9000

    def _initialize(self, apdu: Apdu) -> tuple[bytes, int]:
        size = 16 if self.scp == 3 and self.i & 1 else 8
        insist(apdu.header[3] == 0, "P2 of INITIALIZE UPDATE")
        insist(len(apdu.data) == size and apdu.le == 256, "challenge and Le of INITIALIZE UPDATE")
        version = apdu.header[2] or next(iter(self.keys))
        if version not in self.keys:
            return b"", 0x6A88
        keys = self.keys[version]
        self._session = session = Session(self.scp, size, apdu.data)
        named = b"\0\0\0\0\0" + UID + bytes([version, self.scp])
        if self.scp == 3:
            counter = self.sequence.to_bytes(3, "big")
            card = (
                derived(keys.enc, 0x02, counter + ISD, 8 * size)
                if self.i & 0x10
                else sha256(counter).digest()[:size]
            )
            context, bits = apdu.data + card, 8 * len(keys.enc)
            session.enc, session.mac = (
                derived(keys.enc, 4, context, bits),
                derived(keys.mac, 6, context, bits),
            )
            session.rmac, session.dek = derived(keys.mac, 7, context, bits), keys.dek
            session.host_cryptogram = derived(session.mac, 1, context, 8 * size)
            mine = derived(session.mac, 0, context, 8 * size)
            return named + bytes([self.i]) + card + mine + (counter if self.i & 0x10 else b""), 0x9000
        counter = self.sequence.to_bytes(2, "big")
        session.mac, session.enc, session.dek = (
            des3_cbc(key, constant + counter + bytes(12))
            for key, constant in ((keys.mac, b"\x01\x01"), (keys.enc, b"\x01\x82"), (keys.dek, b"\x01\x81"))
        )
        card = short_mac(session.mac, ISD, bytes(8))[:6] if self.i & 0x40 else sha256(counter).digest()[:6]
        session.host_cryptogram = des3_cbc(session.enc, padded(counter + card + apdu.data, 8))[-8:]
        session.chain = bytes(8)
        return named + counter + card + des3_cbc(session.enc, padded(apdu.data + counter + card, 8))[
            -8:
        ], 0x9000

    def _authenticate(self, apdu: Apdu) -> bytes:
        session = self._session
        insist(
            session is not None and session.level is None, "EXTERNAL AUTHENTICATE follows INITIALIZE UPDATE"
        )
        assert session is not None
        level = apdu.header[2]
        insist(level in (0, 1, 3, 0x11, 0x13, 0x33) and apdu.header[3] == 0, "level and P2")
        insist(
            not level & 0x10 or (self.scp == 3 and self.i & 0x20), "a level with R-MAC that was not offered"
        )
        insist(not level & 0x20 or self.i & 0x40, "a level with R-ENC that was not offered")
        insist(apdu.le == NO_LE, "EXTERNAL AUTHENTICATE is a command of case 3")
        insist(self._verified(session, apdu) == session.host_cryptogram, "host cryptogram")
        session.level = level
        self.sequence += 1
        return b""

    def _verified(self, session: Session, apdu: Apdu) -> bytes:
        """Data of a command without its C-MAC."""
        data, mac = apdu.data[: -session.size], apdu.data[-session.size :]
        if session.scp == 3:
            session.chain = cmac(session.mac, session.chain + apdu.header + apdu.lc + data)
            insist(mac == session.chain[: session.size], "C-MAC")
            return data
        if session.level is not None and session.level & 2 and data:
            data = self._unpadded(data, session.enc, 8)
        lc = bytes([len(data) + 8])
        session.chain = short_mac(session.mac, apdu.header + lc + data, session.chain)
        insist(mac == session.chain, "C-MAC")
        session.chain = single_des(session.mac, session.chain)
        return data

    def _unpadded(self, data: bytes, key: bytes, block: int, iv: bytes = bytes(16)) -> bytes:
        insist(len(data) % block == 0, "whole blocks of encrypted data")
        if block == 16:
            plain = aes(key, data, iv, decrypt=True)
        else:
            unit = Cipher(TripleDES(key + key[:8]), CBC(bytes(8))).decryptor()
            plain = unit.update(data) + unit.finalize()
        bare = plain.rstrip(b"\0")
        insist(
            bare.endswith(b"\x80") and len(plain) - len(bare) < block,
            "padding with 80 and as few zeros as possible",
        )
        return bare[:-1]

    def _unwrapped(self, session: Session, apdu: Apdu) -> bytes:
        level = session.level or 0
        insist(not level & 0x10 or apdu.le != NO_LE, "Le where the response has a MAC")
        session.counter += 1
        if not level:
            return apdu.data
        data = self._verified(session, apdu)
        if level & 2 and data and session.scp == 3:
            iv = aes(session.enc, session.counter.to_bytes(16, "big"))
            data = self._unpadded(data, session.enc, 16, iv)
        return data

    def _wrapped(self, session: Session, data: bytes, sw: int) -> bytes:
        level = session.level or 0
        if level & 0x20 and data:
            iv = aes(session.enc, b"\x80" + session.counter.to_bytes(15, "big"))
            data = aes(session.enc, padded(data, 16), iv)
        if level & 0x10:
            data += cmac(session.rmac, session.chain + data + sw.to_bytes(2, "big"))[: session.size]
        return data

    def _manage(self, session: Session, apdu: Apdu, data: bytes) -> bytes:
        ins, p1, p2 = apdu.header[1:]
        answers = ins in (0xE6, 0xD8, 0xF2, 0xE4)
        insist(answers == (apdu.le != NO_LE) or (session.level or 0) & 0x10, "Le only where data comes back")
        if ins != 0xE2:
            insist(not self._stream, "STORE DATA was not finished")
            self._target = None
        if ins == 0xF2:
            return self._get_status(p1, p2, data)
        if ins == 0xE6:
            return self._install(p1, p2, data)
        if ins == 0xE2:
            return self._store_data(session, p1, p2, data)
        if ins == 0xD8:
            return self._put_key(session, p1, p2, data)
        if ins == 0xF0:
            insist(p1 == 0x80 and not data, "SET STATUS of the card")
            insist(p2 in (0x07, 0x0F, 0x7F), "a state of the card")
            if p2 <= self.state or (self.stepwise and (self.state, p2) == (0x01, 0x0F)):
                raise Status(0x6985)
            self.state = p2
            return b""
        insist(ins == 0xE4 and (p1, p2) == (0, 0), "DELETE")
        if data[:1] == b"\xd2":
            insist(len(data) == 3 and data[1] == 1, "DELETE of a key set")
            if self.keys.pop(data[2], None) is None:
                raise Status(0x6A88)
            return b"\0"
        insist(data[:1] == b"\x4f", "DELETE of one application")
        if self.applications.pop(data[2:], None) is None:
            raise Status(0x6A88)
        return b"\0"

    def _get_status(self, p1: int, p2: int, data: bytes) -> bytes:
        insist(data[:1] == b"\x4f" and len(data) == 2 + data[1], "search criterion 4F")
        insist(p1 in (0x80, 0x40, 0x20, 0x10) and p2 in (2, 3), "GET STATUS with data objects")
        if p2 == 2:
            named = {ISD: self.state} if p1 == 0x80 else {n: a.state for n, a in self.applications.items()}
            self._listed = [
                b"\xe3"
                + bytes([len(name) + 11])
                + bytes([0x4F, len(name)])
                + name
                + bytes([0x9F, 0x70, 1, state, 0xC5, 3, 0, 0, 0])
                for name, state in (named.items() if p1 in (0x80, 0x40) else ())
            ]
        insist(p2 == 2 or self._listed, "nothing follows")
        if not self._listed:
            raise Status(0x6A88)
        one = self._listed.pop(0)
        if self._listed:
            raise Status(0x6310, one)
        return one

    def _install(self, p1: int, p2: int, data: bytes) -> bytes:
        parts, at = [], 0
        while at < len(data):
            parts.append(data[at + 1 : at + 1 + data[at]])
            insist(len(parts[-1]) == data[at], "length of a field of INSTALL")
            at += 1 + data[at]
        insist(p2 == 0 and len(parts) == 6 and not parts[5], "INSTALL has six fields, the token empty")
        file, module, name, privileges, parameters, _ = parts
        if p1 == 0x20:
            insist(not (file or module or privileges or parameters), "empty fields of [for personalization]")
            if name not in self.applications:
                raise Status(0x6A88)
            self._target, self._block, self._secret = self.applications[name], 0, []
            return b"\0"
        insist(
            p1 == 0x0C and 5 <= len(name) <= 16 and len(privileges) in (1, 3),
            "[for install and make selectable]",
        )
        insist(parameters[:1] == b"\xc9" and parameters[1] == len(parameters) - 2, "C9 is mandatory")
        if (file, module) != (self.LOAD_FILE, self.MODULE):
            raise Status(0x6A88)
        insist(name not in self.applications, "a name that is taken")
        self.applications[name] = Application(0x07)
        return b"\0"

    def _store_data(self, session: Session, p1: int, p2: int, data: bytes) -> bytes:
        insist(
            self._target is not None,
            "STORE DATA without INSTALL [for personalization], or after the last block",
        )
        assert self._target is not None
        insist(p2 == self._block & 0xFF, "block number")
        insist(p1 & 0x1F == 0x08 and p1 & 0x60 in (0, 0x60), "P1: data groupings, plain or encrypted")
        insist(data, "a block without data")
        encrypted = bool(p1 & 0x60)
        insist(not self._stream or self._secret[-1] == encrypted, "a grouping that is half encrypted")
        self._block += 1
        self._secret.append(encrypted)
        self._stream += data
        while len(self._stream) >= 3:
            wide = self._stream[2] == 0xFF
            insist(
                not wide or len(self._stream) < 5 or int.from_bytes(self._stream[3:5], "big") >= 255,
                "length form",
            )
            begin = 5 if wide else 3
            size = int.from_bytes(self._stream[3:5], "big") if wide else self._stream[2]
            if len(self._stream) < begin + size or (wide and len(self._stream) < 5):
                break
            tag, value = int.from_bytes(self._stream[:2], "big"), self._stream[begin : begin + size]
            insist(tag not in self._target.groups, f"grouping {tag:04X} twice")
            self._target.groups[tag] = self._revealed(session, value) if encrypted else value
            self._stream = self._stream[begin + size :]
        if p1 & 0x80:
            insist(not self._stream, "the last block ends in the middle of a grouping")
            self._target.state, self._target = 0x0F, None
        return b""

    def _revealed(self, session: Session, value: bytes) -> bytes:
        if session.scp == 3:
            return self._unpadded(value, session.dek, 16)
        bare = self._ecb(session.dek, value).rstrip(b"\0")
        insist(bare.endswith(b"\x80"), "padding of an encrypted grouping")
        return bare[:-1]

    @staticmethod
    def _ecb(key: bytes, data: bytes) -> bytes:
        unit = Cipher(TripleDES(key + key[:8]), ECB()).decryptor()
        return unit.update(data) + unit.finalize()

    def _put_key(self, session: Session, p1: int, p2: int, data: bytes) -> bytes:
        insist(p2 == 0x81, "a whole set from its first key on")
        insist(p1 == 0 or p1 in self.keys, "the set that is replaced")
        version, rest = data[0], data[1:]
        if self.same_version and p1 not in (0, version):
            raise Status(0x6A86)
        if p1 == 0 and version in self.keys:
            raise Status(0x6985)
        insist(1 <= version <= 0x7F, "version of the new set")
        found, checks = [], b""
        for _ in range(3):
            kind, size = rest[0], rest[1]
            insist(kind == (0x88 if self.scp == 3 else 0x80), "key type")
            block, rest = rest[2 : 2 + size], rest[2 + size :]
            if self.scp == 3:
                length = block[0]
                insist(size == 1 + -(-length // 16) * 16 and length in (16, 24, 32), "length of an AES key")
                padded_key = aes(session.dek, block[1:], decrypt=True)
                value = padded_key[:length]
                insist(not any(padded_key[length:]), "zeros after a key of 24 bytes")
            else:
                insist(size == 16, "length of a triple-DES key")
                value = self._ecb(session.dek, block)
            check = check_value(value, self.scp)
            insist(rest[:4] == b"\x03" + check, "key check value")
            found.append(value)
            checks += check
            rest = rest[4:]
        insist(not rest, "nothing after the third key")
        for old in [p1] if p1 else [old for old in self.keys if old == 0xFF]:
            del self.keys[old]
        self.keys = {version: Keys(*found), **self.keys}
        return bytes([version]) + checks
