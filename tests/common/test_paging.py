"""Page tokens are opaque, survive the way to the client and back, and nothing else passes for one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.common.paging import decode_token, encode_token, page_size


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_a_position_survives_its_token(position: dict[str, object]) -> None:
    assert decode_token(encode_token(position)) == position


def test_the_empty_token_is_the_first_page() -> None:
    assert decode_token("") == {}


@given(st.text(min_size=1, max_size=40))
def test_other_text_is_refused_or_is_a_token(text: str) -> None:
    with suppress(InvalidArgument):
        assert isinstance(decode_token(text), dict)


@pytest.mark.parametrize("token", ["x", "????", "é", encode_token({"a": 1})[:-2], "W10", "MQ"])
def test_a_broken_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        decode_token(token)
    assert (raised.value.reason, raised.value.field) == ("PAGE_TOKEN_BROKEN", "page_token")


@pytest.mark.parametrize(("requested", "used"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
def test_a_page_has_between_one_and_a_thousand_rows(requested: int, used: int) -> None:
    assert page_size(requested) == used


def test_a_negative_page_is_refused() -> None:
    with pytest.raises(InvalidArgument) as raised:
        page_size(-1)
    assert raised.value.field == "page_size"
