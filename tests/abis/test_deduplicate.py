"""Of simultaneous submissions of one person exactly one is unique, on both databases and across replicas."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import grpc
import pytest
from tunggal.abis.v1 import abis_pb2 as pb

from services.common.errors import AlreadyExists, NotFound, remote_error
from tests.abis.abis_office import Office, new_id, sample

UNIQUE, DUPLICATE = pb.DECISION_UNIQUE, pb.DECISION_DUPLICATE


def test_a_second_print_under_another_id_is_a_duplicate(office: Office, images: list[list[bytes]]) -> None:
    assert office.deduplicate("a", sample(images[0][0])).decision == UNIQUE
    answer = office.deduplicate("b", sample(images[0][1]))
    assert answer.decision == DUPLICATE
    assert answer.candidates[0].subject_id == "a"
    assert answer.candidates[0].score > office.settings.duplicate_threshold
    assert answer.gallery_size == 1
    assert office.subjects() == 1


def test_different_people_are_all_unique(office: Office, images: list[list[bytes]]) -> None:
    for k, person in enumerate(images):
        answer = office.deduplicate(f"s{k}", sample(person[0]))
        assert (answer.decision, answer.gallery_size) == (UNIQUE, k)
    assert office.subjects() == len(images)


@pytest.mark.parametrize("replicas", [1, 2])
def test_of_simultaneous_submissions_exactly_one_is_unique(
    start: Callable[[], Office], images: list[list[bytes]], replicas: int
) -> None:
    offices = [start() for _ in range(replicas)]
    for person, (first, second) in enumerate(images[:3]):
        barrier = Barrier(4)

        def submit(k: int, person: int = person, prints: tuple[bytes, bytes] = (first, second)) -> int:
            barrier.wait()  # noqa: B023 - used within the iteration
            answer = offices[k % replicas].deduplicate(f"p{person}-{k}", sample(prints[k % 2]))
            return answer.decision

        with ThreadPoolExecutor(4) as pool:
            decisions = list(pool.map(submit, range(4)))
        assert sorted(decisions) == [UNIQUE, DUPLICATE, DUPLICATE, DUPLICATE]
    assert [office.subjects() for office in offices] == [3] * replicas


def test_a_retry_gets_the_first_answer_and_inserts_nothing(office: Office, images: list[list[bytes]]) -> None:
    request_id = new_id()
    first = office.deduplicate("a", sample(images[0][0]), request_id=request_id)
    again = office.deduplicate("a", sample(images[0][0]), request_id=request_id)
    assert first == again
    assert office.subjects() == 1


def test_simultaneous_retries_are_one_submission(
    start: Callable[[], Office], images: list[list[bytes]]
) -> None:
    offices = [start(), start()]
    request_id = new_id()

    def submit(k: int) -> pb.DeduplicateResponse:
        return offices[k % 2].deduplicate("a", sample(images[0][0]), request_id=request_id)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submit, range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].decision == UNIQUE


def test_a_request_id_may_not_carry_another_body(office: Office, images: list[list[bytes]]) -> None:
    request_id = new_id()
    office.deduplicate("a", sample(images[0][0]), request_id=request_id)
    with pytest.raises(grpc.RpcError) as refused:
        office.deduplicate("b", sample(images[1][0]), request_id=request_id)
    assert isinstance(remote_error(refused.value), AlreadyExists)
    assert office.subjects() == 1


def test_a_subject_id_is_taken_once(office: Office, images: list[list[bytes]]) -> None:
    office.deduplicate("a", sample(images[0][0]))
    with pytest.raises(grpc.RpcError) as refused:
        office.deduplicate("a", sample(images[1][0]))
    error = remote_error(refused.value)
    assert (type(error), error.reason, error.field) == (AlreadyExists, "SUBJECT_EXISTS", "subject_id")


def test_what_one_replica_deletes_the_other_no_longer_finds(
    start: Callable[[], Office], images: list[list[bytes]]
) -> None:
    here, there = start(), start()
    here.deduplicate("a", sample(images[0][0]))
    assert there.deduplicate("b", sample(images[0][1])).decision == DUPLICATE
    there.stub.DeleteSubject(pb.DeleteSubjectRequest(request_id=new_id(), subject_id="a", reason="a test"))
    assert here.deduplicate("b", sample(images[0][1])).decision == UNIQUE
    with pytest.raises(grpc.RpcError) as refused:
        here.stub.GetSubject(pb.GetSubjectRequest(subject_id="a"))
    assert isinstance(remote_error(refused.value), NotFound)


def test_the_gallery_is_rebuilt_at_start(start: Callable[[], Office], images: list[list[bytes]]) -> None:
    before = start()
    for k in range(3):
        before.deduplicate(f"s{k}", sample(images[k][0]))
    before.stub.DeleteSubject(pb.DeleteSubjectRequest(request_id=new_id(), subject_id="s1", reason="a test"))
    before.stop()
    after = start()
    assert after.subjects() == 2
    answer = after.deduplicate("again", sample(images[2][1]))
    assert (answer.decision, answer.candidates[0].subject_id) == (DUPLICATE, "s2")
