"""What goes on a chip: encodings, budgets, and what is refused before a blank is touched."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from PIL import Image

from services.cardperso import tlv
from services.cardperso.chip import biodata, fingers, lds, mrz, profile
from services.cardperso.chip.access import from_mrz, reader_keys
from services.cardperso.chip.plan import ChipPlan, encode
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.globalplatform.issue import groups
from services.cardperso.holder import Finger, Holder
from services.cardperso.keys.errors import KeyNotFound
from services.cardperso.keys.filestore import FileKeystore
from tests.cardperso.card_makers import finger_record
from tests.cardperso.signing_office import TODAY, Office

KTP, LDS1 = profile.find("ktp-el"), profile.find("icao-lds1")


def signed(plan: ChipPlan) -> bytes:
    """The CMS message in a security object."""
    message = tlv.find(plan.security_object, 0x77)
    assert message is not None
    return message


@pytest.mark.parametrize("name", profile.shipped())
def test_a_plan_holds_everything_within_every_budget(name: str, holder: Holder, office: Office) -> None:
    made = encode(profile.find(name), holder, office)
    assert [file.key for file, _ in made.contents] == [file.key for file in made.profile.files]
    assert all(len(content) <= file.budget for file, content in made.contents)
    assert made.eeprom <= 8192


def test_a_chip_holds_biodata_portrait_signature_and_two_fingers(holder: Holder, office: Office) -> None:
    made = encode(KTP, holder, office)
    assert biodata.decode(made.content("biodata"))["nik"] == holder.nik
    portrait = Image.open(io.BytesIO(made.content("portrait")))
    assert (portrait.format, portrait.size) == ("JPEG2000", (240, 320))
    assert Image.open(io.BytesIO(made.content("signature"))).mode == "1"
    assert [fingers.decode(made.content(key)).position for key in ("finger1", "finger2")] == [2, 7]


def test_the_portrait_uses_its_budget(holder: Holder, office: Office) -> None:
    assert len(encode(KTP, holder, office).content("portrait")) > 0.97 * KTP.file("portrait").budget


def test_a_travel_document_holds_zone_and_face(holder: Holder, office: Office) -> None:
    made = encode(LDS1, holder, office)
    assert lds.read_dg1(made.content("dg1")) == "".join(mrz.of(holder).lines)
    face = Image.open(io.BytesIO(lds.read_dg2(made.content("dg2"))))
    assert (face.format, face.size) == ("JPEG2000", (300, 400))
    assert made.content("com").hex() == "60145f0104303130375f36063034303030305c026175"


def test_the_same_holder_gives_the_same_data_groups(holder: Holder, office: Office) -> None:
    one, two = (encode(KTP, holder, office) for _ in range(2))
    for file, content in one.contents:
        assert file.key == "security" or two.content(file.key) == content


def test_the_best_fingers_are_chosen(holder: Holder, office: Office) -> None:
    worse = Finger(3, finger_record(30), 20)
    best = Finger(6, finger_record(35), 95)
    made = encode(KTP, replace(holder, fingers=(worse, *holder.fingers, best)), office)
    assert [fingers.decode(made.content(key)).position for key in ("finger1", "finger2")] == [6, 2]


def test_a_person_with_one_finger_gets_a_card_and_one_without_does_not(
    holder: Holder, office: Office
) -> None:
    one = encode(KTP, replace(holder, fingers=holder.fingers[:1]), office)
    assert "finger2" not in [file.key for file, _ in one.contents]
    assert one.content("directory")[-4:] == bytes([1, 2, 3, 4])
    with pytest.raises(ChipRefusal) as caught:
        encode(KTP, replace(holder, fingers=()), office)
    assert (caught.value.reason, caught.value.field) == ("FINGER_MISSING", "fingers")


@pytest.mark.parametrize(
    ("change", "reason", "field", "size"),
    [
        ({"full_name": "Иван Петров"}, "CHIP_UNENCODABLE", "biodata.full_name", 21),
        ({"street": "A" * 600}, "CHIP_OVER_BUDGET", "biodata", 765),
        ({"face": b"no image"}, "IMAGE_UNREADABLE", "face", 8),
        ({"face": b""}, "IMAGE_UNREADABLE", "face", 0),
        ({"signature": b"no image"}, "IMAGE_UNREADABLE", "signature", 8),
        ({"fingers": (Finger(2, b"FMR", 80),)}, "FINGER_UNREADABLE", "fingers[0]", 3),
        ({"fingers": (Finger(2, finger_record(5), 80),)}, "FINGER_TOO_FEW_MINUTIAE", "fingers[0]", 60),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_does_not_go_on_the_chip_is_refused_with_field_and_bytes(
    holder: Holder, office: Office, change: dict[str, object], reason: str, field: str, size: int
) -> None:
    with pytest.raises(ChipRefusal) as caught:
        encode(KTP, replace(holder, **change), office)  # type: ignore[arg-type]
    refusal = caught.value
    assert (refusal.reason, refusal.field, refusal.metadata["bytes"]) == (reason, field, str(size))
    assert refusal.remedy


def test_a_name_without_any_latin_letter_gets_no_travel_document(holder: Holder, office: Office) -> None:
    with pytest.raises(ChipRefusal) as caught:
        encode(LDS1, replace(holder, full_name="王小明"), office)
    assert (caught.value.reason, caught.value.field) == ("CHIP_UNENCODABLE", "biodata.full_name")


def test_a_plan_for_a_chip_brings_rules_first_and_keys_last_and_encrypted(
    holder: Holder, office: Office
) -> None:
    plan = encode(KTP, holder, office).for_chip("04A1B2C3D4E5F6", reader_keys(office.store))
    first, *files, last = groups(plan)
    assert first.tag == 0x0070
    assert first.value[:3].hex() == "011e00"
    assert [group.tag for group in files] == [file.identifier for file in KTP.files]
    assert (last.tag, len(last.value), last.secret) == (0x8010, 32, True)
    other = encode(KTP, holder, office).for_chip("04A1B2C3D4E5F7", reader_keys(office.store))
    assert groups(other)[-1].value != last.value


def test_keys_of_a_travel_document_come_from_its_zone(holder: Holder, office: Office) -> None:
    plan = encode(LDS1, holder, office).for_chip("04A1B2C3D4E5F6", reader_keys(office.store))
    assert plan.access == from_mrz(mrz.of(holder).information)
    assert plan.access is not None
    assert plan.access.enc.hex() not in repr(plan)


def test_a_keystore_without_the_readers_master_says_so(
    holder: Holder, office: Office, tmp_path: Path
) -> None:
    empty = FileKeystore.create(tmp_path / "empty.json", "passphrase")
    with pytest.raises(KeyNotFound, match="reader-master"):
        encode(KTP, holder, office).for_chip("04A1B2C3D4E5F6", reader_keys(empty))


def test_openssl_finds_the_hashes_of_all_data_groups_under_the_country(
    holder: Holder, office: Office, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = encode(KTP, holder, office)
    (tmp_path / "sod.der").write_bytes(signed(made))
    (tmp_path / "ca.pem").write_bytes(office.ca.public_bytes(serialization.Encoding.PEM))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "sod.der")]
    command += ["-CAfile", str(tmp_path / "ca.pem"), "-purpose", "any"]
    command += ["-attime", str(int(TODAY.timestamp()))]
    verified = subprocess.run(command, check=True, capture_output=True).stdout
    (tmp_path / "hashes.der").write_bytes(verified)
    parsed = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER", "-in", str(tmp_path / "hashes.der")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert ":sha256" in parsed
    for file, content in made.contents:
        digest = hashlib.sha256(content).hexdigest().upper()
        assert (digest in parsed) == bool(file.number), file.key


def test_openssl_names_the_contents_of_a_security_object_as_icao_does(
    holder: Holder, office: Office, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (tmp_path / "sod.der").write_bytes(signed(encode(LDS1, holder, office)))
    parsed = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER", "-in", str(tmp_path / "sod.der")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in ("pkcs7-signedData", "2.23.136.1.1.1", "ecdsa-with-SHA256", "messageDigest", "contentType"):
        assert name in parsed
