"""The RPCs over real mTLS: what they answer, and how they refuse bad input with nothing written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.common.v1 import biometric_pb2

from services.abis.formats import iso19794_2
from services.abis.formats.minutiae import Minutia, MinutiaType
from services.abis.kernels import U8
from services.common import audit
from services.common.db import Database
from services.common.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TunggalError,
)
from tests.abis.abis_files import encoded, itl, type_14
from tests.abis.abis_office import RIGHT_INDEX, UNKNOWN, Office, new_id, record, refused, sample


def blank() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((300, 300), 255, np.uint8)).save(out, "PNG")
    return out.getvalue()


def request(
    *samples: pb.FingerSample, subject_id: str = "a", request_id: str | None = None
) -> pb.DeduplicateRequest:
    chosen = new_id() if request_id is None else request_id
    return pb.DeduplicateRequest(request_id=chosen, subject_id=subject_id, fingers=list(samples))


def template_of(office: Office, image: bytes, position: int = UNKNOWN) -> pb.FingerTemplate:
    answer = office.stub.ExtractTemplates(pb.ExtractTemplatesRequest(fingers=[sample(image, position)]))
    return answer.templates[0]


def test_bad_samples_are_refused_with_field_and_remedy_and_nothing_is_written(
    office: Office, images: list[list[bytes]]
) -> None:
    good = images[0][0]
    iso = template_of(office, good).iso19794_2_record
    cases = [
        (sample(good[: len(good) // 2]), "IMAGE_TRUNCATED", "fingers[1].image.content"),
        (sample(blank()), "IMAGE_BLANK", "fingers[1].image.content"),
        (sample(b"no image, but long enough to look at"), "IMAGE_UNREADABLE", "fingers[1].image.content"),
        (record(b"XMR\0" + iso[4:]), "TEMPLATE_HEADER", "fingers[1].iso19794_2_record"),
        (record(b"IIR\0" + iso[4:]), "TEMPLATE_MODALITY", "fingers[1].iso19794_2_record"),
        (record(b"FAC\0" + iso[4:]), "TEMPLATE_MODALITY", "fingers[1].iso19794_2_record"),
        (record(iso[:-4]), "TEMPLATE_LENGTH", "fingers[1].iso19794_2_record"),
        (record(iso[:8] + b"\0\0\1\0" + iso[12:]), "TEMPLATE_LENGTH", "fingers[1].iso19794_2_record"),
    ]
    for bad, reason, field in cases:
        error = refused(office.stub.Deduplicate, request(sample(good), bad))
        assert (type(error), error.reason, error.field) == (InvalidArgument, reason, field)
        assert error.remedy
    assert office.subjects() == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "not-a-uuid"}, "request_id"),
        ({"subject_id": "../etc"}, "subject_id"),
        ({"fingers": []}, "fingers"),
        ({"fingers": [pb.FingerSample(position=UNKNOWN)]}, "fingers[0].data"),
        ({"fingers": [sample(b"x" * 40, 77)]}, "fingers[0].position"),
        ({"fingers": [sample(b"x" * 40, 0)]}, "fingers[0].position"),
        ({"fingers": [sample(b"x" * 40, dpi=10)]}, "fingers[0].image.dpi"),
        ({"fingers": [sample(b"x" * 40)] * 11}, "fingers"),
    ],
)
def test_what_the_contract_excludes_is_refused(office: Office, wrong: dict[str, Any], field: str) -> None:
    fields: dict[str, Any] = {
        "request_id": new_id(),
        "subject_id": "a",
        "fingers": [sample(b"x" * 40)],
        **wrong,
    }
    error = refused(office.stub.Deduplicate, pb.DeduplicateRequest(**fields))
    assert isinstance(error, InvalidArgument)
    assert field in {violation.field for violation in error.violations} | {error.field}
    assert office.subjects() == 0


def test_an_oversize_message_is_refused(office: Office) -> None:
    huge = [sample(b"\0" * 4_000_000) for _ in range(5)]
    error = refused(office.stub.Deduplicate, request(*huge))
    assert isinstance(error, ResourceExhausted)
    assert office.subjects() == 0


def test_an_image_above_its_limit_is_refused(office: Office) -> None:
    error = refused(office.stub.Deduplicate, request(sample(b"\0" * 5_000_000)))
    assert isinstance(error, InvalidArgument)


def test_a_submission_that_says_nothing_is_refused(office: Office) -> None:
    few = tuple(Minutia(50 + 20 * k, 60, 9 * k, MinutiaType.ENDING) for k in range(5))
    view = iso19794_2.FingerView(0, few)
    content = iso19794_2.write(iso19794_2.FingerMinutiaeRecord(300, 300, 197, 197, (view,)))
    error = refused(office.stub.Deduplicate, request(record(content)))
    assert (error.reason, error.field) == ("QUALITY_TOO_LOW", "fingers")
    assert office.subjects() == 0


def test_positions_may_neither_repeat_nor_contradict_the_record(
    office: Office, images: list[list[bytes]]
) -> None:
    twice = [sample(images[0][0], RIGHT_INDEX), sample(images[1][0], RIGHT_INDEX)]
    error = refused(office.stub.Deduplicate, request(*twice))
    assert (error.reason, error.field) == ("POSITION_REPEATED", "fingers[1].position")
    iso = template_of(office, images[0][0], RIGHT_INDEX).iso19794_2_record
    wrong = record(iso, biometric_pb2.FINGER_POSITION_LEFT_THUMB)
    assert refused(office.stub.Deduplicate, request(wrong)).reason == "POSITION_CONTRADICTED"


def test_one_finger_may_not_be_submitted_as_two(office: Office, images: list[list[bytes]]) -> None:
    twice = [
        sample(images[0][0], RIGHT_INDEX),
        sample(images[1][0], biometric_pb2.FINGER_POSITION_LEFT_THUMB),
        sample(images[0][1], biometric_pb2.FINGER_POSITION_RIGHT_MIDDLE),
    ]
    error = refused(office.stub.Deduplicate, request(*twice))
    assert (type(error), error.reason) == (InvalidArgument, "FINGER_REPEATED")
    assert {violation.field for violation in error.violations} == {"fingers[0]", "fingers[2]"}
    assert error.remedy
    assert "fingers[0]" in error.message
    assert "fingers[2]" in error.message
    same = pb.IdentifyRequest(fingers=[sample(images[0][0]), sample(images[0][0])])
    assert refused(office.stub.Identify, same).reason == "FINGER_REPEATED"
    assert office.deduplicate("a", *twice[:2]).decision == pb.DECISION_UNIQUE
    assert office.subjects() == 1


def test_exchanged_hands_are_a_duplicate_and_the_answer_says_which_finger_is_which(
    office: Office, images: list[list[bytes]]
) -> None:
    left = biometric_pb2.FINGER_POSITION_LEFT_INDEX
    office.deduplicate("a", sample(images[0][0], RIGHT_INDEX), sample(images[1][0], left))
    answer = office.deduplicate("b", sample(images[0][1], left), sample(images[1][1], RIGHT_INDEX))
    assert answer.decision == pb.DECISION_DUPLICATE
    assert [(f.probe_position, f.reference_position) for f in answer.candidates[0].fingers] == [
        (left, RIGHT_INDEX),
        (RIGHT_INDEX, left),
    ]


def test_strangers_and_wrong_services_may_not_call(office: Office, images: list[list[bytes]]) -> None:
    error: TunggalError = refused(office.stub_as("cardperso").Deduplicate, request(sample(images[0][0])))
    assert isinstance(error, PermissionDenied)
    assert office.stub_as("enroll").Deduplicate(request(sample(images[0][0]))).decision == pb.DECISION_UNIQUE


def test_a_template_enrols_and_an_image_of_the_finger_is_its_duplicate(
    office: Office, images: list[list[bytes]]
) -> None:
    made = template_of(office, images[0][0], RIGHT_INDEX)
    assert (made.position, 20 <= made.quality <= 100) == (RIGHT_INDEX, True)
    office.enrol("a", [record(made.iso19794_2_record, RIGHT_INDEX)])
    answer = office.deduplicate("b", sample(images[0][1], RIGHT_INDEX))
    assert answer.candidates[0].subject_id == "a"
    assert answer.decision in (pb.DECISION_DUPLICATE, pb.DECISION_ADJUDICATE)


def test_a_template_can_be_cut_to_what_fits_a_chip(office: Office, images: list[list[bytes]]) -> None:
    answer = office.stub.ExtractTemplates(
        pb.ExtractTemplatesRequest(fingers=[sample(images[0][0])], max_minutiae=12)
    )
    (view,) = iso19794_2.read(answer.templates[0].iso19794_2_record).fingers
    assert len(view.minutiae) == 12


def test_nfiq_2_is_computed_where_it_is_asked_for_and_there_is_an_image(
    office: Office, images: list[list[bytes]]
) -> None:
    finger = sample(images[0][0])
    iso = template_of(office, images[0][0]).iso19794_2_record
    asked = pb.ExtractTemplatesRequest(fingers=[finger, record(iso)], with_nfiq2=True)
    graded, of_minutiae = office.stub.ExtractTemplates(asked).templates
    assert 0 < graded.nfiq2 <= 100
    assert 0 < graded.quality <= 100
    assert not of_minutiae.HasField("nfiq2")
    assert (
        not office.stub.ExtractTemplates(pb.ExtractTemplatesRequest(fingers=[finger]))
        .templates[0]
        .HasField("nfiq2")
    )


def test_verify_says_yes_to_the_subject_and_no_to_others(office: Office, images: list[list[bytes]]) -> None:
    office.enrol("a", [sample(images[0][0])])
    yes = office.stub.Verify(pb.VerifyRequest(subject_id="a", fingers=[sample(images[0][1])]))
    no = office.stub.Verify(pb.VerifyRequest(subject_id="a", fingers=[sample(images[1][1])]))
    assert (yes.match, no.match) == (True, False)
    assert yes.candidate.score > 0 > no.candidate.score
    error = refused(office.stub.Verify, pb.VerifyRequest(subject_id="nobody", fingers=[sample(images[0][1])]))
    assert isinstance(error, NotFound)


def test_identify_ranks_everyone_and_changes_nothing(office: Office, images: list[list[bytes]]) -> None:
    for k in range(3):
        office.enrol(f"s{k}", [sample(images[k][0])])
    answer = office.stub.Identify(pb.IdentifyRequest(fingers=[sample(images[1][1])], max_candidates=2))
    assert answer.candidates[0].subject_id == "s1"
    assert (len(answer.candidates), answer.gallery_size, office.subjects()) == (2, 3, 3)


def test_a_comparison_shows_minutiae_in_the_pixels_of_each_sample(
    office: Office, images: list[list[bytes]]
) -> None:
    single = Image.open(io.BytesIO(images[0][1]))
    doubled = single.resize((single.width * 2, single.height * 2))
    out = io.BytesIO()
    doubled.save(out, "PNG")
    answer = office.stub.CompareSamples(
        pb.CompareSamplesRequest(probe=sample(images[0][0]), reference=sample(out.getvalue(), dpi=1000))
    )
    assert answer.score > office.settings.duplicate_threshold
    assert len(answer.pairs) >= 8
    spread = [max(m.y for m in side) for side in (answer.probe_minutiae, answer.reference_minutiae)]
    assert 1.5 < spread[1] / spread[0] < 2.5
    for pair in answer.pairs:
        assert answer.probe_minutiae[pair.probe].type != pb.MINUTIA_TYPE_UNSPECIFIED
        assert answer.reference_minutiae[pair.reference].type != pb.MINUTIA_TYPE_UNSPECIFIED


def test_subjects_are_listed_page_by_page(office: Office, images: list[list[bytes]]) -> None:
    for k in range(3):
        office.enrol(f"s{k}", [sample(images[k][0], RIGHT_INDEX)])
    first = office.stub.ListSubjects(pb.ListSubjectsRequest(page_size=2))
    assert [s.subject_id for s in first.subjects] == ["s0", "s1"]
    assert list(first.subjects[0].positions) == [RIGHT_INDEX]
    rest = office.stub.ListSubjects(pb.ListSubjectsRequest(page_size=2, page_token=first.next_page_token))
    assert ([s.subject_id for s in rest.subjects], rest.next_page_token) == (["s2"], "")
    for token in ("broken!", "eyJhZnRlciI6ICJ4In0"):
        error = refused(office.stub.ListSubjects, pb.ListSubjectsRequest(page_token=token))
        assert (type(error), error.field) == (InvalidArgument, "page_token")


def test_references_are_stored_sealed_and_changes_audited(
    office: Office, images: list[list[bytes]], tmp_path: Path
) -> None:
    office.enrol("a", [sample(images[0][0])])
    office.stub.DeleteSubject(
        pb.DeleteSubjectRequest(request_id=new_id(), subject_id="a", reason="by mistake")
    )
    office.enrol("b", [sample(images[0][0])])
    database = Database(office.settings.database_url)
    with database.read() as conn:
        stored = conn.execute(sa.text("SELECT template FROM finger_reference")).scalars().all()
        log = conn.execute(
            sa.text("SELECT actor, action, resource, reason FROM audit_log ORDER BY seq")
        ).all()
        assert audit.verify(conn) is None
    database.dispose()
    assert len(stored) == 1
    assert b"TFT1" not in bytes(stored[0])
    assert [tuple(row)[1:3] for row in log] == [
        ("EnrolSubject", "subjects/a"),
        ("DeleteSubject", "subjects/a"),
        ("EnrolSubject", "subjects/b"),
    ]
    assert log[1].reason == "by mistake"
    assert {row.actor for row in log} == {"operator/cli"}


def test_one_file_of_several_fingers_is_one_submission(office: Office, prints: list[list[U8]]) -> None:
    files = []
    for touch in (0, 1):
        pictures = [
            type_14(encoded(grey, "PNG"), grey.shape[1], grey.shape[0], "PNG", position=position)
            for position, grey in ((2, prints[0][touch]), (7, prints[1][touch]))
        ]
        files.append(sample(itl(*pictures)))
    office.enrol("a", [files[0]])
    answer = office.deduplicate("b", files[1])
    assert answer.decision == pb.DECISION_DUPLICATE
    assert [f.probe_position for f in answer.candidates[0].fingers] == [
        RIGHT_INDEX,
        biometric_pb2.FINGER_POSITION_LEFT_INDEX,
    ]
    found = office.stub.GetSubject(pb.GetSubjectRequest(subject_id="a")).subject
    assert list(found.positions) == [RIGHT_INDEX, biometric_pb2.FINGER_POSITION_LEFT_INDEX]
    asked = pb.ExtractTemplatesRequest(fingers=[files[0]], with_nfiq2=True)
    made = office.stub.ExtractTemplates(asked).templates
    assert [t.position for t in made] == list(found.positions)
    assert all(t.nfiq2 > 0 for t in made)
    error = refused(office.stub.CompareSamples, pb.CompareSamplesRequest(probe=files[0], reference=files[1]))
    assert (error.reason, error.field) == ("FINGER_COUNT", "probe.image.content")
