"""Moments in messages: aware, in UTC, absent where they are absent, refused where they are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.enroll.v1 import reconciliation_pb2 as pb

from services.common.errors import InvalidArgument
from services.common.moments import moment, timestamp
from services.common.spans import Span

_JAYAPURA = timezone(timedelta(hours=9))


def test_a_moment_comes_back_in_utc_to_the_microsecond() -> None:
    sent = datetime(2026, 3, 2, 1, 30, 0, 123456, tzinfo=_JAYAPURA)
    found = moment(pb.ListCardRecordsRequest(start_time=timestamp(sent)), "start_time")
    assert found == sent
    assert found is not None
    assert found.tzinfo is UTC


def test_no_moment_stays_none() -> None:
    assert timestamp(None) is None
    assert moment(pb.ListCardRecordsRequest(), "start_time") is None


@pytest.mark.parametrize(
    "stamp",
    [Timestamp(seconds=10**15), Timestamp(seconds=-(10**15)), Timestamp(nanos=-1), Timestamp(nanos=10**9)],
)
def test_a_stamp_that_is_no_moment_is_refused_by_name(stamp: Timestamp) -> None:
    with pytest.raises(InvalidArgument) as refused:
        moment(pb.ListCardRecordsRequest(end_time=stamp), "end_time")
    assert (refused.value.reason, refused.value.field) == ("TIME_MALFORMED", "end_time")


def test_a_span_that_ends_before_it_begins_is_refused_and_an_empty_one_is_not() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    request = pb.ListCardRecordsRequest(start_time=timestamp(at), end_time=timestamp(at))
    assert Span.of(request) == Span("", at, at)
    request.end_time.FromDatetime(at - timedelta(microseconds=1))
    with pytest.raises(InvalidArgument) as refused:
        Span.of(request)
    assert (refused.value.reason, refused.value.field) == ("SPAN_REVERSED", "end_time")
