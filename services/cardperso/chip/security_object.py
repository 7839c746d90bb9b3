"""EF.SOD: the hashes of all data groups under one signature (ICAO Doc 9303-10, 4.6.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from cryptography import x509

from services.cardperso import tlv
from services.cardperso.keys.cms import LDS_SECURITY_OBJECT, signed_data
from services.cardperso.keys.keystore import KeyRef, Keystore

EF_SOD = 0x77
_SEQUENCE, _INTEGER, _OCTET_STRING = 0x30, 0x02, 0x04
_SHA256 = bytes.fromhex("300B0609608648016503040201")


class Signer(Protocol):
    """A document signer whose key is in a keystore."""

    @property
    def store(self) -> Keystore:
        """Where the key is."""

    @property
    def ref(self) -> KeyRef:
        """The key."""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key, which goes on the chip."""

    @property
    def at(self) -> datetime:
        """When it signs."""


def security_object(groups: Mapping[int, bytes], signer: Signer) -> bytes:
    """EF.SOD for data groups by number.

    Raises:
        KeyMismatch, KeyNotFound, KeystoreUnavailable: see there.
    """
    signed = signed_data(
        signer.store, signer.ref, signer.certificate, LDS_SECURITY_OBJECT, hashes(groups), signer.at
    )
    return tlv.encode(EF_SOD, signed)


def hashes(groups: Mapping[int, bytes]) -> bytes:
    """LDSSecurityObject, version 0, in DER: SHA-256 of each data group, by number."""
    entries = b"".join(
        tlv.encode(
            _SEQUENCE,
            tlv.encode(_INTEGER, bytes([number]))
            + tlv.encode(_OCTET_STRING, hashlib.sha256(groups[number]).digest()),
        )
        for number in sorted(groups)
    )
    return tlv.encode(_SEQUENCE, tlv.encode(_INTEGER, b"\0") + _SHA256 + tlv.encode(_SEQUENCE, entries))
