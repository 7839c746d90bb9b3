"""The objects in a PKCS#11 token: what ours are made of, and how they are found by label."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from services.cardperso.keys.errors import KeyExists, KeyMismatch, KeyNotFound
from services.cardperso.keys.keystore import KeyKind, KeyRef
from services.cardperso.keys.symmetric import Algorithm

_TDES_KEY = {16: "DES2", 24: "DES3"}


class TokenObjects:
    """Objects of one token; labels are NAME/VERSION. Every method works in the session that it is given.

    Args:
        api: the package `pkcs11`.
    """

    def __init__(self, api: Any) -> None:
        self._api = api

    def labelled(self, session: Any) -> list[tuple[KeyRef, Any]]:
        """All secret and private keys that have one of our labels."""
        found = []
        for kind in (self._api.ObjectClass.SECRET_KEY, self._api.ObjectClass.PRIVATE_KEY):
            # A search must be over before the next operation begins.
            for key in list(session.get_objects({self._api.Attribute.CLASS: kind})):
                ref = _reference(key.label)
                if ref is not None:
                    found.append((ref, key))
        return found

    def everything(self, session: Any, ref: KeyRef) -> list[Any]:
        """All objects of a key: a signing key has two."""
        return list(session.get_objects({self._api.Attribute.LABEL: str(ref)}))

    def must_be_new(self, session: Any, ref: KeyRef) -> None:
        """Refuse a name that is taken.

        Raises:
            KeyExists: it is.
        """
        if self.everything(session, ref):
            raise KeyExists(str(ref))

    def secret(self, session: Any, ref: KeyRef) -> Any:
        """A block cipher key.

        Raises:
            KeyNotFound, KeyMismatch: see there.
        """
        return self._get(session, ref, self._api.ObjectClass.SECRET_KEY)

    def private(self, session: Any, ref: KeyRef) -> Any:
        """A signing key.

        Raises:
            KeyNotFound, KeyMismatch: see there.
        """
        return self._get(session, ref, self._api.ObjectClass.PRIVATE_KEY)

    def wrapping(self, session: Any, ref: KeyRef) -> Any:
        """A key that wraps others.

        Raises:
            KeyNotFound, KeyMismatch: see there.
        """
        key = self.secret(session, ref)
        if not key[self._api.Attribute.WRAP]:
            raise KeyMismatch(f"{ref} is not a wrapping key.")
        return key

    def public(self, session: Any, ref: KeyRef) -> ec.EllipticCurvePublicKey:
        """Public half of a signing key.

        Raises:
            KeyNotFound, KeyMismatch: see there.
        """
        key = self._get(session, ref, self._api.ObjectClass.PUBLIC_KEY)
        # CKA_EC_POINT is the point as DER OCTET STRING: two bytes of header for P-256.
        point: bytes = key[self._api.Attribute.EC_POINT]
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])

    def kind(self, key: Any) -> tuple[KeyKind, int]:
        """What a secret key is, and its size in bytes."""
        api = self._api
        if key.key_type == api.KeyType.AES:
            kind = KeyKind.WRAPPING if key[api.Attribute.WRAP] else KeyKind.AES_MASTER
            return kind, key.key_length // 8
        return KeyKind.TDES_MASTER, 16 if key.key_type == api.KeyType.DES2 else 24

    def guest(self, algorithm: Algorithm, size: int) -> dict[Any, Any]:
        """Template of a chip's key that is in the token only to be wrapped."""
        attribute = self._api.Attribute
        return self._template(algorithm, size) | {attribute.TOKEN: False, attribute.EXTRACTABLE: True}

    def stored(self, ref: KeyRef, kind: KeyKind, size: int) -> dict[Any, Any]:
        """Template of a key of the token: nobody reads it, and it does what its kind does."""
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

    def signing(self) -> dict[Any, Any]:
        """Template of the private half of a signing key."""
        attribute = self._api.Attribute
        return {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.DERIVE: False}

    def _get(self, session: Any, ref: KeyRef, kind: Any) -> Any:
        attribute = self._api.Attribute
        found = list(session.get_objects({attribute.CLASS: kind, attribute.LABEL: str(ref)}))
        if found:
            return found[0]
        if self.everything(session, ref):
            raise KeyMismatch(f"{ref} is a key of another kind.")
        raise KeyNotFound(str(ref))

    def _template(self, algorithm: Algorithm, size: int) -> dict[Any, Any]:
        api = self._api
        key_type = api.KeyType.AES if algorithm == "AES" else getattr(api.KeyType, _TDES_KEY[size])
        return {
            api.Attribute.CLASS: api.ObjectClass.SECRET_KEY,
            api.Attribute.KEY_TYPE: key_type,
            api.Attribute.PRIVATE: True,
        }


def _reference(label: str) -> KeyRef | None:
    name, _, version = label.rpartition("/")
    try:
        return KeyRef(name, int(version))
    except (ValueError, KeyMismatch):
        return None
