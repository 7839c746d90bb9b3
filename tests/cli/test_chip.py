"""The independent look at a chip: sees a good one as good, and each thing that could be wrong with it."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tunggal.enroll.v1.record_pb2 import Biodata

from cli.demo.chip import APPLICATION, inspect_chip
from services.cardperso.chip.plan import encode
from services.cardperso.chip.profile import find
from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from services.cardperso.keys import FileKeystore
from services.cardperso.keys.authority import Authorities, Signer
from sim import portrait, signature
from sim.card import CardMemory
from sim.card.globalplatform import FACTORY_KEYS, IMAGE_CAPACITY
from sim.card.globalplatform.persistent import (
    OP_READY,
    PERSONALIZED,
    SECURED,
    SELECTABLE,
    Instance,
    Persistent,
    Registry,
    StoredFile,
)
from sim.demo.day import CapturedFinger, Submission
from sim.population import people

MINUTIAE = {b"right index": 20, b"left index": 25, b"a stranger": 30}
"""By what an image shows, how many minutiae are found in it."""

PutCard = Callable[..., Path]
Inspect = Callable[[Path], tuple[str, ...]]


def record(position: int, finger: bytes) -> bytes:
    """An ISO/IEC 19794-2:2005 record with the minutiae of a finger."""
    rows = b"".join(struct.pack(">HHBB", 0x4000 | 10 * n, 7 * n, n, 50) for n in range(MINUTIAE[finger]))
    size = 24 + 4 + len(rows) + 2
    head = struct.pack(">8sIHHHHHBB", b"FMR\0 20\0", size, 0, 400, 400, 197, 197, 1, 0)
    return head + bytes([position, 0, 80, MINUTIAE[finger]]) + rows + b"\0\0"


@pytest.fixture(scope="module")
def submission() -> Submission:
    person = people(1, seed=3)[0]
    fingers = (CapturedFinger(3, b"right index", 500), CapturedFinger(8, b"left index", 500))
    return Submission("1", "1", person.biodata(), fingers, portrait.draw(person), signature.draw(person))


@pytest.fixture(scope="module")
def holder(submission: Submission) -> Holder:
    biodata: Biodata = submission.biodata
    born, address = biodata.birth_date, biodata.address
    return Holder(
        record_id="r",
        nik=biodata.nik,
        full_name=biodata.full_name,
        birth_place=biodata.birth_place,
        birth_date=dt.date(born.year, born.month, born.day),
        sex=Sex(biodata.sex),
        blood_type=BloodType(biodata.blood_type),
        street=address.street,
        rt=address.rt,
        rw=address.rw,
        village=address.village,
        district_code=address.district_code,
        district="D",
        regency="R",
        province="P",
        religion=Religion(biodata.religion),
        marital_status=MaritalStatus(biodata.marital_status),
        occupation=biodata.occupation,
        nationality=biodata.nationality,
        issue_region="32.16",
        issue_date=dt.date(2026, 1, 2),
        face=submission.face,
        signature=submission.signature,
        fingers=(Finger(2, record(2, b"right index"), 80), Finger(7, record(7, b"left index"), 70)),
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, x509.Certificate]:
    """The document signer of a state of its own, and the certificate of its CA."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)
        store = FileKeystore.create(tmp_path_factory.mktemp("keys") / "keystore", "passphrase")
    authorities = Authorities(tmp_path_factory.mktemp("certificates"), "ID", "Test")
    authorities.found(store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    return authorities.signer(store, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)), authorities.anchors()[0]


@pytest.fixture
def inspect(state: tuple[Signer, x509.Certificate], submission: Submission) -> Inspect:
    """Looks at a card with the certificate of that state's CA."""
    return lambda image: inspect_chip(image, submission, same, state[1])


