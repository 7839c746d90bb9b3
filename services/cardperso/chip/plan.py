"""The whole content of a chip, complete and within its budget before any card is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.cardperso.chip import access, lds, mrz
from services.cardperso.chip.access import KEYS_BYTES, AccessKeys, AccessSource, ReaderKeys
from services.cardperso.chip.encoders import MRZ_ENCODER, SECURITY_ENCODER, Material
from services.cardperso.chip.profile import ChipFile, Profile, Read
from services.cardperso.chip.refusal import MissingRefusal, over_budget
from services.cardperso.chip.security_object import Signer
from services.cardperso.holder import Holder

ACCESS_RULES = 0x0070
"""Data grouping that tells the application who reads what: three bytes a file, its identifier and 00 for
everyone or 01 for authenticated readers. A file that is not named is read by nobody.
"""
_RULES = {Read.FREE: 0x00, Read.AUTHENTICATED: 0x01}


@dataclass(frozen=True)
class ChipPlan:
    """What goes on a chip.

    Args:
        profile: whose files these are.
        contents: files with their content, in the order in which they are written.
        access: the access keys, once the chip is known; the `repr` does not show them.
    """

    profile: Profile
    contents: tuple[tuple[ChipFile, bytes], ...]
    access: AccessKeys | None = field(default=None, repr=False)

    def content(self, key: str) -> bytes:
        """Content of the file with this key."""
        return next(content for file, content in self.contents if file.key == key)

    @property
    def security_object(self) -> bytes:
        """The signed file."""
        return next(content for file, content in self.contents if file.encoder == SECURITY_ENCODER)

    @property
    def eeprom(self) -> int:
        """Bytes of EEPROM that the application takes, the card's own overhead included."""
        overhead = self.profile.file_overhead * (1 + len(self.contents))
        if self.profile.keys is not None:
            overhead += len(self.rules) + KEYS_BYTES
        return overhead + sum(len(content) for _, content in self.contents)

    @property
    def rules(self) -> bytes:
        """Who reads what, as the application is told it."""
        return b"".join(
            file.identifier.to_bytes(2, "big") + bytes([_RULES[file.read]]) for file, _ in self.contents
        )

    def for_chip(self, uid: str, readers: ReaderKeys) -> ChipPlan:
        """The plan with the access keys of one chip.

        Args:
            uid: of the chip.
            readers: finds the keys of readers; not asked where the keys come from the machine readable zone.

        Raises:
            KeyNotFound, KeystoreUnavailable: `readers` has none.
        """
        if self.profile.keys is None:
            return self
        if self.profile.keys is AccessSource.MRZ:
            zone = next(content for file, content in self.contents if file.encoder == MRZ_ENCODER)
            return replace(self, access=access.from_mrz(mrz.information(lds.read_dg1(zone))))
        return replace(self, access=readers(uid)[0])


def encode(profile: Profile, holder: Holder, signer: Signer) -> ChipPlan:
    """Encode a holder for the chip. The same holder gives the same data groups, so a torn card can be written
    again; only the signature is another one each time.

    Raises:
        ChipRefusal: a biometric is missing or unreadable, a text cannot be encoded, or a budget is exceeded.
        KeyMismatch, KeyNotFound, KeystoreUnavailable: the security object cannot be signed.
    """
    made: dict[str, bytes] = {}
    groups: dict[int, bytes] = {}
    for file in sorted(profile.files, key=lambda file: file.number or len(profile.files) + 16):
        try:
            content = _content(profile, file, holder, signer, groups)
        except MissingRefusal:
            if file.optional:
                continue
            raise
        made[file.key] = content
        if file.number:
            groups[file.number] = content
    contents = tuple((file, made[file.key]) for file in profile.files if file.key in made)
    return ChipPlan(profile, contents)


def _content(
    profile: Profile, file: ChipFile, holder: Holder, signer: Signer, groups: Mapping[int, bytes]
) -> bytes:
    encoder = profile.encoders[file.encoder]
    seen = {} if encoder.for_group else groups
    content = encoder.encode(Material(holder, signer, file.budget, file.options, seen))
    if len(content) > file.budget:
        raise over_budget(file.key, len(content), file.budget, "Shorten the longest texts.")
    return content
