"""Cards over a real pcscd: issued, read as a reader reads them, and spoiled in every way that shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.cardperso.chip import profile
from services.cardperso.chip.access import AccessKeys, ReaderKeys, reader_keys
from services.cardperso.chip.plan import ChipPlan, encode
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.issue import CardKeys, CardType, issue
from services.cardperso.globalplatform.key_source import fixed, from_master
from services.cardperso.globalplatform.transport import PcscTransport
from services.cardperso.holder import Holder
from services.cardperso.keys.diversify import Scheme
from services.cardperso.keys.keystore import KeyKind, KeyRef, card_keys
from services.cardperso.pcsc import CardSession
from services.cardperso.verify import Problem, Trust, Verification, verify_card
from sim.card import Traits, VirtualCard, VirtualReader
from sim.card.globalplatform import FACTORY_KEYS, MODULE_AID, PACKAGE_AID, VirtualGlobalPlatformCard
from sim.card.globalplatform.persistent import StoredFile
from tests.cardperso.globalplatform.conftest import host_keys
from tests.cardperso.signing_office import TODAY, Office, open_office

KTP, LDS1 = profile.find("ktp-el"), profile.find("icao-lds1")
ISD = KeyRef("card-master", 0x41)


class Desk:
    """A card on a reader, and all that is needed to issue and to verify it."""

    def __init__(self, office: Office, card: VirtualGlobalPlatformCard, session: CardSession) -> None:
        self.office = office
        self.card = card
        self.session = session
        self.readers: ReaderKeys = reader_keys(office.store)

    def issue(self, plan: ChipPlan) -> ChipPlan:
        """Personalize the card; the plan for its chip."""
        store, uid = self.office.store, self.session.uid()
        transport = host_keys(FACTORY_KEYS)
        issued = plan.for_chip(uid, self.readers)
        issue(
            PcscTransport(self.session),
            issued,
            card_type=CardType(PACKAGE_AID, MODULE_AID),
            keys=CardKeys(
                fixed(transport),
                frozenset({transport.version}),
                from_master(store, ISD.name, Scheme.KDF3),
                lambda card: card_keys(store, ISD, Scheme.KDF3, card.diversification_data),
            ),
            guard=AttemptGuard(),
            chip=uid,
            limit=self.session.traits.write_block,
            examine=lambda found: None,
        )
        return issued

    def verify(
        self,
        plan: ChipPlan,
        *,
        expected: ChipPlan | None = None,
        trust: Trust | None = None,
        keys: AccessKeys | None = None,
    ) -> Verification:
        given = keys or plan.access
        return verify_card(
            self.session, plan.profile, trust or self.office.trust, [given] if given else [], expected
        )

    def change(self, plan: ChipPlan, key: str, at: int = 0) -> None:
        """Flip a bit of a file in the chip's memory."""
        file = self.stored(plan, key)
        memory = self.card.memory
        (byte,) = memory.read(file.at + at, 1)
        memory.write(file.at + at, bytes([byte ^ 0x01]))

    def stored(self, plan: ChipPlan, key: str) -> StoredFile:
        instance = self.card.card.persistent.registry.find(plan.profile.aid)  # type: ignore[attr-defined]
        wanted = plan.profile.file(key).identifier
        found: StoredFile = next(file for file in instance.files if file.tag == wanted)
        return found


@contextmanager
def desk_at(
    reader: VirtualReader, directory: Path, office: Office, traits: Traits | None = None
) -> Iterator[Desk]:
    office.store.generate(ISD, KeyKind.AES_MASTER, 16)
    with (
        VirtualGlobalPlatformCard(directory / "card.eeprom", reader.port, traits=traits) as card,
        CardSession(reader.name, wait_seconds=60, apdu_seconds=30) as session,
    ):
        yield Desk(office, card, session)


