"""A keystore in an encrypted file: what works without a token.

The file is JSON. Its key comes from a passphrase by scrypt (RFC 7914); all keys are one AES-256-GCM
ciphertext, with all else in the file authenticated, so nothing can be taken out, put in or exchanged without
the passphrase. It is replaced as a whole with each change. Whoever has file and passphrase has the keys:
production belongs on a token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from services.cardperso.keys.errors import (
    KeyExists,
    KeyMismatch,
    KeyNotFound,
    KeystoreDamaged,
    KeystoreLocked,
    KeystoreUnavailable,
)
from services.cardperso.keys.keystore import KeyInfo, KeyKind, KeyRef, random_key
from services.cardperso.keys.symmetric import SoftwareKey, SymmetricKey, check_value
from services.common.files import file_lock, write_new

FORMAT = "tunggal-keystore-1"
SCRYPT_N = 2**17
"""Cost of a new file: 128 MiB and about half a second for each try at the passphrase (OWASP's advice)."""
_R, _P = 8, 1
_NONCE = 12
_P256_BYTES = 32

_Entry = tuple[KeyKind, bytes]
_Entries = dict[KeyRef, _Entry]


class _Master:
    """A master key with the bytes out of reach of whoever holds it."""

    def __init__(self, key: SoftwareKey) -> None:
        self.algorithm = key.algorithm
        self.size = key.size
        self.cmac: Callable[[bytes], bytes] = key.cmac
        self.encrypt: Callable[[bytes], bytes] = key.encrypt


class FileKeystore:
    """The keystore at `path`. Use `create` for a new one, `open` for one that exists.

    Several processes may use the same file; each sees what the others added.
    """

    def __init__(self, path: Path, header: dict[str, Any], cipher: AESGCM) -> None:
        self._path = path
        self._header = header
        self._cipher = cipher
        self._lock = threading.Lock()
        self._opened = False
        self._entries: _Entries = {}

    @classmethod
    def create(cls, path: Path, passphrase: str) -> Self:
        """Make an empty keystore.

        Raises:
            KeyExists: there is a file already.
        """
        header = {
            "format": FORMAT,
            "kdf": "scrypt",
            "n": SCRYPT_N,
            "r": _R,
            "p": _P,
            "salt": _text(os.urandom(16)),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        store = cls(path, header, _cipher(header, passphrase))
        with store._exclusive():
            if path.exists():
                raise KeyExists(str(path))
            store._write({})
        return store

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open a keystore.

        Raises:
            KeystoreUnavailable: there is no file.
            KeystoreLocked: the passphrase is wrong.
            KeystoreDamaged: the file is none of ours.
        """
        header, _ = _load(path)
        store = cls(path, header, _cipher(header, passphrase))
        store._read()
        return store

    def contents(self) -> list[KeyInfo]:
        """All keys, by name and version."""
        self._read()
        return [_info(ref, *entry) for ref, entry in sorted(self._entries.items())]

    def symmetric(self, ref: KeyRef) -> SymmetricKey:
        """A master key, to be used and not to be seen."""
        kind, value = self._find(ref)
        if kind not in (KeyKind.AES_MASTER, KeyKind.TDES_MASTER):
            raise KeyMismatch(f"{ref} is of the kind {kind.value}, not a master key.")
        return _Master(SoftwareKey(kind.algorithm, value))

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        """ECDSA signature with SHA-256, in DER."""
        return self._signer(ref).sign(message, ec.ECDSA(hashes.SHA256()))

    def public_key(self, ref: KeyRef) -> ec.EllipticCurvePublicKey:
        """Public half of a signing key."""
        return self._signer(ref).public_key()

    def wrap(self, ref: KeyRef, key: SoftwareKey) -> bytes:
        """A chip's key under a wrapping key (RFC 3394)."""
        return keywrap.aes_key_wrap(self._wrapping(ref), key.value)

    def import_key(self, ref: KeyRef, kind: KeyKind, value: bytes) -> KeyInfo:
        """Take in a block cipher key."""
        kind.check_size(len(value))
        return self._add(ref, kind, value)

    def import_wrapped(self, wrapping: KeyRef, wrapped: bytes, ref: KeyRef, kind: KeyKind) -> KeyInfo:
        """Take in a block cipher key that comes under a wrapping key."""
        try:
            value = keywrap.aes_key_unwrap(self._wrapping(wrapping), wrapped)
        except (keywrap.InvalidUnwrap, ValueError):
            raise KeyMismatch(f"This was not wrapped under {wrapping}, or was changed.") from None
        return self.import_key(ref, kind, value)

    def generate(self, ref: KeyRef, kind: KeyKind, size: int = 32) -> KeyInfo:
        """Make a random key."""
        if kind is KeyKind.SIGNING:
            number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
            return self._add(ref, kind, number.to_bytes(_P256_BYTES, "big"))
        return self._add(ref, kind, random_key(kind, size))

    def destroy(self, ref: KeyRef) -> None:
        """Delete a key from the file."""

        def without(entries: _Entries) -> None:
            if entries.pop(ref, None) is None:
                raise KeyNotFound(str(ref))

        self._change(without)

    def close(self) -> None:
        """Forget all keys."""
        self._entries = {}

    def _signer(self, ref: KeyRef) -> ec.EllipticCurvePrivateKey:
        kind, value = self._find(ref)
        if kind is not KeyKind.SIGNING:
            raise KeyMismatch(f"{ref} is of the kind {kind.value}, not a signing key.")
        return _private_key(value)

    def _wrapping(self, ref: KeyRef) -> bytes:
        kind, value = self._find(ref)
        if kind is not KeyKind.WRAPPING:
            raise KeyMismatch(f"{ref} is of the kind {kind.value}, not a wrapping key.")
        return value

    def _find(self, ref: KeyRef) -> _Entry:
        if ref not in self._entries:
            self._read()
        if ref not in self._entries:
            raise KeyNotFound(str(ref))
        return self._entries[ref]

    def _add(self, ref: KeyRef, kind: KeyKind, value: bytes) -> KeyInfo:
        def including(entries: _Entries) -> None:
            if ref in entries:
                raise KeyExists(str(ref))
            entries[ref] = (kind, value)

        self._change(including)
        return _info(ref, kind, value)

    def _exclusive(self) -> Any:
        return file_lock(self._path.with_name(self._path.name + ".lock"))

    def _change(self, change: Callable[[_Entries], None]) -> None:
        """Change what the file holds now; nothing is written where `change` raises."""
        with self._lock, self._exclusive():
            entries = self._decrypted()
            change(entries)
            self._write(entries)

    def _read(self) -> None:
        self._entries = self._decrypted()

    def _decrypted(self) -> _Entries:
        header, sealed = _load(self._path)
        if header != self._header:
            raise KeystoreDamaged(str(self._path))
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _canonical(header))
        except InvalidTag:
            # A passphrase that once opened the file is right.
            fault = KeystoreDamaged if self._opened else KeystoreLocked
            raise fault(str(self._path)) from None
        self._opened = True
        return {
            KeyRef(name, version): (KeyKind(kind), bytes.fromhex(value))
            for name, version, kind, value in json.loads(plain)
        }

    def _write(self, entries: _Entries) -> None:
        plain = json.dumps(
            [
                [ref.name, ref.version, kind.value, value.hex()]
                for ref, (kind, value) in sorted(entries.items())
            ]
        )
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, plain.encode(), _canonical(self._header))
        content = {**self._header, "sealed": _text(sealed)}
        write_new(self._path, json.dumps(content, indent=2).encode(), mode=0o600)
        self._entries = entries


