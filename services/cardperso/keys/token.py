"""A keystore in a PKCS#11 token: a hardware security module, or SoftHSM where there is none.

Masters and signing keys are made or unwrapped in the token, sensitive and not extractable; CMAC, encryption
and ECDSA run inside of it. Labels are NAME/VERSION. Needs the package `python-pkcs11`.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from services.cardperso.keys.errors import (
    KeyExists,
    KeyMismatch,
    KeyNotFound,
    KeystoreLocked,
    KeystoreUnavailable,
)
from services.cardperso.keys.filestore import public_check_value
from services.cardperso.keys.keystore import KeyInfo, KeyKind, KeyRef
from services.cardperso.keys.symmetric import BLOCK_SIZES, Algorithm, SoftwareKey, SymmetricKey, check_value
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


class TokenKeystore:
    """The keys of one token. Safe for several threads; calls take their turn.

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
            self._api: Any = importlib.import_module("pkcs11")
            self._ec: Any = importlib.import_module("pkcs11.util.ec")
        except ImportError:
            raise ConfigurationError("A PKCS#11 token needs the package python-pkcs11.") from None
        self._module, self._token, self._pin = module, token, pin
        self._lock = threading.RLock()
        self._session: Any = None
        self._refused = False
        with self._errors():
            self._login()

    def contents(self) -> list[KeyInfo]:
        """All keys that have one of our labels, by name and version."""
        api = self._api

        def search(session: Any) -> list[KeyInfo]:
            found = []
            for kind in (api.ObjectClass.SECRET_KEY, api.ObjectClass.PRIVATE_KEY):
                # A search must be over before the next operation begins.
                for key in list(session.get_objects({api.Attribute.CLASS: kind})):
                    ref = _reference(key.label)
                    if ref is not None:
                        found.append(self._info(session, ref, key))
            return sorted(found, key=lambda info: info.ref)

        return self._do(search)

    def symmetric(self, ref: KeyRef) -> SymmetricKey:
        """A master key, to be used and not to be seen."""
        info = self._do(lambda session: self._info(session, ref, self._secret(session, ref)))
        if info.kind is KeyKind.WRAPPING:
            raise KeyMismatch(f"{ref} is of the kind {info.kind.value}, not a master key.")
        return _TokenKey(self, ref, info.kind.algorithm, info.size)

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        """ECDSA signature with SHA-256, in DER."""
        digest = hashlib.sha256(message).digest()

        def work(session: Any) -> bytes:
            key = self._get(session, ref, self._api.ObjectClass.PRIVATE_KEY)
            raw: bytes = key.sign(digest, mechanism=self._api.Mechanism.ECDSA)
            return raw

        raw = self._do(work)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def public_key(self, ref: KeyRef) -> ec.EllipticCurvePublicKey:
        """Public half of a signing key."""
        return self._do(lambda session: self._public(session, ref))

    def wrap(self, ref: KeyRef, key: SoftwareKey) -> bytes:
        """A chip's key under a wrapping key (RFC 3394)."""
        api = self._api

        def work(session: Any) -> bytes:
            guest = session.create_object(
                self._template(key.algorithm, key.size)
                | {
                    api.Attribute.TOKEN: False,
                    api.Attribute.EXTRACTABLE: True,
                    api.Attribute.VALUE: key.value,
                }
            )
            try:
                wrapping = self._wrapping(session, ref)
                wrapped: bytes = wrapping.wrap_key(guest, mechanism=api.Mechanism.AES_KEY_WRAP)
                return wrapped
            finally:
                guest.destroy()

        return self._do(work)

    def import_key(self, ref: KeyRef, kind: KeyKind, value: bytes) -> KeyInfo:
        """Take in a block cipher key; from then on it cannot be read."""
        kind.check_size(len(value))

        def work(session: Any) -> KeyInfo:
            self._must_be_new(session, ref)
            template = self._stored(ref, kind, len(value)) | {self._api.Attribute.VALUE: value}
            return self._info(session, ref, session.create_object(template))

        return self._do(work)

    def import_wrapped(self, wrapping: KeyRef, wrapped: bytes, ref: KeyRef, kind: KeyKind) -> KeyInfo:
        """Take in a block cipher key that comes under a wrapping key; it is unwrapped inside of the token."""
        api = self._api
        size = len(wrapped) - 8
        kind.check_size(size)

        def work(session: Any) -> KeyInfo:
            self._must_be_new(session, ref)
            template = self._stored(ref, kind, size)
            key_type = template.pop(api.Attribute.KEY_TYPE)
            for given in (api.Attribute.CLASS, api.Attribute.VALUE_LEN, api.Attribute.LABEL):
                template.pop(given, None)
            try:
                key = self._wrapping(session, wrapping).unwrap_key(
                    api.ObjectClass.SECRET_KEY,
                    key_type,
                    wrapped,
                    label=str(ref),
                    mechanism=api.Mechanism.AES_KEY_WRAP,
                    store=True,
                    template=template,
                )
            except (
                api.exceptions.WrappedKeyInvalid,
                api.exceptions.WrappedKeyLenRange,
                api.exceptions.GeneralError,
            ):
                raise KeyMismatch(f"This was not wrapped under {wrapping}, or was changed.") from None
            return self._info(session, ref, key)

        return self._do(work)

    def generate(self, ref: KeyRef, kind: KeyKind, size: int = 32) -> KeyInfo:
        """Make a random key inside of the token."""
        api = self._api
        if kind is not KeyKind.SIGNING:
            kind.check_size(size)

        def work(session: Any) -> KeyInfo:
            self._must_be_new(session, ref)
            if kind is KeyKind.SIGNING:
                curve = self._ec.encode_named_curve_parameters("secp256r1")
                domain = session.create_domain_parameters(
                    api.KeyType.EC, {api.Attribute.EC_PARAMS: curve}, local=True
                )
                _, private = domain.generate_keypair(
                    label=str(ref),
                    store=True,
                    private_template={
                        api.Attribute.SENSITIVE: True,
                        api.Attribute.EXTRACTABLE: False,
                        api.Attribute.DERIVE: False,
                    },
                )
                return self._info(session, ref, private)
            template = self._stored(ref, kind, size)
            key_type = template.pop(api.Attribute.KEY_TYPE)
            key = session.generate_key(key_type, 8 * size, store=True, template=template)
            return self._info(session, ref, key)

        return self._do(work)

    def destroy(self, ref: KeyRef) -> None:
        """Delete a key, and its public half."""
        api = self._api

        def work(session: Any) -> None:
            objects = list(session.get_objects({api.Attribute.LABEL: str(ref)}))
            if not objects:
                raise KeyNotFound(str(ref))
            for found in objects:
                found.destroy()

        self._do(work)

    def close(self) -> None:
        """Log out."""
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.close()

    def operate(self, ref: KeyRef, work: Callable[[Any, Any], bytes]) -> bytes:
        """Result of `work(api, key)` with a master key of the token."""
        return self._do(lambda session: work(self._api, self._secret(session, ref)))

    def _do(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a session that is logged in; log in anew when the token was away before."""
        with self._lock, self._errors():
            if self._session is None:
                self._login()
            try:
                return work(self._session)
            except self._api.exceptions.PKCS11Error as error:
                if type(error).__name__ in _LOST:
                    self._session = None
                raise

    def _login(self) -> None:
        if self._refused:
            raise KeystoreLocked(f"The token {self._token}")
        library = self._api.lib(self._module)
        try:
            self._session = library.get_token(token_label=self._token).open(rw=True, user_pin=self._pin)
        except self._api.exceptions.PKCS11Error as error:
            # A PIN that was refused is not offered again: the token counts, and locks itself.
            self._refused = type(error).__name__ in _LOCKED
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._api.exceptions.PKCS11Error as error:
            name = type(error).__name__
            if name in _LOCKED:
                raise KeystoreLocked(f"The token {self._token}") from None
            raise KeystoreUnavailable(f"The token {self._token} fails with {name}.") from error

    def _get(self, session: Any, ref: KeyRef, kind: Any) -> Any:
        found = list(
            session.get_objects({self._api.Attribute.CLASS: kind, self._api.Attribute.LABEL: str(ref)})
        )
        if found:
            return found[0]
        if list(session.get_objects({self._api.Attribute.LABEL: str(ref)})):
            raise KeyMismatch(f"{ref} is a key of another kind.")
        raise KeyNotFound(str(ref))

    def _secret(self, session: Any, ref: KeyRef) -> Any:
        return self._get(session, ref, self._api.ObjectClass.SECRET_KEY)

    def _wrapping(self, session: Any, ref: KeyRef) -> Any:
        key = self._secret(session, ref)
        if not key[self._api.Attribute.WRAP]:
            raise KeyMismatch(f"{ref} is not a wrapping key.")
        return key

    def _public(self, session: Any, ref: KeyRef) -> ec.EllipticCurvePublicKey:
        key = self._get(session, ref, self._api.ObjectClass.PUBLIC_KEY)
        # CKA_EC_POINT is the point as DER OCTET STRING: two bytes of header for P-256.
        point: bytes = key[self._api.Attribute.EC_POINT]
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])

    def _must_be_new(self, session: Any, ref: KeyRef) -> None:
        if list(session.get_objects({self._api.Attribute.LABEL: str(ref)})):
            raise KeyExists(str(ref))

    def _template(self, algorithm: Algorithm, size: int) -> dict[Any, Any]:
        api = self._api
        des = api.KeyType.DES2 if size == 16 else api.KeyType.DES3
        return {
            api.Attribute.CLASS: api.ObjectClass.SECRET_KEY,
            api.Attribute.KEY_TYPE: api.KeyType.AES if algorithm == "AES" else des,
            api.Attribute.PRIVATE: True,
        }

    def _stored(self, ref: KeyRef, kind: KeyKind, size: int) -> dict[Any, Any]:
        """A key of the token: nobody reads it, and it does what its kind does."""
        attribute = self._api.Attribute
        wrapping = kind is KeyKind.WRAPPING
        return self._template(kind.algorithm, size) | {
            attribute.TOKEN: True,
            attribute.LABEL: str(ref),
            attribute.SENSITIVE: True,
            attribute.EXTRACTABLE: False,
            # A wrapping key encrypts too, only for its check value.
            attribute.ENCRYPT: True,
            attribute.DECRYPT: False,
            attribute.SIGN: not wrapping,
            attribute.VERIFY: False,
            attribute.WRAP: wrapping,
            attribute.UNWRAP: wrapping,
            attribute.DERIVE: False,
        }

    def _info(self, session: Any, ref: KeyRef, key: Any) -> KeyInfo:
        api = self._api
        if key.object_class == api.ObjectClass.PRIVATE_KEY:
            return KeyInfo(ref, KeyKind.SIGNING, 32, public_check_value(self._public(session, ref)))
        if key.key_type == api.KeyType.AES:
            size = key.key_length // 8
            kind = KeyKind.WRAPPING if key[api.Attribute.WRAP] else KeyKind.AES_MASTER
        else:
            size = 16 if key.key_type == api.KeyType.DES2 else 24
            kind = KeyKind.TDES_MASTER
        return KeyInfo(ref, kind, size, check_value(_TokenKey(self, ref, kind.algorithm, size)))


class _TokenKey:
    """A master key inside of the token."""

    def __init__(self, store: TokenKeystore, ref: KeyRef, algorithm: Algorithm, size: int) -> None:
        self.algorithm: Algorithm = algorithm
        self.size = size
        self._store = store
        self._ref = ref

    def cmac(self, message: bytes) -> bytes:
        """CMAC of `message`, a whole block."""

        def work(api: Any, key: Any) -> bytes:
            mechanism = api.Mechanism.AES_CMAC if self.algorithm == "AES" else api.Mechanism.DES3_CMAC
            mac: bytes = key.sign(message, mechanism=mechanism)
            return mac

        return self._store.operate(self._ref, work)

    def encrypt(self, blocks: bytes) -> bytes:
        """Whole blocks in CBC mode from an initial vector of zeros."""

        def work(api: Any, key: Any) -> bytes:
            mechanism = api.Mechanism.AES_CBC if self.algorithm == "AES" else api.Mechanism.DES3_CBC
            iv = bytes(BLOCK_SIZES[self.algorithm])
            encrypted: bytes = key.encrypt(blocks, mechanism=mechanism, mechanism_param=iv)
            return encrypted

        return self._store.operate(self._ref, work)


def _reference(label: str) -> KeyRef | None:
    name, _, version = label.rpartition("/")
    try:
        return KeyRef(name, int(version))
    except (ValueError, KeyMismatch):
        return None
