"""A keystore in a PKCS#11 token: a hardware security module, or SoftHSM where there is none.

Masters and signing keys are made or unwrapped in the token, sensitive and not extractable; CMAC, encryption
and ECDSA run inside of it. Labels are NAME/VERSION. Needs the package `python-pkcs11`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from services.cardperso.keys.errors import KeyMismatch, KeyNotFound
from services.cardperso.keys.filestore import public_check_value
from services.cardperso.keys.keystore import KeyInfo, KeyKind, KeyRef
from services.cardperso.keys.symmetric import BLOCK_SIZES, Algorithm, SoftwareKey, SymmetricKey, check_value
from services.cardperso.keys.token_objects import TokenObjects
from services.cardperso.keys.token_session import TokenSession


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
        self._line = TokenSession(module, token, pin)
        self._api = self._line.api
        self._objects = TokenObjects(self._api)

    def contents(self) -> list[KeyInfo]:
        """All keys that have one of our labels, by name and version."""

        def search(session: Any) -> list[KeyInfo]:
            found = (self._info(session, ref, key) for ref, key in self._objects.labelled(session))
            return sorted(found, key=lambda info: info.ref)

        return self._line.do(search)

    def symmetric(self, ref: KeyRef) -> SymmetricKey:
        """A master key, to be used and not to be seen."""
        info = self._line.do(lambda session: self._info(session, ref, self._objects.secret(session, ref)))
        if info.kind is KeyKind.WRAPPING:
            raise KeyMismatch(f"{ref} is of the kind {info.kind.value}, not a master key.")
        return _TokenKey(self, ref, info.kind.algorithm, info.size)

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        """ECDSA signature with SHA-256, in DER."""
        digest = hashlib.sha256(message).digest()

        def work(session: Any) -> bytes:
            key = self._objects.private(session, ref)
            raw: bytes = key.sign(digest, mechanism=self._api.Mechanism.ECDSA)
            return raw

        raw = self._line.do(work)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def public_key(self, ref: KeyRef) -> ec.EllipticCurvePublicKey:
        """Public half of a signing key."""
        return self._line.do(lambda session: self._objects.public(session, ref))

    def wrap(self, ref: KeyRef, key: SoftwareKey) -> bytes:
        """A chip's key under a wrapping key (RFC 3394)."""
        api = self._api

        def work(session: Any) -> bytes:
            template = self._objects.guest(key.algorithm, key.size) | {api.Attribute.VALUE: key.value}
            guest = session.create_object(template)
            try:
                wrapping = self._objects.wrapping(session, ref)
                wrapped: bytes = wrapping.wrap_key(guest, mechanism=api.Mechanism.AES_KEY_WRAP)
                return wrapped
            finally:
                guest.destroy()

        return self._line.do(work)

    def import_key(self, ref: KeyRef, kind: KeyKind, value: bytes) -> KeyInfo:
        """Take in a block cipher key; from then on it cannot be read."""
        kind.check_size(len(value))

        def work(session: Any) -> KeyInfo:
            self._objects.must_be_new(session, ref)
            template = self._objects.stored(ref, kind, len(value)) | {self._api.Attribute.VALUE: value}
            return self._info(session, ref, session.create_object(template))

        return self._line.do(work)

    def import_wrapped(self, wrapping: KeyRef, wrapped: bytes, ref: KeyRef, kind: KeyKind) -> KeyInfo:
        """Take in a block cipher key that comes under a wrapping key; it is unwrapped inside of the token."""
        api = self._api
        size = len(wrapped) - 8
        kind.check_size(size)

        def work(session: Any) -> KeyInfo:
            self._objects.must_be_new(session, ref)
            template = self._objects.stored(ref, kind, size)
            key_type = template.pop(api.Attribute.KEY_TYPE)
            for given in (api.Attribute.CLASS, api.Attribute.VALUE_LEN, api.Attribute.LABEL):
                template.pop(given, None)
            try:
                key = self._objects.wrapping(session, wrapping).unwrap_key(
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

        return self._line.do(work)

    def generate(self, ref: KeyRef, kind: KeyKind, size: int = 32) -> KeyInfo:
        """Make a random key inside of the token."""
        api = self._api
        if kind is not KeyKind.SIGNING:
            kind.check_size(size)

        def work(session: Any) -> KeyInfo:
            self._objects.must_be_new(session, ref)
            if kind is KeyKind.SIGNING:
                curve = api.util.ec.encode_named_curve_parameters("secp256r1")
                domain = session.create_domain_parameters(
                    api.KeyType.EC, {api.Attribute.EC_PARAMS: curve}, local=True
                )
                _, private = domain.generate_keypair(
                    label=str(ref), store=True, private_template=self._objects.signing()
                )
                return self._info(session, ref, private)
            template = self._objects.stored(ref, kind, size)
            key_type = template.pop(api.Attribute.KEY_TYPE)
            key = session.generate_key(key_type, 8 * size, store=True, template=template)
            return self._info(session, ref, key)

        return self._line.do(work)

    def destroy(self, ref: KeyRef) -> None:
        """Delete a key, and its public half."""

        def work(session: Any) -> None:
            objects = self._objects.everything(session, ref)
            if not objects:
                raise KeyNotFound(str(ref))
            for found in objects:
                found.destroy()

        self._line.do(work)

    def close(self) -> None:
        """Log out."""
        self._line.close()

    def operate(self, ref: KeyRef, work: Callable[[Any, Any], bytes]) -> bytes:
        """Result of `work(api, key)` with a master key of the token."""
        return self._line.do(lambda session: work(self._api, self._objects.secret(session, ref)))

    def _info(self, session: Any, ref: KeyRef, key: Any) -> KeyInfo:
        if key.object_class == self._api.ObjectClass.PRIVATE_KEY:
            return KeyInfo(ref, KeyKind.SIGNING, 32, public_check_value(self._objects.public(session, ref)))
        kind, size = self._objects.kind(key)
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