def _load(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and sealed part."""
    try:
        content = json.loads(path.read_bytes())
        sealed = base64.b64decode(content.pop("sealed"), validate=True)
        if content["format"] != FORMAT or (content["r"], content["p"]) != (_R, _P):
            raise ValueError
        if content["n"] not in (2**power for power in range(1, 21)):
            raise ValueError
        base64.b64decode(content["salt"], validate=True)
    except FileNotFoundError:
        raise KeystoreUnavailable(f"There is no keystore {path}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeystoreDamaged(str(path)) from None
    return content, sealed


def _cipher(header: dict[str, Any], passphrase: str) -> AESGCM:
    salt = base64.b64decode(header["salt"])
    return AESGCM(Scrypt(salt, 32, header["n"], header["r"], header["p"]).derive(passphrase.encode()))


def _canonical(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _private_key(value: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(value, "big"), ec.SECP256R1())


def public_check_value(key: ec.EllipticCurvePublicKey) -> bytes:
    """First three bytes of the SHA-256 of a public key (SubjectPublicKeyInfo in DER)."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()[:3]


def _info(ref: KeyRef, kind: KeyKind, value: bytes) -> KeyInfo:
    if kind is KeyKind.SIGNING:
        return KeyInfo(ref, kind, len(value), public_check_value(_private_key(value).public_key()))
    return KeyInfo(ref, kind, len(value), check_value(SoftwareKey(kind.algorithm, value)))
