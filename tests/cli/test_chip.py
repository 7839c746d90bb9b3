"""The independent look at a chip: sees a good one as good, and each thing that could be wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tunggal.enroll.v1.record_pb2 import Biodata

from cli.demo.chip import APPLICATION, inspect_chip
from services.cardperso.chip.plan import ChipPlan, plan
from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from sim import portrait, signature
from sim.card import CardMemory
from sim.card.filesystem import MF, File, FileSystem
from sim.demo.day import CapturedFinger, Submission
from sim.population import people


def record(position: int, body: bytes) -> bytes:
    """An ISO/IEC 19794-2:2005 record with one view and no minutiae worth reading."""
    return (
        b"FMR\0 20\0" + (28 + len(body)).to_bytes(4, "big") + bytes(12) + bytes([position, 0, 80, 0]) + body
    )


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


@pytest.fixture
def card(tmp_path: Path) -> Callable[[ChipPlan], Path]:
    """Puts a plan into the EEPROM of a card."""

    def put(content: ChipPlan, *, seal: bool = True, spoil: int = 0) -> Path:
        image = tmp_path / "card"
        memory = CardMemory(image)
        system = FileSystem(memory)
        directory = system.create(File(0, 0x38, 0x7F01, MF, name=APPLICATION))
        for file, data in content.contents:
            written = data[:-1] + bytes([data[-1] ^ 1]) if file.fid == spoil else data
            system.update(system.create(File(0, 1, file.fid, 0x7F01, len(data), file.sfi)), 0, written)
        if seal:
            system.activate(directory)
        memory.close()
        return image

    return put


def same(template: bytes, finger: CapturedFinger) -> float:
    """Compares as an ABIS would, on what this test puts into both."""
    return 20.0 if template[28:] == finger.content else -20.0


def test_a_good_chip_has_no_fault(holder: Holder, submission: Submission, card: Callable[..., Path]) -> None:
    assert inspect_chip(card(plan(holder)), submission, same) == ()


def test_a_torn_chip_is_seen(holder: Holder, submission: Submission, card: Callable[..., Path]) -> None:
    assert inspect_chip(card(plan(holder), seal=False), submission, same) == (
        "the application is missing or was not sealed",
    )


def test_an_empty_chip_is_seen(submission: Submission, tmp_path: Path) -> None:
    CardMemory(tmp_path / "blank").close()
    assert len(inspect_chip(tmp_path / "blank", submission, same)) == 1


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
    holder: Holder, submission: Submission, card: Callable[..., Path], change: dict[str, Any], fault: str
) -> None:
    faults = inspect_chip(card(plan(replace(holder, **change))), submission, same)
    assert [found.split(" is ")[0] for found in faults] == [fault]


def test_another_face_and_another_signature_are_seen(
    holder: Holder, submission: Submission, card: Callable[..., Path]
) -> None:
    other = people(6, seed=9)[5]
    changed = replace(holder, face=portrait.draw(other), signature=signature.draw(other))
    faults = inspect_chip(card(plan(changed)), submission, same)
    assert [found.split(" (")[0] for found in faults] == ["another portrait", "another signature"]


def test_a_finger_of_somebody_else_is_seen(
    holder: Holder, submission: Submission, card: Callable[..., Path]
) -> None:
    changed = replace(holder, fingers=(holder.fingers[0], Finger(7, record(7, b"a stranger"), 70)))
    assert inspect_chip(card(plan(changed)), submission, same) == (
        "a finger that is not the holder's (best score -20.0)",
    )


def test_a_missing_finger_is_seen(holder: Holder, submission: Submission, card: Callable[..., Path]) -> None:
    changed = replace(holder, fingers=holder.fingers[:1])
    assert inspect_chip(card(plan(changed)), submission, same) == ("1 fingers instead of 2",)


def test_one_wrong_bit_is_seen(holder: Holder, submission: Submission, card: Callable[..., Path]) -> None:
    faults = inspect_chip(card(plan(holder), spoil=0x0103), submission, same)
    assert any("data group 3 has another hash" in fault or "cannot be read" in fault for fault in faults)
