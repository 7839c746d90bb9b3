"""A session with a PKCS#11 token that is logged in, and is opened anew where the token was away."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from services.cardperso.keys.errors import KeystoreLocked, KeystoreUnavailable
from services.common.errors import ConfigurationError

T = TypeVar("T")

_LOST = (
    "DeviceError",
    "DeviceRemoved",
    "SessionClosed",
    "SessionHandleInvalid",
    "TokenNotPresent",
    "UserNotLoggedIn",
)
"""Errors after which a new session may do."""
_LOCKED = ("PinIncorrect", "PinInvalid", "PinLocked", "PinLenRange", "PinExpired")


class TokenSession:
    """Safe for several threads; calls take their turn. `api` is the package `pkcs11`.

    Args:
        module: path of the PKCS#11 library.
        token: label of the token.
        pin: of its user. It is kept for a new login after the token was away.

    Raises:
        ConfigurationError: the package `python-pkcs11` is not installed.
        KeystoreUnavailable: library or token are not there.
        KeystoreLocked: the PIN is wrong. It is tried once only.
    """

    def __init__(self, module: str, token: str, pin: str) -> None:
        try:
            self.api: Any = importlib.import_module("pkcs11")
            importlib.import_module("pkcs11.util.ec")
        except ImportError:
            raise ConfigurationError("A PKCS#11 token needs the package python-pkcs11.") from None
        self._module, self._token, self._pin = module, token, pin
        self._lock = threading.RLock()
        self._session: Any = None
        self._refused = False
        with self._errors():
            self._login()

    def do(self, work: Callable[[Any], T]) -> T:
        """Result of `work` with a session that is logged in; logs in anew when the token was away before.

        Raises:
            KeystoreUnavailable, KeystoreLocked: see there; and what `work` raises.
        """
        with self._lock, self._errors():
            if self._session is None:
                self._login()
            try:
                return work(self._session)
            except self.api.exceptions.PKCS11Error as error:
                if type(error).__name__ in _LOST:
                    self._session = None
                raise

    def close(self) -> None:
        """Log out."""
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.close()

    def _login(self) -> None:
        if self._refused:
            raise KeystoreLocked(f"The token {self._token}")
        library = self.api.lib(self._module)
        try:
            self._session = library.get_token(token_label=self._token).open(rw=True, user_pin=self._pin)
        except self.api.exceptions.PKCS11Error as error:
            # A PIN that was refused is not offered again: the token counts, and locks itself.
            self._refused = type(error).__name__ in _LOCKED
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self.api.exceptions.PKCS11Error as error:
            name = type(error).__name__
            if name in _LOCKED:
                raise KeystoreLocked(f"The token {self._token}") from None
            raise KeystoreUnavailable(f"The token {self._token} fails with {name}.") from error
