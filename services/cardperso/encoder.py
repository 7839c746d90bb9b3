"""The meeting of a job and the card on its reader: looked at, personalized, read back, written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from services.cardperso.booking import told
from services.cardperso.chip.access import AccessSource
from services.cardperso.chip.encoders import SECURITY_ENCODER
from services.cardperso.chip.plan import ChipPlan
from services.cardperso.face import token
from services.cardperso.face.render import Faces, draw
from services.cardperso.face.template import DEFAULT, WITH_ZONE
from services.cardperso.globalplatform import AttemptGuard, Found, PcscTransport, issue
from services.cardperso.globalplatform.errors import GlobalPlatformFault, ResponseForged, WrongCardType
from services.cardperso.holder import Holder
from services.cardperso.issuer import Issuer
from services.cardperso.job import Job
from services.cardperso.journal import Journal
from services.cardperso.keys.errors import KeyMismatch, KeyNotFound
from services.cardperso.pcsc import (
    CardChanged,
    CardRemoved,
    CardSession,
    CardTimeout,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)
from services.cardperso.verify import Verification, verify_card
from services.common.errors import TunggalError

LOOK_SECONDS = 0.2
"""How long a session waits for a card before its job looks up."""


class RefusedCardError(Exception):
    """The card with `chip_uid` is not to be written; it is as it was. The message says why."""

    def __init__(self, chip_uid: str, reason: str) -> None:
        super().__init__(reason)
        self.chip_uid = chip_uid


class TornError(Exception):
    """The session ended before its time: the same card can be taken up again."""

    def __init__(self, reason: str, apdus: int, seconds: float) -> None:
        super().__init__(reason)
        self.apdus = apdus
        self.seconds = seconds


class RuinedError(TornError):
    """The card will never be what it should."""


@dataclass(frozen=True)
class Made:
    """A card that was written, what a reader then made of it, and the security object that is on it."""

    chip_uid: str
    verification: Verification
    security_object: bytes
    apdus: int
    seconds: float


class Encoder:
    """Writes cards.

    Args:
        issuer: keys and card type.
        guard: counts failed sessions.
        journal: takes down every APDU.
        apdu_seconds: time for one command.
        session_seconds: time for all commands of a session.
    """

    def __init__(
        self,
        issuer: Issuer,
        guard: AttemptGuard,
        journal: Journal,
        apdu_seconds: float,
        session_seconds: float = float("inf"),
    ) -> None:
        self._issuer = issuer
        self._guard = guard
        self._journal = journal
        self._apdu_seconds = apdu_seconds
        self._session_seconds = session_seconds

    def make(
        self,
        job: Job,
        content: ChipPlan,
        *,
        admit: Callable[[str], None],
        touch: Callable[[str], None],
        stop: threading.Event,
    ) -> Made:
        """Write the card on the job's reader, or finish the one that the job has begun.

        Args:
            job: whose card it is.
            content: of the chip.
            admit: looks at the UID of a card that was not begun; raises `RefusedCardError`.
            touch: called with the UID before the first change of a card that was not begun.
            stop: ends the wait for a card.

        Raises:
            RefusedCardError, TornError, RuinedError: see there.
            PcscFault: there is no card, no reader, no PC/SC service.
            KeystoreUnavailable, KeystoreLocked: the keys cannot be used; the card can be taken up again.
        """
        recorder = self._journal.recorder(job.job_id, job.reader, job.station, job.operator)
        with CardSession(
            job.reader,
            wait_seconds=LOOK_SECONDS,
            apdu_seconds=self._apdu_seconds,
            session_seconds=self._session_seconds,
            stop=stop,
            witness=recorder,
        ) as card:
            uid = card.uid()
            if job.chip_uid and uid != job.chip_uid:
                reason = f"CARD_CHANGED: chip {uid} lies on the reader, {job.chip_uid} was begun."
                raise RuinedError(reason, card.apdus, card.seconds)
            if not job.chip_uid:
                admit(uid)
            recorder.begin(uid)
            visit = _Visit(card, uid, touch, begun=bool(job.chip_uid))
            try:
                made = self._personalize(visit, content)
            except Exception as error:
                self._journal.enter(recorder, job.job_id, _told(error))
                judged = visit.judged(error)
                if judged is error:
                    raise
                raise judged from error
            finally:
                recorder.close()
            self._journal.enter(recorder, job.job_id, made.verification.summary or "VERIFIED")
            return made

    def faces(self, holder: Holder, content: ChipPlan, made: Made, *, mark: str, dpi: int) -> Faces:
        """The faces of a card that was made; its code is signed by whoever signs chips.

        Args:
            holder: whose card it is.
            content: of the chip; a chip that opens with a machine readable zone has it on its back.
            made: the card.
            mark: word across it; empty for none.
            dpi: dots per inch of the printer.

        Raises:
            ChipRefusal: see `face.render.draw`.
            KeyNotFound, KeystoreUnavailable, KeystoreLocked: the keys cannot be used.
        """
        signed = token.issue(holder, made.chip_uid, made.security_object, self._issuer.signer())
        template = WITH_ZONE if content.profile.keys is AccessSource.MRZ else DEFAULT
        return draw(holder, made.chip_uid, signed, mark=mark, template=template, dpi=dpi)

    def _personalize(self, visit: _Visit, plan: ChipPlan) -> Made:
        card, issuer = visit.card, self._issuer
        content = plan.for_chip(visit.uid, issuer.reader_keys)
        issue(
            PcscTransport(card),
            content,
            card_type=issuer.card_type,
            keys=issuer.card_keys(visit.uid),
            guard=self._guard,
            chip=visit.uid,
            limit=card.traits.write_block,
            examine=visit.examine,
        )
        keys = () if content.access is None else (content.access,)
        verification = verify_card(card, content.profile, issuer.trust(), keys, content)
        if content.profile.keys is not AccessSource.READER and card.uid() != visit.uid:
            # Keys that come from the UID prove that the card is still the same; others do not.
            raise CardChanged(card.reader)
        signed = next(file.key for file in content.profile.files if file.encoder == SECURITY_ENCODER)
        on_chip = verification.files.get(signed, b"")
        return Made(visit.uid, verification, on_chip, card.apdus, card.seconds)


class _Visit:
    """One session, and whether the card in it has been changed by its job."""

    def __init__(self, card: CardSession, uid: str, touch: Callable[[str], None], *, begun: bool) -> None:
        self.card = card
        self.uid = uid
        self._touch = touch
        self._begun = begun

    def examine(self, found: Found) -> None:
        """Refuse a card that somebody else has used; from here on it belongs to the job."""
        if self._begun:
            return
        if not found.blank:
            if found.application is not None:
                holds = "an application of ours"
            else:
                holds = "other applications" if found.others else "keys of ours"
            reason = (
                f"CARD_NOT_BLANK: chip {self.uid} holds {holds}, and this job did not begin it. "
                "Lay a blank on the reader."
            )
            raise RefusedCardError(self.uid, reason)
        self._touch(self.uid)
        self._begun = True

    def judged(self, error: Exception) -> Exception:
        """What the error means for the job."""
        if isinstance(error, WrongCardType):
            return RefusedCardError(self.uid, told(error))
        if not self._begun:
            if isinstance(error, GlobalPlatformFault | KeyNotFound | KeyMismatch):
                return RefusedCardError(self.uid, told(error))
            return error
        if isinstance(error, PcscUnavailable | ReaderGone):
            return error  # not the card's fault: it is taken up when PC/SC is back
        if isinstance(error, CardRemoved | CardChanged | CardTimeout | ResponseForged):
            return TornError(told(error), self.card.apdus, self.card.seconds)
        if isinstance(error, PcscFault | GlobalPlatformFault):
            return RuinedError(told(error), self.card.apdus, self.card.seconds)
        return error


def _told(error: Exception) -> str:
    return f"{error.reason}: {error.message}" if isinstance(error, TunggalError) else str(error)
