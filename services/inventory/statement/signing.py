"""The key that statements are signed with: Ed25519 (RFC 8032), a file of the service, its public half for
everyone.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from services.common.errors import ConfigurationError
from services.common.files import file_lock, write_new


class Signer:
    """Signs with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = key_id(self.public_pem)

    @classmethod
    def load(cls, path: Path) -> Signer:
        """The key at ``path`` (PKCS #8, PEM); a first start makes one (mode 0600), once for all replicas.

        Raises :class:`ConfigurationError` when the file is no Ed25519 key or open to every user.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path.with_name(path.name + ".lock")):
            if not path.exists():
                new = Ed25519PrivateKey.generate()
                pem = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                write_new(path, pem, mode=0o600)
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise ConfigurationError(f"The key {path} is open to every user; set its mode to 0600.")
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except ValueError as error:
            raise ConfigurationError(f"{path} is no private key; restore it from its backup.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(f"{path} is no Ed25519 key; statements are signed with one.")
        return cls(key)

    def sign(self, content: str) -> bytes:
        """The signature of ``content``, 64 bytes."""
        return self._key.sign(content.encode())


def key_id(public_pem: bytes) -> str:
    """SHA-256 of the raw public key, hexadecimal: short enough to print beside a statement."""
    raw = _public(public_pem).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def is_signed(public_pem: bytes, content: str, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``content`` by the holder of the key."""
    try:
        _public(public_pem).verify(signature, content.encode())
    except InvalidSignature:
        return False
    return True


def _public(public_pem: bytes) -> Ed25519PublicKey:
    """Raises :class:`ValueError` when it is no Ed25519 public key."""
    key = load_pem_public_key(public_pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key")
    return key