@pytest.fixture
def desk(reader: VirtualReader, tmp_path: Path, office: Office) -> Iterator[Desk]:
    with desk_at(reader, tmp_path, office) as found:
        yield found


@pytest.mark.parametrize("name", profile.shipped())
@pytest.mark.parametrize("traits", [Traits(), Traits(buffer=261)], ids=["extended length", "short APDUs"])
def test_a_card_is_issued_and_reads_as_its_record(
    reader: VirtualReader, tmp_path: Path, office: Office, holder: Holder, name: str, traits: Traits
) -> None:
    with desk_at(reader, tmp_path, office, traits) as desk:
        plan = desk.issue(encode(profile.find(name), holder, office))
        found = desk.verify(plan, expected=plan)
        assert found.genuine, found.summary
        assert found.files == {file.key: content for file, content in plan.contents}
        assert found.signer == office.certificate
        again = desk.verify(plan)
        assert again.genuine
        assert again.files == found.files


def test_every_byte_of_every_data_group_is_watched(desk: Desk, holder: Holder) -> None:
    plan = desk.issue(encode(KTP, holder, desk.office))
    for key in ("biodata", "portrait", "signature", "finger1", "finger2"):
        desk.change(plan, key, at=len(plan.content(key)) - 1)
        found = desk.verify(plan, expected=plan)
        assert [(f.problem, f.subject) for f in found.findings] == [
            (Problem.GROUP_CHANGED, key),
            (Problem.RECORD_DIFFERS, key),
        ]
        assert found.differing == 1
        desk.change(plan, key, at=len(plan.content(key)) - 1)
    assert desk.verify(plan, expected=plan).genuine


def test_a_changed_security_object_does_not_verify(desk: Desk, holder: Holder) -> None:
    plan = desk.issue(encode(LDS1, holder, desk.office))
    desk.change(plan, "sod", at=len(plan.content("sod")) - 1)
    assert desk.verify(plan).has(Problem.SIGNATURE_WRONG)
    desk.change(plan, "sod", at=0)
    assert [finding.problem for finding in desk.verify(plan).findings] == [Problem.OBJECT_MALFORMED]


def test_a_card_of_another_person_is_genuine_but_not_the_one_expected(desk: Desk, holder: Holder) -> None:
    plan = desk.issue(encode(KTP, holder, desk.office))
    other = encode(KTP, replace(holder, full_name="SITI NURHALIZA RAHMAWATA"), desk.office)
    found = desk.verify(plan, expected=other)
    assert [(f.problem, f.subject) for f in found.findings] == [(Problem.RECORD_DIFFERS, "biodata")]
    assert found.differing == 1


def test_the_same_record_signed_again_is_the_same_card(desk: Desk, holder: Holder) -> None:
    plan = desk.issue(encode(KTP, holder, desk.office))
    again = encode(KTP, holder, desk.office)
    assert again.security_object != plan.security_object
    assert desk.verify(plan, expected=again).genuine


def test_a_longer_file_than_expected_is_seen(desk: Desk, holder: Holder) -> None:
    shorter = encode(KTP, holder, desk.office)
    contents = tuple(
        (file, content + b"\0" if file.key == "biodata" else content) for file, content in shorter.contents
    )
    plan = desk.issue(replace(shorter, contents=contents))
    found = desk.verify(plan, expected=shorter)
    assert found.has(Problem.GROUP_CHANGED)
    assert found.differing == 1


def test_a_forger_with_a_signing_key_of_his_own_is_not_believed(
    desk: Desk, holder: Holder, tmp_path: Path
) -> None:
    (tmp_path / "forger").mkdir()
    forger = open_office(tmp_path / "forger")
    plan = desk.issue(encode(KTP, holder, forger))
    found = desk.verify(plan, expected=plan)
    assert [finding.problem for finding in found.findings] == [Problem.SIGNER_UNTRUSTED]
    assert "CN=Document signer" in found.summary


