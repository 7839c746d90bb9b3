"""What can go wrong with keys, sorted by what to do about it."""

# Named as gRPC names its errors.
from __future__ import annotations

from datetime import datetime

from services.common.errors import (
    AlreadyExists,
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)


class KeyNotFound(NotFound):
    """The keystore has no such key, or not in this version."""

    def __init__(self, key: str) -> None:
        super().__init__(
            "KEY_NOT_FOUND",
            f"The keystore has no key {key}.",
            remedy="Look at the keystore's list of keys; a key ceremony makes new ones.",
            metadata={"key": key},
        )


class KeyExists(AlreadyExists):
    """A key of that name and version is there already; keys are never overwritten."""

    def __init__(self, key: str) -> None:
        super().__init__(
            "KEY_EXISTS",
            f"The keystore has a key {key} already.",
            remedy="Give the new key the next version.",
            metadata={"key": key},
        )


class KeyMismatch(InvalidArgument):
    """The key, or what it is to be used on, is of another kind than the operation needs."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "KEY_MISMATCH", message, remedy="Use the algorithm, sizes and scheme of this card type."
        )


class SignerExpired(FailedPrecondition):
    """The time in which this key may sign is over."""

    def __init__(self, key: str, until: datetime) -> None:
        super().__init__(
            "SIGNER_EXPIRED",
            f"{key} may sign until {until:%Y-%m-%d} only.",
            remedy="Renew it: tunggal keys renew.",
            metadata={"key": key, "signs_until": until.isoformat()},
        )


class KeystoreLocked(FailedPrecondition):
    """The passphrase or PIN is wrong."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "KEYSTORE_LOCKED",
            f"{where} cannot be opened with this passphrase or PIN.",
            remedy="Check it before the next try: a token locks itself after a few.",
        )


class KeystoreDamaged(DataLoss):
    """The keystore's file is not what was written."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "KEYSTORE_DAMAGED", f"{where} is not a whole keystore.", remedy="Restore it from its backup."
        )


class KeystoreUnavailable(Unavailable):
    """The token is not there, was logged out, or does not answer."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "KEYSTORE_UNAVAILABLE",
            message,
            remedy="Connect the token, log in again, check the path of its PKCS#11 module.",
            retry_after=5,
        )


class SignerRevoked(FailedPrecondition):
    """The newest document signer was revoked: what it signs is not believed."""

    def __init__(self, key: str, at: datetime) -> None:
        super().__init__(
            "SIGNER_REVOKED",
            f"The certificate of {key} was revoked on {at:%Y-%m-%d}.",
            remedy="Make the next one: tunggal keys renew document-signer.",
        )


class RevocationListDamaged(DataLoss):
    """A revocation list cannot be read, or its CA has not signed it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "REVOCATION_LIST_DAMAGED",
            f"{name} is no revocation list that its CA has signed.",
            remedy="Restore it from where lists are published; without it a revoked signer would count.",
        )


class CeremonyRefused(FailedPrecondition):
    """A key ceremony stops here; nothing was stored."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(
            "CEREMONY_REFUSED",
            message,
            field=field,
            remedy="Begin again with the custodians' own components.",
        )
