"""The traceparent header of W3C Trace Context."""

from __future__ import annotations

import pytest

from services.common.tracing import Trace, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_header_survives_and_a_child_stays_in_its_trace() -> None:
    trace = parse(f"00-{TRACE}-{SPAN}-01")
    assert trace == Trace(TRACE, SPAN, "01")
    assert trace is not None
    assert parse(trace.header) == trace
    child = trace.child()
    assert (child.trace_id, child.flags) == (TRACE, "01")
    assert child.span_id != SPAN


def test_a_header_of_a_later_version_may_say_more() -> None:
    assert parse(f"01-{TRACE}-{SPAN}-01-more") == Trace(TRACE, SPAN, "01")


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
    ],
)
def test_what_is_not_well_formed_is_no_trace(header: str) -> None:
    assert parse(header) is None
