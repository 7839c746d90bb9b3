"""The SQL of the keys that statements and protocols were signed with: what an old one signed outlives it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.inventory.records import insert_new
from services.inventory.statement.signing import Signer
from services.inventory.statement.tables import signing_key


@dataclass(frozen=True)
class UsedKey:
    """The public half of a key that something was signed with."""

    key_id: str
    public_pem: str
    first_use: datetime


class SigningKeys:
    """Every key that was ever used, by whatever replica, over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def used(self) -> list[UsedKey]:
        """All of them, the newest first."""
        query = sa.select(signing_key).order_by(signing_key.c.entry.desc())
        return [UsedKey(row.key_id, row.public_pem, row.first_use) for row in self.connection.execute(query)]

    def remember(self, signer: Signer, now: datetime) -> None:
        """Keep the public half of a key, so that what it signed can be checked after the next one came."""
        insert_new(
            self.connection,
            signing_key.c.key_id,
            key_id=signer.key_id,
            public_pem=signer.public_pem.decode(),
            first_use=now,
        )

    def public_pem(self, key_id: str, signer: Signer) -> str:
        """The public half of the key that signed something: of ``signer``, or of one that was used before it
        or by another replica. Empty for a key that nobody here ever had.
        """
        if key_id in ("", signer.key_id):
            return signer.public_pem.decode()
        query = sa.select(signing_key.c.public_pem).where(signing_key.c.key_id == key_id)
        return self.connection.scalar(query) or ""
