"""Key ceremonies: a master key comes from components of which each custodian knows one only.

Split a key into components that are random but for one that makes their XOR the key; each custodian takes one
on paper, with its check value against typing errors. Later they come back one after the other, and the key is
put together inside the room, checked, stored, and the event is written down in a protocol that is signed.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.cardperso.keys.errors import CeremonyRefused
from services.cardperso.keys.keystore import KeyInfo, KeyKind, KeyRef, Keystore, random_key
from services.cardperso.keys.symmetric import Algorithm, SoftwareKey, check_value, same
from services.common.canonical import canonical

FORMAT = "tunggal-key-ceremony-1"
_GROUP = 4


@dataclass(frozen=True)
class Component:
    """One custodian's share of a key. Its `repr` does not show it."""

    custodian: str
    algorithm: Algorithm
    value: bytes = field(repr=False)

    @property
    def check_value(self) -> bytes:
        """Key check value of the share, taken as a key."""
        return check_value(SoftwareKey(self.algorithm, self.value))

    def paper(self) -> str:
        """What the custodian takes along: the share in groups of four digits, then its check value."""
        digits = self.value.hex().upper()
        groups = [digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP)]
        return f"{' '.join(groups)} / {self.check_value.hex().upper()}"


@dataclass(frozen=True)
class Occasion:
    """Where and when a ceremony takes place, and who looks on."""

    place: str
    at: datetime
    witnesses: tuple[str, ...]


def new_key(kind: KeyKind, size: int) -> SoftwareKey:
    """A random key to be split.

    Raises:
        KeyMismatch: the kind has no keys of this size.
    """
    return SoftwareKey(kind.algorithm, random_key(kind, size))


def split(
    key: SoftwareKey, custodians: Sequence[str], random: Callable[[int], bytes] = secrets.token_bytes
) -> list[Component]:
    """Components for the custodians; all of them together make the key, fewer say nothing about it.

    Raises:
        CeremonyRefused: fewer than two custodians, or one of them twice.
    """
    _check_custodians(custodians)
    shares = [random(key.size) for _ in custodians[1:]]
    shares.append(reduce(_xor, shares, key.value))
    return [Component(name, key.algorithm, share) for name, share in zip(custodians, shares, strict=True)]


def read_component(custodian: str, algorithm: Algorithm, text: str) -> Component:
    """The component on a custodian's paper, as typed in.

    Raises:
        CeremonyRefused: it is not whole, or the check value does not fit.
    """
    digits, _, check = text.partition("/")
    try:
        component = Component(custodian, algorithm, bytes.fromhex(digits))
        given, expected = bytes.fromhex(check), component.check_value
    except ValueError:
        raise CeremonyRefused(f"The component of {custodian} is not complete.", field=custodian) from None
    if not same(given, expected):
        raise CeremonyRefused(f"The component of {custodian} has a typing error.", field=custodian)
    return component


def combine(components: Sequence[Component], expected: bytes | None = None) -> SoftwareKey:
    """The key that the components make.

    Args:
        components: of all custodians.
        expected: check value of the whole, where the ceremony that split it told one.

    Raises:
        CeremonyRefused: components are missing, doubled or of different kinds, or make another key.
    """
    _check_custodians([component.custodian for component in components])
    if len({(component.algorithm, len(component.value)) for component in components}) != 1:
        raise CeremonyRefused("The components are of different lengths or algorithms.")
    if len({component.value for component in components}) != len(components):
        raise CeremonyRefused("Two custodians gave the same component.")
    value = reduce(_xor, (component.value for component in components))
    if not any(value):
        raise CeremonyRefused("The components cancel each other out.")
    key = SoftwareKey(components[0].algorithm, value)
    if expected is not None and not same(check_value(key), expected):
        raise CeremonyRefused(
            f"The key has the check value {check_value(key).hex().upper()}, not {expected.hex().upper()}."
        )
    return key


def hold(
    store: Keystore,
    ref: KeyRef,
    kind: KeyKind,
    components: Sequence[Component],
    *,
    occasion: Occasion,
    signer: KeyRef,
    expected: bytes | None = None,
) -> str:
    """Put the key together, store it as `ref`, and give the signed protocol as JSON.

    Args:
        store: where the key goes.
        ref: its name and version.
        kind: what it is for.
        components: of all custodians.
        occasion: where, when, and who looks on.
        signer: signing key in `store` that signs the protocol.
        expected: check value of the whole, where it is known.

    Raises:
        CeremonyRefused: see `combine`, or nobody looks on, or the store holds another key than it was given.
        KeyExists, KeyNotFound, KeyMismatch, KeystoreUnavailable: see there.
    """
    if not occasion.witnesses or set(occasion.witnesses) & {component.custodian for component in components}:
        raise CeremonyRefused("A ceremony needs a witness who is no custodian.", field="witnesses")
    key = combine(components, expected)
    public = store.public_key(signer)
    stored = store.import_key(ref, kind, key.value)
    if stored.check_value != check_value(key):
        store.destroy(ref)
        raise CeremonyRefused(f"The keystore reports another key than it was given for {ref}.")
    statement = _statement(stored, components, occasion)
    signature = store.sign(signer, canonical(statement).encode())
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return json.dumps(
        {
            "statement": statement,
            "signature": {
                "algorithm": "ecdsa-p256-sha256",
                "key": str(signer),
                "public_key": pem.decode(),
                "value": base64.b64encode(signature).decode(),
            },
        },
        indent=2,
        ensure_ascii=False,
    )


def verify_protocol(protocol: str, public_key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """The statement of a protocol that was signed with this key.

    The public key within the protocol proves nothing and is not used.

    Raises:
        CeremonyRefused: it is no protocol, was changed, or is signed by somebody else.
    """
    try:
        content = json.loads(protocol)
        statement: dict[str, Any] = content["statement"]
        signature = base64.b64decode(content["signature"]["value"], validate=True)
        public_key.verify(signature, canonical(statement).encode(), ec.ECDSA(hashes.SHA256()))
        genuine = statement["format"] == FORMAT
    except (ValueError, KeyError, TypeError, InvalidSignature):
        genuine, statement = False, {}
    if not genuine:
        raise CeremonyRefused("The protocol is not one that this key has signed.")
    return statement


def _statement(key: KeyInfo, components: Sequence[Component], occasion: Occasion) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "key": {
            "name": key.ref.name,
            "version": key.ref.version,
            "kind": key.kind.value,
            "bytes": key.size,
            "check_value": key.check_value.hex().upper(),
        },
        "components": [
            {"custodian": component.custodian, "check_value": component.check_value.hex().upper()}
            for component in components
        ],
        "place": occasion.place,
        "at": occasion.at.isoformat(),
        "witnesses": list(occasion.witnesses),
    }


def _check_custodians(custodians: Sequence[str]) -> None:
    if len(custodians) < 2 or len(set(custodians)) != len(custodians) or not all(custodians):
        raise CeremonyRefused("A key needs at least two custodians, each of them once.", field="custodians")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
