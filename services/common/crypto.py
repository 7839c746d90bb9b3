"""Encryption of data at rest: AES-256-GCM (NIST SP 800-38D) under keys that have names.

The keyring is a JSON file, ``{"active": ID, "keys": {ID: base64 of 32 bytes}}``. To rotate, add a key and
name it active: new data is sealed under it, old data still opens under the key whose id is stored beside it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.errors import ConfigurationError, DataLoss
from services.common.files import file_lock, write_new

KEY_BYTES = 32
NONCE_BYTES = 12


class Sealed(NamedTuple):
    """Encrypted data: the id of its key, and nonce (12 bytes) + ciphertext + tag (16 bytes)."""

    key_id: str
    blob: bytes


class KeyRing:
    """The keys of one service for data at rest."""

    def __init__(self, active: str, keys: Mapping[str, bytes]) -> None:
        if active not in keys:
            raise ConfigurationError(f"The active key {active!r} is not in the keyring.")
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise ConfigurationError(f"Every key of the keyring must have {KEY_BYTES} bytes.")
        self._active = active
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the keyring at ``path``; a first start makes one with a random key (mode 0600), once for all
        replicas.

        Raises :class:`ConfigurationError` when the file is damaged or readable by everyone.
        """
        if not path.exists():  # one from a Secret is there, where nothing can be written
            path.parent.mkdir(parents=True, exist_ok=True)
            cls._make(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise ConfigurationError(f"The keyring {path} is open to every user; set its mode to 0600.")
        try:
            content = json.loads(path.read_bytes())
            keys = {
                str(key_id): base64.b64decode(key, validate=True) for key_id, key in content["keys"].items()
            }
            active = str(content["active"])
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ConfigurationError(f"The keyring {path} is damaged; restore it from its backup.") from error
        return cls(active, keys)

    @staticmethod
    def _make(path: Path) -> None:
        """Make a keyring with a random key, once for all replicas."""
        with file_lock(path.with_name(path.name + ".lock")):
            if not path.exists():
                key_id = f"k{secrets.token_hex(4)}"
                key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
                text = json.dumps({"active": key_id, "keys": {key_id: key}}, indent=2)
                write_new(path, text.encode(), mode=0o600)

    def seal(self, plaintext: bytes, associated: bytes) -> Sealed:
        """Encrypt under the active key, bound to ``associated`` (say, the row's name): it opens only with the
        same.
        """
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(self._active, nonce + self._ciphers[self._active].encrypt(nonce, plaintext, associated))

    def open(self, key_id: str, blob: bytes, associated: bytes) -> bytes:
        """Decrypt what :meth:`seal` made. Raises :class:`DataLoss` on an unknown key or on changed data."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise DataLoss(
                "KEY_MISSING",
                f"The key {key_id!r} is not in the keyring.",
                remedy="Restore the keyring that was in use when the data was written.",
                metadata={"key_id": key_id},
            )
        try:
            return cipher.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], associated)
        except (InvalidTag, ValueError) as error:
            raise DataLoss(
                "CIPHERTEXT_DAMAGED",
                "Stored data does not decrypt: it was changed, or belongs to another row.",
                remedy="Restore the row from a backup.",
                metadata={"key_id": key_id},
            ) from error
