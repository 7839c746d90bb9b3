"""Bad input at the front door: a typed error or a documented failure, never a hit, and nothing written."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.formats import iso19794_2, iso19794_2_2011
from services.abis.formats.minutiae import Minutia, MinutiaType
from services.abis.kernels import U8
from services.abis.settings import Settings
from services.common.errors import InvalidArgument
from tests.abis.abis_files import encoded
from tests.abis.abis_office import RIGHT_INDEX, UNKNOWN, Office, new_id, record, refused, sample

VERIFY = Settings.model_fields["verify_threshold"].default


def some(count: int, seed: int = 0) -> tuple[Minutia, ...]:
    """Minutiae strewn over a finger."""
    rng = np.random.default_rng(seed)
    return tuple(
        Minutia(int(x), int(y), int(a), MinutiaType.ENDING, int(q))
        for x, y, a, q in rng.integers((20, 20, 0, 1), (380, 480, 256, 101), (count, 4))
    )


def views(*minutiae: tuple[Minutia, ...], position: int = 0) -> bytes:
    fingers = tuple(iso19794_2.FingerView(position, one) for one in minutiae)
    return iso19794_2.write(iso19794_2.FingerMinutiaeRecord(400, 500, 197, 197, fingers))


def deduplicate(*samples: pb.FingerSample) -> pb.DeduplicateRequest:
    return pb.DeduplicateRequest(request_id=new_id(), subject_id="a", fingers=samples)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_templates_that_say_nothing_are_refused_and_never_found(
    office: Office, images: list[list[bytes]], count: int
) -> None:
    content = views(some(count))
    error = refused(office.stub.Deduplicate, deduplicate(record(content)))
    assert (error.reason, error.field) == ("QUALITY_TOO_LOW", "fingers")
    # Beside a finger that says something such a one is kept, and finds and is found by nobody.
    office.enrol("a", [sample(images[0][0], RIGHT_INDEX), record(content)])
    found = office.stub.Identify(pb.IdentifyRequest(fingers=[sample(images[1][0]), record(content)]))
    assert all(candidate.score < VERIFY for candidate in found.candidates)
    compared = office.stub.CompareSamples(
        pb.CompareSamplesRequest(probe=record(content), reference=record(content))
    )
    assert compared.score == 0.0


def test_ten_thousand_minutiae_are_refused_or_cut_to_the_best(office: Office) -> None:
    many = [some(250, seed) for seed in range(40)]
    error = refused(office.stub.Deduplicate, deduplicate(record(views(*many))))
    assert (type(error), error.reason, error.field) == (InvalidArgument, "FINGERS_TOO_MANY", "fingers")
    one = office.stub.ExtractTemplates(
        pb.ExtractTemplatesRequest(fingers=[record(views(*many, position=2))])
    ).templates
    (kept,) = iso19794_2.read(one[0].iso19794_2_record).fingers
    assert len(kept.minutiae) == 60
    # A header that declares more than there is.
    size = iso19794_2_2011.Representation(2, 400, 500, 197, 197, some(200))
    lying = bytearray(iso19794_2_2011.write(iso19794_2_2011.Record2011((size,))))
    lying[12:14] = b"\xff\xff"
    error = refused(office.stub.Deduplicate, deduplicate(record(bytes(lying))))
    assert (error.reason, error.field) == ("TEMPLATE_LENGTH", "fingers[0].iso19794_2_record")


def test_black_white_and_flat_images_are_refused(office: Office, prints: list[list[U8]]) -> None:
    grey = prints[0][0]
    pressed = np.where(grey < 250, 0, grey).astype(np.uint8)
    pressed[40:-40, 40:-40] = 0
    for pixels in (np.zeros_like(grey), np.full_like(grey, 255), np.full_like(grey, 128)):
        error = refused(office.stub.Deduplicate, deduplicate(sample(encoded(pixels, "PNG"))))
        assert (error.reason, error.field) == ("IMAGE_BLANK", "fingers[0].image.content")
        assert error.remedy
    error = refused(office.stub.Deduplicate, deduplicate(sample(encoded(pressed, "PNG"))))
    assert error.reason in {"IMAGE_SATURATED", "IMAGE_NO_RIDGES", "QUALITY_TOO_LOW"}
    assert error.remedy
    assert office.subjects() == 0


def test_a_resolution_that_the_file_contradicts_is_refused(office: Office, prints: list[list[U8]]) -> None:
    declared = encoded(prints[0][0], "PNG", dpi=(500, 500))
    for dpi in (250, 1000):
        error = refused(office.stub.Deduplicate, deduplicate(sample(declared, dpi=dpi)))
        assert (error.reason, error.field) == ("IMAGE_RESOLUTION_CONTRADICTED", "fingers[0].image.content")


def test_a_wrong_resolution_that_no_file_contradicts_is_refused_or_matches_nobody(
    office: Office, prints: list[list[U8]]
) -> None:
    plain = [[encoded(touch, "PNG") for touch in person] for person in prints]
    office.enrol("right", [sample(plain[0][0])])
    for k, dpi in enumerate((250, 1000)):
        request = pb.DeduplicateRequest(
            request_id=new_id(), subject_id=f"wrong-{k}", fingers=[sample(plain[k + 1][0], dpi=dpi)]
        )
        readable = False
        with suppress(InvalidArgument):
            readable = len(extract(plain[k + 1][0], dpi)) >= MIN_MINUTIAE
        if readable:
            assert office.stub.Deduplicate(request).decision == pb.DECISION_UNIQUE
        else:
            assert refused(office.stub.Deduplicate, request).reason in ("IMAGE_NO_RIDGES", "QUALITY_TOO_LOW")


@pytest.mark.parametrize("blur", [0.0, 1.5, 2.5, 4.0])
def test_noise_is_refused_or_found_by_nobody(office: Office, images: list[list[bytes]], blur: float) -> None:
    office.enrol("person", [sample(images[0][0])])
    for seed in range(3):
        grey = np.random.default_rng(seed).normal(128, 50, (380, 340)).clip(0, 255).astype(np.uint8)
        soft = np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(blur)), dtype=np.float64)
        pixels = (128 + 60 * (soft - soft.mean()) / soft.std()).clip(0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        try:
            extract(out.getvalue(), 500)
        except InvalidArgument:
            error = refused(office.stub.Deduplicate, deduplicate(sample(out.getvalue())))
            assert (error.reason, error.field) == ("IMAGE_NO_RIDGES", "fingers[0].image.content")
            continue
        # The next noise must not find this one either.
        office.enrol(f"noise-{seed}", [sample(out.getvalue())])
        found = office.stub.Identify(pb.IdentifyRequest(fingers=[sample(out.getvalue())]))
        others = [c.score for c in found.candidates if c.subject_id != f"noise-{seed}"]
        assert others
        assert max(others) < VERIFY


def test_hands_that_were_mixed_up_are_found_and_never_taken_for_somebody_else(
    office: Office, images: list[list[bytes]]
) -> None:
    right, left = RIGHT_INDEX, RIGHT_INDEX + 5
    for k in range(2):
        office.enrol(f"p{k}", [sample(images[2 * k][0], right), sample(images[2 * k + 1][0], left)])
    swapped = [sample(images[0][1], left), sample(images[1][1], right)]
    answer = office.deduplicate("again", *swapped)
    assert (answer.decision, answer.candidates[0].subject_id) == (pb.DECISION_DUPLICATE, "p0")
    # One finger each of two people under one name: neither may be found with certainty, none falsely.
    stranger = [sample(images[4][0], left), sample(images[5][0], right)]
    assert office.deduplicate("new", *stranger).decision == pb.DECISION_UNIQUE
    assert UNKNOWN not in {finger.reference_position for finger in answer.candidates[0].fingers}
