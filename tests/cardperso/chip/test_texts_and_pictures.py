"""Texts and pictures on the chip, and those that it cannot carry."""

from __future__ import annotations

import contextlib
import datetime as dt
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from services.cardperso import tlv
from services.cardperso.chip import biodata, profile
from services.cardperso.chip.plan import ChipPlan, encode
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from tests.cardperso.card_makers import finger_record, make_holder, png
from tests.cardperso.signing_office import Office

HOLDER = make_holder()
LATIN = st.text(st.characters(max_codepoint=0x24F, categories=("L", "N", "P", "S")), min_size=1, max_size=60)
Plan = Callable[[Holder], ChipPlan]


@pytest.fixture
def plan(office: Office) -> Plan:
    return lambda holder: encode(profile.find("ktp-el"), holder, office)


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


def refused(plan: Plan, holder: Holder) -> ChipRefusal:
    with pytest.raises(ChipRefusal) as caught:
        plan(holder)
    return caught.value


@pytest.mark.parametrize(
    "template", [b"", b"FMR\0", finger_record()[:-1], b"XXX" + finger_record()[3:]], ids=range(4)
)
def test_what_is_no_finger_record_is_refused(plan: Plan, holder: Holder, template: bytes) -> None:
    refusal = refused(plan, replace(holder, fingers=(Finger(2, template, 80),)))
    assert (refusal.reason, refusal.field) == ("FINGER_UNREADABLE", "fingers[0]")


def test_a_letter_that_the_card_cannot_carry_is_refused_with_its_field(plan: Plan, holder: Holder) -> None:
    refusal = refused(plan, replace(holder, full_name="SITI 雪"))
    assert (refusal.reason, refusal.field) == ("CHIP_UNENCODABLE", "biodata.full_name")
    assert "U+96EA" in refusal.message


def test_texts_over_the_budget_are_refused_with_the_bytes(plan: Plan, holder: Holder) -> None:
    refusal = refused(
        plan, replace(holder, full_name="É" * 120, street="Ö" * 120, birth_place="Ü" * 80, village="Ä" * 80)
    )
    assert (refusal.reason, refusal.field) == ("CHIP_OVER_BUDGET", "biodata")
    assert int(refusal.metadata["bytes"]) > int(refusal.metadata["budget"]) == 640


@pytest.mark.parametrize("field", ["face", "signature"])
def test_a_picture_that_cannot_be_read_is_refused(plan: Plan, holder: Holder, field: str) -> None:
    for content in (b"", b"no picture", holder.face[:300]):
        refusal = refused(plan, replace(holder, **{field: content}))  # type: ignore[arg-type]
        assert (refusal.reason, refusal.field) == ("IMAGE_UNREADABLE", field)


def test_a_picture_of_too_many_pixels_is_refused_unopened(plan: Plan, holder: Holder) -> None:
    huge = png(Image.new("1", (6000, 6000)))
    assert refused(plan, replace(holder, face=huge)).reason == "IMAGE_UNREADABLE"


def test_an_empty_signature_is_refused(plan: Plan, holder: Holder) -> None:
    blank = png(Image.new("L", (300, 120), 255))
    assert refused(plan, replace(holder, signature=blank)).reason == "SIGNATURE_EMPTY"


def test_a_signature_of_noise_is_refused_with_its_bytes(plan: Plan, holder: Holder) -> None:
    noise = Image.effect_noise((160, 64), 200)
    refusal = refused(plan, replace(holder, signature=png(noise)))
    assert (refusal.reason, refusal.field) == ("CHIP_OVER_BUDGET", "signature")


def test_a_face_full_of_detail_still_fits(plan: Plan, holder: Holder) -> None:
    noisy = Image.effect_noise((480, 640), 80).convert("RGB")
    ImageDraw.Draw(noisy).ellipse((100, 100, 380, 500), fill=(200, 160, 140))
    assert len(plan(replace(holder, face=png(noisy))).content("portrait")) <= 4096