def test_a_signer_whose_time_is_over_is_named_with_its_dates(desk: Desk, holder: Holder) -> None:
    plan = desk.issue(encode(KTP, holder, desk.office))
    late = Trust((desk.office.ca,), TODAY.replace(year=2041))
    found = desk.verify(plan, trust=late)
    assert [finding.problem for finding in found.findings] == [Problem.SIGNER_EXPIRED]
    assert "2026-01-01 to 2040-01-01" in found.summary
    much_later = Trust((desk.office.ca,), TODAY.replace(year=2046))
    assert len(desk.verify(plan, trust=much_later).findings) == 2


def test_nobody_reads_without_the_keys_of_the_chip(desk: Desk, holder: Holder) -> None:
    plan = desk.issue(encode(KTP, holder, desk.office))
    wrong = AccessKeys(bytes(range(16)), bytes(range(16)))
    found = desk.verify(plan, keys=wrong)
    assert [finding.problem for finding in found.findings] == [Problem.ACCESS_REFUSED]
    assert not found.files


def test_a_card_that_lets_everyone_read_is_reported(desk: Desk, holder: Holder) -> None:
    plan = encode(KTP, holder, desk.office)
    free = replace(
        plan.profile,
        files=tuple(
            replace(file, read=KTP.file("directory").read) if file.key == "portrait" else file
            for file in plan.profile.files
        ),
    )
    contents = tuple((free.file(file.key), content) for file, content in plan.contents)
    issued = desk.issue(replace(plan, profile=free, contents=contents))
    strict = replace(
        KTP, files=(*[file for file in KTP.files if file.key == "portrait"], *KTP.files[:2], *KTP.files[3:])
    )
    found = desk.verify(replace(issued, profile=strict))
    assert [(f.problem, f.subject) for f in found.findings] == [(Problem.FILE_OPEN, "portrait")]


def test_a_blank_card_is_called_blank(desk: Desk, holder: Holder) -> None:
    plan = encode(KTP, holder, desk.office).for_chip(desk.session.uid(), desk.readers)
    found = desk.verify(plan, expected=plan)
    assert [finding.problem for finding in found.findings] == [Problem.CARD_BLANK]
    assert found.differing == sum(len(content) for _, content in plan.contents)


def test_a_card_that_was_begun_is_called_unfinished(desk: Desk, holder: Holder) -> None:
    plan = encode(KTP, holder, desk.office).for_chip(desk.session.uid(), desk.readers)
    before = desk.issue(plan)
    persistent = desk.card.card.persistent  # type: ignore[attr-defined]
    instance = persistent.registry.find(KTP.aid)
    persistent.commit(persistent.registry.with_instance(replace(instance, state=0x07)))
    assert [finding.problem for finding in desk.verify(before).findings] == [Problem.CARD_UNFINISHED]


def test_a_card_of_another_application_is_called_foreign(
    reader: VirtualReader, tmp_path: Path, holder: Holder, office: Office
) -> None:
    with (
        VirtualCard(tmp_path / "other.eeprom", reader.port),
        CardSession(reader.name, wait_seconds=60, apdu_seconds=30) as session,
    ):
        found = verify_card(session, KTP, office.trust, [])
    assert [finding.problem for finding in found.findings] == [Problem.CARD_FOREIGN]


def test_a_missing_file_is_named(desk: Desk, holder: Holder) -> None:
    plan = encode(KTP, holder, desk.office)
    short = replace(plan, contents=tuple(each for each in plan.contents if each[0].key != "finger2"))
    issued = desk.issue(short)
    found = desk.verify(issued, expected=replace(plan, access=issued.access))
    assert found.has(Problem.FILE_MISSING)
    assert found.has(Problem.GROUP_GONE)
    # Nobody told it what to expect: an optional file may be missing, but one that was signed may not.
    assert [f.problem for f in desk.verify(issued).findings] == [Problem.GROUP_GONE]
