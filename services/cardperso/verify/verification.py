"""Look at a card as a reader does, and say everything that is wrong with it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

from services.cardperso import tlv
from services.cardperso.chip.access import AccessKeys
from services.cardperso.chip.encoders import SECURITY_ENCODER
from services.cardperso.chip.plan import ChipPlan
from services.cardperso.chip.profile import ChipFile, Profile, Read
from services.cardperso.pcsc.apdu import MAX_SHORT_RESPONSE, CommandApdu, ResponseApdu
from services.cardperso.pcsc.session import CardSession
from services.cardperso.verify import basic_access, passive
from services.cardperso.verify.basic_access import AccessRefusedError
from services.cardperso.verify.passive import Trust
from services.cardperso.verify.result import Finding, Problem, Verification
from services.cardperso.verify.secure_messaging import ForgedResponseError, SecureMessaging, room

_OK, _END_OF_FILE, _NOT_FOUND, _DENIED = 0x9000, 0x6282, 0x6A82, 0x6982
_CARD_IS_LOCKED = 0x6283
_PERSONALIZED = 0x05
"""Life cycle of an application that may be read: operational, activated (ISO/IEC 7816-4:2020, 7.4.10)."""
_LONGEST_FILE = 0x7FFF


def verify_card(
    card: CardSession,
    profile: Profile,
    trust: Trust,
    keys: Sequence[AccessKeys],
    expected: ChipPlan | None = None,
    *,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Verification:
    """Take the card's power away and give it back, authenticate as a reader, read everything, check the
    signature and compare.

    Args:
        card: the card.
        profile: by which it is read.
        trust: whose signatures count.
        keys: access keys that the chip may have; none are needed where everything is free.
        expected: what the chip should hold; None for a card of which nothing is known.
        random: source of nonces.

    Raises:
        PcscFault: the card, the reader or the PC/SC service failed. What is wrong with the card itself is in
            the result.
    """
    card.power_cycle()
    finding = _select(card, profile)
    if finding is not None:
        return _failed(profile, finding, expected)
    findings: list[Finding] = []
    messaging: SecureMessaging | None = None
    if profile.keys is not None:
        findings += _open_files(card, profile)
        try:
            messaging = basic_access.authenticate(card, keys, random)
        except AccessRefusedError as refused:
            detail = f"The chip does not accept the reader's keys (status {refused.sw:04X})."
            return _failed(profile, Finding(Problem.ACCESS_REFUSED, detail), expected)
    try:
        files, wrong = _read_all(_Reading(card, messaging), profile, expected)
    except ForgedResponseError:
        detail = "A response of the chip was changed on its way."
        return _failed(profile, Finding(Problem.SESSION_FORGED, detail), expected)
    checked = passive.authenticate(_security_object(profile, files), _groups(profile, files), trust)
    compared, differing = _compare(profile, files, expected)
    findings = [*wrong, *checked.findings, *compared, *findings]
    return Verification(profile.name, files, tuple(findings), checked.signer, differing)


def _within(content: bytes, tag: int) -> bytes | None:
    """A data object in what a card says; None where there is none, or no data objects at all."""
    try:
        return tlv.find(content, tag)
    except tlv.TlvError:
        return None


def has_application(card: CardSession, profile: Profile) -> bool:
    """Whether the card has the application of a profile.

    Raises:
        PcscFault: the card, the reader or the PC/SC service failed.
    """
    return card.transmit(_select_command(profile.aid)).sw == _OK


class _Reading:
    """Commands to the selected application, protected where a session is open."""

    def __init__(self, card: CardSession, messaging: SecureMessaging | None) -> None:
        self._card = card
        self._messaging = messaging
        block = card.traits.read_block
        self.block = block if messaging is None else room(block)

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        if self._messaging is None:
            return self._card.transmit(command)
        return self._messaging.unwrap(self._card.transmit(self._messaging.wrap(command)))


def _select(card: CardSession, profile: Profile) -> Finding | None:
    """Select the application; what stands in the way."""
    response = card.transmit(_select_command(profile.aid))
    if response.sw == _OK:
        life_cycle = _within(_within(response.data, 0x6F) or b"", 0x8A)
        # Travel documents need not say their life cycle.
        if life_cycle is None or life_cycle == bytes([_PERSONALIZED]):
            return None
        return Finding(Problem.CARD_UNFINISHED, "The card was begun and not finished.")
    manager = card.transmit(_select_command(b""))
    if manager.sw == _CARD_IS_LOCKED:
        return Finding(Problem.CARD_LOCKED, "The card is locked: its card manager lets nothing be selected.")
    if response.sw == _NOT_FOUND and manager.sw == _OK and _within(manager.data, 0x6F) is not None:
        return Finding(Problem.CARD_BLANK, f"The card is blank: it has no application {profile.name}.")
    return Finding(Problem.CARD_FOREIGN, f"This is another kind of card: it knows no {profile.name}.")


def _open_files(card: CardSession, profile: Profile) -> list[Finding]:
    """Whether the chip gives a protected file to a reader that has proved nothing."""
    file = next((file for file in profile.files if file.read is Read.AUTHENTICATED), None)
    if file is None or card.transmit(_read_command(file, 0, 1)).sw == _DENIED:
        return []
    return [Finding(Problem.FILE_OPEN, f"The chip lets everyone read {file.key}.", file.key)]


def _read_all(
    reading: _Reading, profile: Profile, expected: ChipPlan | None
) -> tuple[dict[str, bytes], list[Finding]]:
    sizes = {file.key: len(content) for file, content in expected.contents} if expected else {}
    files, findings = {}, []
    for file in profile.files:
        content, sw = _read(reading, file, sizes.get(file.key))
        if sw == _OK:
            files[file.key] = content
        elif sw != _NOT_FOUND:
            detail = f"{file.key} cannot be read (status {sw:04X})."
            findings.append(Finding(Problem.FILE_UNREADABLE, detail, file.key))
        elif not file.optional or file.key in sizes:
            findings.append(Finding(Problem.FILE_MISSING, f"The chip has no {file.key}.", file.key))
    return files, findings


def _read(reading: _Reading, file: ChipFile, size: int | None) -> tuple[bytes, int]:
    """Content of a file, and 9000 or the status that came instead. Its end is where the chip gives less than
    it was asked for; a byte more than expected is asked for, so that a file that is too long shows.
    """
    content = b""
    while len(content) < _LONGEST_FILE:
        wanted = reading.block
        if size is not None:
            wanted = min(wanted, max(1, size + 1 - len(content)))
        response = reading.transmit(_read_command(file, len(content), wanted))
        if response.sw not in (_OK, _END_OF_FILE):
            # A file may end where a block does.
            return (content, _OK) if content and response.sw == 0x6B00 else (b"", response.sw)
        content += response.data
        if len(response.data) < wanted:
            break
    return content, _OK


def _security_object(profile: Profile, files: Mapping[str, bytes]) -> bytes:
    file = next(file for file in profile.files if file.encoder == SECURITY_ENCODER)
    return files.get(file.key, b"")


def _groups(profile: Profile, files: Mapping[str, bytes]) -> dict[int, tuple[str, bytes]]:
    return {
        file.number: (file.key, files[file.key])
        for file in profile.files
        if file.number and file.key in files
    }


def _compare(
    profile: Profile, files: Mapping[str, bytes], expected: ChipPlan | None
) -> tuple[list[Finding], int]:
    """Findings and number of bytes that differ. The security object is not compared: the same record signed
    twice gives two, and its hashes are checked against the data groups, which are compared.
    """
    if expected is None:
        return [], 0
    findings, differing = [], 0
    wanted = {file.key: content for file, content in expected.contents}
    for file in profile.files:
        if file.encoder == SECURITY_ENCODER:
            continue
        count = count_differing(wanted.get(file.key, b""), files.get(file.key, b""))
        if count:
            differing += count
            detail = f"{count} bytes of {file.key} are not those of the record."
            findings.append(Finding(Problem.RECORD_DIFFERS, detail, file.key))
    return findings, differing


def count_differing(expected: bytes, found: bytes) -> int:
    """Positions at which two strings differ; a position that only one of them has counts too."""
    return sum(a != b for a, b in zip(expected, found, strict=False)) + abs(len(expected) - len(found))


def _failed(profile: Profile, finding: Finding, expected: ChipPlan | None) -> Verification:
    missing = sum(len(content) for _, content in expected.contents) if expected else 0
    return Verification(profile.name, {}, (finding,), differing=missing)


def _select_command(aid: bytes) -> CommandApdu:
    return CommandApdu("SELECT", 0x00, 0xA4, 0x04, 0x00, aid, MAX_SHORT_RESPONSE)


def _read_command(file: ChipFile, offset: int, length: int) -> CommandApdu:
    """READ BINARY; from the start by short identifier, which makes the file current for what follows."""
    if offset == 0:
        return CommandApdu("READ BINARY", 0x00, 0xB0, 0x80 | file.sfi, 0x00, ne=length)
    return CommandApdu("READ BINARY", 0x00, 0xB0, offset >> 8, offset & 0xFF, ne=length)
