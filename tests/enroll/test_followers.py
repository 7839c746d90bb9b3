"""Who follows the history of records over the wire."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from tunggal.enroll.v1 import enroll_pb2, enroll_pb2_grpc, record_pb2

from services.common.errors import (
    ResourceExhausted,
    Unavailable,
    remote_error,
)
from tests.enroll.enroll_people import GOOD, header, stream
from tests.enroll.enroll_server import CLOCK, Serve, refused, wait_for


def test_the_history_can_be_followed_while_it_happens(serve: Serve) -> None:
    stub = serve().stub()
    follower = follow(stub)
    sent = stub.SubmitRecord(stream(header(CLOCK), GOOD)).record
    seen = []
    while record_pb2.RECORD_STATUS_PRINT_READY_RECORD not in seen:
        event = next(follower).event
        assert event.record_id == sent.record_id
        seen.append(event.status)
    assert seen == [1, 2, 3, 4, 5]


def test_whoever_hangs_up_frees_the_place_for_another(serve: Serve) -> None:
    stub = serve(max_followers=1).stub()
    stub.SubmitRecord(stream(header(CLOCK), GOOD))
    for _ in range(3):
        follower = follow_as_soon_as_possible(stub)
        refused(lambda: next(follow(stub)), ResourceExhausted, "TOO_MANY_FOLLOWERS", None)
        follower.cancel()


Follower = Any  # an iterator and a call at once; gRPC has no public name for it


def follow(stub: enroll_pb2_grpc.EnrollServiceStub) -> Follower:
    """A follower that the server knows of by the time this returns."""
    follower = stub.WatchRecordEvents(enroll_pb2.WatchRecordEventsRequest(), timeout=60)
    follower.initial_metadata()
    return follower


def follow_as_soon_as_possible(stub: enroll_pb2_grpc.EnrollServiceStub) -> Follower:
    """A follower that has its first event; as long as there is no place for it, another try."""
    got: list[Follower] = []

    def has_a_place() -> bool:
        follower = follow(stub)
        try:
            next(follower)
        except grpc.RpcError as error:
            if remote_error(error).reason != "TOO_MANY_FOLLOWERS":
                raise
            return False
        got.append(follower)
        return True

    wait_for(has_a_place)
    return got[0]


def test_followers_are_told_when_the_server_stops_and_it_stops_at_once(serve: Serve) -> None:
    # Who were not told would keep it longer than any test may take.
    served = serve(drain_seconds=3600.0)
    follower = follow(served.stub())
    served.server.stop()
    assert served.server.unfinished() == []
    with pytest.raises(grpc.RpcError) as caught:
        next(follower)
    assert isinstance(remote_error(caught.value), Unavailable)