@pytest.fixture
def card(tmp_path: Path, state: tuple[Signer, x509.Certificate]) -> PutCard:
    """Puts a person into the EEPROM of a card."""

    def put(
        holder: Holder, *, personalized: bool = True, secured: bool = True, version: int = 1, spoil: int = 0
    ) -> Path:
        image = tmp_path / "card"
        memory = CardMemory(image, capacity=IMAGE_CAPACITY)
        keys = replace(FACTORY_KEYS, version=version)
        chip = Persistent(memory, Registry(SECURED if secured else OP_READY, 10, 0, (keys,)))
        files: tuple[StoredFile, ...] = ()
        for file, data in encode(find("ktp-el"), holder, state[0]).contents:
            written = data[:-1] + bytes([data[-1] ^ 1]) if file.identifier == spoil else data
            files += (StoredFile(file.identifier, chip.store(written, files), len(written)),)
        instance = Instance(APPLICATION, PERSONALIZED if personalized else SELECTABLE, 0, b"", files)
        chip.commit(chip.registry.with_instance(instance))
        memory.close()
        return image

    return put


def same(template: bytes, finger: CapturedFinger) -> float:
    """Compares as an ABIS would, on what this test puts into both: the number of minutiae."""
    return 20.0 if template[27] == MINUTIAE[finger.content] else -20.0


def test_a_good_chip_has_no_fault(holder: Holder, inspect: Inspect, card: PutCard) -> None:
    assert inspect(card(holder)) == ()


@pytest.mark.parametrize(
    ("state_of_card", "fault"),
    [
        ({"personalized": False}, "the application is missing or not personalized"),
        ({"secured": False}, "the card is not secured"),
        ({"version": 0xFF}, "the card has its transport keys still"),
    ],
    ids=["torn", "not secured", "transport keys"],
)
def test_an_unfinished_card_is_seen(
    holder: Holder, inspect: Inspect, card: PutCard, state_of_card: dict[str, Any], fault: str
) -> None:
    assert inspect(card(holder, **state_of_card)) == (fault,)


def test_an_empty_chip_is_seen(inspect: Inspect, tmp_path: Path) -> None:
    CardMemory(tmp_path / "blank", capacity=IMAGE_CAPACITY).close()
    assert len(inspect(tmp_path / "blank")) == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"nik": "3216010101800001"}, "NIK"),
        ({"full_name": "SOMEBODY ELSE"}, "name"),
        ({"religion": Religion.BELIEF}, "religion"),
        ({"issue_region": "31.71"}, "regency of issue"),
    ],
)
def test_every_text_that_differs_is_named(
    holder: Holder, inspect: Inspect, card: PutCard, change: dict[str, Any], fault: str
) -> None:
    faults = inspect(card(replace(holder, **change)))
    assert [found.split(" is ")[0] for found in faults] == [fault]


def test_another_face_and_another_signature_are_seen(holder: Holder, inspect: Inspect, card: PutCard) -> None:
    other = people(6, seed=9)[5]
    changed = replace(holder, face=portrait.draw(other), signature=signature.draw(other))
    faults = inspect(card(changed))
    assert [found.split(" (")[0] for found in faults] == ["another portrait", "another signature"]


def test_a_finger_of_somebody_else_is_seen(holder: Holder, inspect: Inspect, card: PutCard) -> None:
    changed = replace(holder, fingers=(holder.fingers[0], Finger(7, record(7, b"a stranger"), 70)))
    assert inspect(card(changed)) == ("a finger that is not the holder's (best score -20.0)",)


def test_a_missing_finger_is_seen(holder: Holder, inspect: Inspect, card: PutCard) -> None:
    changed = replace(holder, fingers=holder.fingers[:1])
    assert inspect(card(changed)) == ("1 fingers instead of 2",)


def test_one_wrong_bit_is_seen(holder: Holder, inspect: Inspect, card: PutCard) -> None:
    faults = inspect(card(holder, spoil=0x0103))
    assert any("data group 3 is not the one" in fault or "cannot be read" in fault for fault in faults)


def test_a_signature_of_another_state_is_seen(
    holder: Holder, submission: Submission, state: tuple[Signer, x509.Certificate], card: PutCard
) -> None:
    stranger = state[0].certificate
    assert inspect_chip(card(holder), submission, same, stranger) == (
        "the signer is not one of the issuing state",
    )


def test_a_changed_signature_is_seen(holder: Holder, inspect: Inspect, card: PutCard) -> None:
    assert inspect(card(holder, spoil=0x011D)) == ("the signature of the security object is wrong",)
