"""Where the keystore is, and with which secret it is opened: a file with a passphrase, a token with a PIN."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from services.cardperso.keys import FileKeystore, Keystore, TokenKeystore
from services.common.errors import ConfigurationError
from services.common.files import file_lock, write_new

OpenStore = Callable[[], Keystore]
"""Opens the keystore, each time anew."""


def file_keystore(path: Path, passphrase_file: Path, *, development: bool) -> OpenStore:
    """Opens the keystore in the file `path`; for development one is made where there is none.

    Raises, when used:
        ConfigurationError: the passphrase is missing.
        KeystoreUnavailable, KeystoreLocked, KeystoreDamaged: see there.
    """

    def open_file() -> Keystore:
        if development:
            path.parent.mkdir(parents=True, exist_ok=True)
            with file_lock(path.with_name(path.name + ".making")):
                if not passphrase_file.exists() and not path.exists():
                    write_new(passphrase_file, secrets.token_urlsafe(32).encode(), mode=0o600)
                if not path.exists():
                    return FileKeystore.create(path, _secret(passphrase_file))
        return FileKeystore.open(path, _secret(passphrase_file))

    return open_file


def token_keystore(module: str, token: str, pin_file: Path | None) -> OpenStore:
    """Opens the keystore in a PKCS#11 token.

    Raises, when used:
        ConfigurationError: the PIN or the package for PKCS#11 is missing.
        KeystoreUnavailable, KeystoreLocked: see there.
    """

    def open_token() -> Keystore:
        if pin_file is None:
            raise ConfigurationError("TUNGGAL_PKCS11_PIN_FILE names no file with the PIN of the token.")
        return TokenKeystore(module, token, _secret(pin_file))

    return open_token


def _secret(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
