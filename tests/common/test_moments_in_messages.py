"""Moments in messages: aware, in UTC, absent where they are absent, refused where they are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.enroll.v1 import reconciliation_pb2 as pb

from services.common.errors import InvalidArgument
from services.common.moments import moment, timestamp

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
