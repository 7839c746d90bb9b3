"""Any card on any reader: which kind it is, what it says, and whether that is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cryptography import x509

from services.cardperso.chip import access, mrz
from services.cardperso.chip.access import AccessKeys, AccessSource, ReaderKeys
from services.cardperso.chip.encoders import SECURITY_ENCODER
from services.cardperso.chip.mrz import MrzError
from services.cardperso.chip.profile import Profile
from services.cardperso.face import token
from services.cardperso.face.token import TokenRefused
from services.cardperso.pcsc import CardSession
from services.cardperso.pcsc.errors import CardStatusError
from services.cardperso.verify.contents import Contents, read
from services.cardperso.verify.passive import Trust
from services.cardperso.verify.result import Finding, Problem, Verification
from services.cardperso.verify.verification import has_application, verify_card
from services.common.errors import InvalidArgument

LOOK_SECONDS = 2.0
"""How long to wait for a card that is to be looked at, or for a job to let go of it."""


@dataclass(frozen=True)
class Inspection:
    """A card that was looked at; `chip_uid` is empty where the reader does not tell it."""

    chip_uid: str
    verification: Verification
    contents: Contents


class Inspector:
    """Looks at cards.

    Args:
        profiles: by which cards may be read; a card without any of their applications is judged by the first.
        trust: whose signatures count, now.
        signers: certificates of all document signers, for printed codes.
        readers: finds the access keys of a chip.
        wait_seconds: how long to wait for a card, or for others to let go of it.
        apdu_seconds: time for one command.
    """

    def __init__(
        self,
        profiles: Sequence[Profile],
        trust: Callable[[], Trust],
        signers: Callable[[], Sequence[x509.Certificate]],
        readers: ReaderKeys,
        *,
        wait_seconds: float,
        apdu_seconds: float,
    ) -> None:
        self._profiles = profiles
        self._trust = trust
        self._signers = signers
        self._readers = readers
        self._wait_seconds = wait_seconds
        self._apdu_seconds = apdu_seconds

    def look(self, reader: str, zone: str = "", code: str = "") -> Inspection:
        """Verify the card on a reader and read what it says.

        Args:
            reader: name of the reader.
            zone: machine readable zone of the card, for one whose keys come from there.
            code: what is printed in the card's QR code; left out, it is not compared.

        Raises:
            InvalidArgument: the card needs its zone, and it was not given or is wrong.
            PcscFault: the card, the reader or the PC/SC service failed.
            KeyNotFound, KeystoreUnavailable: the readers' keys cannot be used.
        """
        with CardSession(reader, wait_seconds=self._wait_seconds, apdu_seconds=self._apdu_seconds) as card:
            try:
                uid = card.uid()
            except CardStatusError:
                uid = ""
            known = (profile for profile in self._profiles if has_application(card, profile))
            profile = next(known, None)
            keys = self._keys(profile, uid, zone) if profile is not None else ()
            profile = profile or self._profiles[0]
            verification = verify_card(card, profile, self._trust(), keys)
        if code:
            found = self._compare(profile, uid, code, verification)
            verification = replace(verification, findings=(*verification.findings, *found))
        return Inspection(uid, verification, read(profile, verification.files))

    def _compare(self, profile: Profile, uid: str, code: str, verification: Verification) -> list[Finding]:
        """What is wrong with a printed code."""
        try:
            claims = token.verify(code, self._signers(), self._trust())
        except TokenRefused as refused:
            return [Finding(Problem.CODE_NOT_GENUINE, refused.message)]
        signed = next(file.key for file in profile.files if file.encoder == SECURITY_ENCODER)
        content = verification.files.get(signed, b"")
        if (claims.chip_uid, claims.digest) == (uid, token.digest(content)):
            return []
        detail = f"The printed code belongs to the chip {claims.chip_uid} of {claims.name}."
        return [Finding(Problem.CODE_OF_ANOTHER_CARD, detail)]

    def _keys(self, profile: Profile, uid: str, zone: str) -> Sequence[AccessKeys]:
        if profile.keys is None:
            return ()
        if profile.keys is AccessSource.READER:
            return self._readers(uid)
        if not zone:
            raise InvalidArgument(
                "MRZ_NEEDED",
                f"A card of the kind {profile.name} opens to whoever knows its machine readable zone.",
                field="mrz",
                remedy="Send the three lines on the back of the card.",
            )
        try:
            return [access.from_mrz(mrz.information(zone))]
        except MrzError as error:
            raise InvalidArgument("MRZ_WRONG", str(error), field="mrz", remedy="Read it again.") from None
