"""What keeps the end of the journal: a seal that nobody makes without the keys, and a note beside the
database.

A hash chain shows that a row was changed, put in or taken out of its middle. Who can write the database can
also cut rows off its end, or write the whole chain anew. So the head of the chain (how many sessions, and the
last hash) is sealed with the keyring, in the transaction that moves it; and after the commit each host notes
the head in a file of its own, so that an older head with its genuine seal is not taken for the newest.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

from services.common.crypto import KeyRing, Sealed
from services.common.errors import DataLoss
from services.common.files import file_lock

_PURPOSE = "card-journal-head"


@dataclass(frozen=True)
class Head:
    """End of the chain: number and hash of its last session."""

    seq: int
    hash: str

    def encode(self) -> bytes:
        """What the seal covers."""
        return f"{_PURPOSE}|{self.seq}|{self.hash}".encode()


class JournalSeal:
    """Seals heads, and remembers the newest one that this host has seen.

    Args:
        keys: keyring of the service.
        note: file of this host; what cannot be read in it counts for nothing, for it is written without
            waiting for the disk.
    """

    def __init__(self, keys: KeyRing, note: Path) -> None:
        self._keys = keys
        self._note = note
        self._lock = threading.Lock()

    def seal(self, head: Head) -> Sealed:
        """The seal of a head."""
        return self._keys.seal(b"", head.encode())

    def holds(self, head: Head, key_id: str | None, blob: bytes | None) -> bool:
        """Whether a seal is that of this head."""
        if key_id is None or blob is None:
            return False
        try:
            self._keys.open(key_id, blob, head.encode())
        except DataLoss:
            return False
        return True

    def remember(self, head: Head) -> None:
        """Note a head that is committed; an older one than the last is not noted."""
        self._note.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, file_lock(self._note.with_suffix(".lock")):
            known = self.remembered()
            if known is not None and known.seq >= head.seq:
                return
            key_id, blob = self.seal(head)
            draft = self._note.with_suffix(".draft")
            draft.write_text(json.dumps([head.seq, head.hash, key_id, blob.hex()]))
            draft.replace(self._note)

    def remembered(self) -> Head | None:
        """The newest head that this host has seen; None where it knows none."""
        try:
            seq, link, key_id, blob = json.loads(self._note.read_text())
            head = Head(int(seq), str(link))
            return head if self.holds(head, key_id, bytes.fromhex(blob)) else None
        except (OSError, ValueError, TypeError):
            return None
