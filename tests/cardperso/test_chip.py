"""The chip's content: encodings, budgets, writing and reading back."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from services.cardperso import tlv
from services.cardperso.chip import biodata, writer
from services.cardperso.chip.plan import plan
from services.cardperso.chip.plain import KTP
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.chip.writer import Application
from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from services.cardperso.pcsc import CardRemoved, CardSession, CardStatusError
from sim.card import CAPACITY, Faults, ReaderBank, Traits, VirtualCard, VirtualReader
from tests.cardperso.card_makers import eventually, finger_record, make_holder, png, present
from tests.cardperso.conftest import MakeCard

APDUS_OF_A_CARD = 30
HOLDER = make_holder()
LATIN = st.text(st.characters(max_codepoint=0x24F, categories=("L", "N", "P", "S")), min_size=1, max_size=60)


@given(
    name=LATIN,
    street=LATIN,
    nik=st.text("0123456789", min_size=16, max_size=16),
    born=st.dates(dt.date(1900, 1, 1), dt.date(2026, 1, 1)),
    sex=st.sampled_from(Sex),
    blood=st.sampled_from(BloodType),
    religion=st.sampled_from(Religion),
    marital=st.sampled_from(MaritalStatus),
)
def test_biodata_come_back_as_they_were_encoded(
    name: str,
    street: str,
    nik: str,
    born: dt.date,
    sex: Sex,
    blood: BloodType,
    religion: Religion,
    marital: MaritalStatus,
) -> None:
    holder = replace(
        HOLDER,
        full_name=name,
        street=street,
        nik=nik,
        birth_date=born,
        sex=sex,
        blood_type=blood,
        religion=religion,
        marital_status=marital,
    )
    fields = biodata.decode(biodata.encode(holder))
    assert len(fields) == 20
    for field, value in fields.items():
        expected = getattr(holder, field)
        if isinstance(expected, str):
            expected = unicodedata.normalize("NFC", expected)
        assert value == expected, field


@given(st.binary(max_size=200))
def test_no_bytes_can_crash_the_decoders(raw: bytes) -> None:
    for decode in (biodata.decode, lambda content: list(tlv.decode(content))):
        with contextlib.suppress(tlv.TlvError):
            decode(raw)


@given(
    st.lists(st.tuples(st.sampled_from([0x61, 0x80, 0x5F01, 0x7F66]), st.binary(max_size=300)), max_size=5)
)
def test_data_objects_come_back_in_order(parts: list[tuple[int, bytes]]) -> None:
    assert list(tlv.decode(b"".join(tlv.encode(tag, value) for tag, value in parts))) == parts


def test_a_plan_holds_everything_within_every_budget(holder: Holder) -> None:
    made = plan(holder)
    assert [file.key for file, _ in made.contents] == [file.key for file in KTP.files]
    assert all(len(content) <= file.budget for file, content in made.contents)
    assert made.eeprom <= CAPACITY
    photo = Image.open(io.BytesIO(made.content("portrait")))
    assert (photo.format, photo.size) == ("JPEG2000", (240, 320))
    signature = Image.open(io.BytesIO(made.content("signature")))
    assert signature.mode == "1"
    assert made.content("finger1") == holder.fingers[0].template


def test_the_same_holder_gives_the_same_bytes(holder: Holder) -> None:
    assert plan(holder) == plan(holder)


def test_the_file_of_hashes_covers_every_data_group(holder: Holder) -> None:
    made = plan(holder)
    template = tlv.find(made.content("hashes"), 0x70)
    assert template is not None
    entries = [value for tag, value in tlv.decode(template) if tag == 0x81]
    expected = [
        bytes([file.number]) + hashlib.sha256(content).digest()
        for file, content in made.contents
        if file.number
    ]
    assert entries == expected


def test_the_profile_as_a_whole_fits_the_chip() -> None:
    assert sum(file.budget for file in KTP.files) + KTP.file_overhead * (1 + len(KTP.files)) <= CAPACITY
    assert len({file.sfi for file in KTP.files}) == len(KTP.files)


def test_one_finger_is_enough(holder: Holder) -> None:
    made = plan(replace(holder, fingers=holder.fingers[:1]))
    assert "finger2" not in [file.key for file, _ in made.contents]


def refused(holder: Holder) -> ChipRefusal:
    with pytest.raises(ChipRefusal) as caught:
        plan(holder)
    return caught.value


def test_a_finger_over_its_budget_is_refused_with_its_bytes(holder: Holder) -> None:
    big = Finger(2, finger_record(70), 80)
    refusal = refused(replace(holder, fingers=(holder.fingers[0], big)))
    assert (refusal.reason, refusal.field) == ("CHIP_OVER_BUDGET", "fingers[1]")
    assert refusal.metadata == {"bytes": "450", "budget": "400"}


@pytest.mark.parametrize(
    "template", [b"", b"FMR\0", finger_record()[:-1], b"XXX" + finger_record()[3:]], ids=range(4)
)
def test_what_is_no_finger_record_is_refused(holder: Holder, template: bytes) -> None:
    refusal = refused(replace(holder, fingers=(Finger(2, template, 80),)))
    assert (refusal.reason, refusal.field) == ("FINGER_UNREADABLE", "fingers[0]")


def test_a_record_without_fingers_is_refused(holder: Holder) -> None:
    assert refused(replace(holder, fingers=())).reason == "FINGER_MISSING"


def test_a_letter_that_the_card_cannot_carry_is_refused_with_its_field(holder: Holder) -> None:
    refusal = refused(replace(holder, full_name="SITI 雪"))
    assert (refusal.reason, refusal.field) == ("CHIP_UNENCODABLE", "biodata.full_name")
    assert "U+96EA" in refusal.message


def test_texts_over_the_budget_are_refused_with_the_bytes(holder: Holder) -> None:
    refusal = refused(
        replace(holder, full_name="É" * 120, street="Ö" * 120, birth_place="Ü" * 80, village="Ä" * 80)
    )
    assert (refusal.reason, refusal.field) == ("CHIP_OVER_BUDGET", "biodata")
    assert int(refusal.metadata["bytes"]) > int(refusal.metadata["budget"]) == 768


@pytest.mark.parametrize("field", ["face", "signature"])
def test_a_picture_that_cannot_be_read_is_refused(holder: Holder, field: str) -> None:
    for content in (b"", b"no picture", holder.face[:300]):
        refusal = refused(replace(holder, **{field: content}))  # type: ignore[arg-type]
        assert (refusal.reason, refusal.field) == ("IMAGE_UNREADABLE", field)


def test_a_picture_of_too_many_pixels_is_refused_unopened(holder: Holder) -> None:
    huge = png(Image.new("1", (6000, 6000)))
    assert refused(replace(holder, face=huge)).reason == "IMAGE_UNREADABLE"


def test_an_empty_signature_is_refused(holder: Holder) -> None:
    blank = png(Image.new("L", (300, 120), 255))
    assert refused(replace(holder, signature=blank)).reason == "SIGNATURE_EMPTY"


def test_a_signature_of_noise_is_refused_with_its_bytes(holder: Holder) -> None:
    noise = Image.effect_noise((160, 64), 200)
    refusal = refused(replace(holder, signature=png(noise)))
    assert (refusal.reason, refusal.field) == ("CHIP_OVER_BUDGET", "signature")


def test_a_face_full_of_detail_still_fits(holder: Holder) -> None:
    noisy = Image.effect_noise((480, 640), 80).convert("RGB")
    ImageDraw.Draw(noisy).ellipse((100, 100, 380, 500), fill=(200, 160, 140))
    assert len(plan(replace(holder, face=png(noisy))).content("portrait")) <= 4096


def make(session: CardSession, holder: Holder) -> int:
    made = plan(holder)
    writer.write(session, made, writer.inspect(session, made.profile))
    return writer.read_back(session, made)


def open_card(reader: VirtualReader) -> CardSession:
    return CardSession(reader.name, wait_seconds=5, apdu_seconds=5)


@pytest.mark.parametrize(
    ("kind", "apdus"),
    [
        (Traits(), APDUS_OF_A_CARD),
        (Traits(buffer=8192), 26),
        (Traits(buffer=261), 66),
        (Traits(protocol="T=0"), 67),
    ],
    ids=["2 KB buffer", "8 KB buffer", "short", "T=0"],
)
def test_a_card_is_written_and_every_byte_read_back(
    reader: VirtualReader, make_card: MakeCard, holder: Holder, kind: Traits, apdus: int
) -> None:
    make_card(traits=kind).insert()
    with open_card(reader) as session:
        assert make(session, holder) == 0
        assert session.apdus == apdus
        assert writer.inspect(session, KTP) is Application.SEALED
        with pytest.raises(CardStatusError):
            writer.write(session, plan(holder), Application.NONE)


def test_a_single_wrong_bit_is_found_when_reading_back(
    reader: VirtualReader, make_card: MakeCard, holder: Holder
) -> None:
    make_card(faults=Faults(corrupt_at=100)).insert()
    with open_card(reader) as session:
        assert make(session, holder) == 1


def test_a_worn_out_cell_is_a_status_error(
    reader: VirtualReader, make_card: MakeCard, holder: Holder
) -> None:
    make_card(faults=Faults(write_error_at=30)).insert()
    with open_card(reader) as session, pytest.raises(CardStatusError) as caught:
        make(session, holder)
    assert caught.value.sw == 0x6581


def test_a_card_with_too_little_memory_says_so(
    reader: VirtualReader, make_card: MakeCard, holder: Holder
) -> None:
    make_card(capacity=2048).insert()
    with open_card(reader) as session, pytest.raises(CardStatusError) as caught:
        make(session, holder)
    assert caught.value.sw == 0x6A84


def test_a_card_torn_at_any_apdu_is_written_again_from_the_start(
    bank: ReaderBank, reader: VirtualReader, tmp_path: Path, holder: Holder
) -> None:
    made = plan(holder)

    def tear(index: int) -> int:
        """Tear a card at its n-th APDU, then write it on the same reader; the bytes that differ."""
        place = bank.readers[index % len(bank.readers)]
        image = tmp_path / f"torn-at-{index}"
        with VirtualCard(image, place.port, faults=Faults(die_at=index)) as torn:
            with open_card(place) as session, pytest.raises(CardRemoved):
                make(session, holder)
            uid = torn.uid
        with VirtualCard(image, place.port), open_card(place) as session:
            assert session.uid() == uid
            found = writer.inspect(session, made.profile)
            if found is not Application.SEALED:
                writer.write(session, made, found)
            return writer.read_back(session, made)

    with ThreadPoolExecutor(len(bank.readers)) as hands:
        indices = range(2, APDUS_OF_A_CARD + 1)
        rounds = [indices[at : at + len(bank.readers)] for at in range(0, len(indices), len(bank.readers))]
        assert [wrong for each in rounds for wrong in hands.map(tear, each)] == [0] * len(indices)
    eventually(lambda: not any(present(each.name) for each in bank.readers))
