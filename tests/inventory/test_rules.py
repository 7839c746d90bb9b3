"""The plain rules: location codes, serial ranges, accounts and lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.inventory.ledger.entries import Account, Condition, Line
from services.inventory.ledger.serials import SerialRange, common, count, lowest, ordered, without
from services.inventory.location import parse

ON_HAND = Account("ID", Condition.ON_HAND)
RESERVED = Account("ID", Condition.RESERVED)


@pytest.mark.parametrize("code", ["ID", "31", "32.16", "32.16:mall-01", "97.99:a"])
def test_well_formed_locations_are_accepted_whether_they_exist_or_not(code: str) -> None:
    assert parse(code, "location") == code


@pytest.mark.parametrize(
    "code",
    ["", "id", "3", "321", "32.1", "32.16.01", "32:x", "32.16:", "32.16:Mall", "32.16:" + "a" * 33, "32\n"],
)
def test_malformed_locations_are_refused_with_their_field(code: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse(code, "to_location")
    assert refused.value.reason == "LOCATION_MALFORMED"
    assert refused.value.field == "to_location"


def test_a_range_ends_where_it_begins_or_later() -> None:
    assert len(SerialRange(5, 5)) == 1
    with pytest.raises(InvalidArgument) as refused:
        SerialRange(5, 4)
    assert refused.value.field == "serials.last"


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_the_lowest_serials_are_the_first_of_the_sorted_blanks(
    lengths: list[int], data: st.DataObject
) -> None:
    ranges, first = [], 1
    for length in lengths:
        ranges.append(SerialRange(first, first + length - 1))
        first += length + 1
    serials = [n for some in ranges for n in range(some.first, some.last + 1)]
    quantity = data.draw(st.integers(1, len(serials)))
    taken = lowest(ranges, quantity)
    assert [n for some in taken for n in range(some.first, some.last + 1)] == serials[:quantity]
    with pytest.raises(ValueError, match="missing"):
        lowest(ranges, len(serials) + 1)


SETS = st.sets(st.integers(1, 30))


def ranges_of(serials: set[int]) -> list[SerialRange]:
    """The same serials as ranges: ascending, with a gap between any two."""
    found: list[SerialRange] = []
    for serial in sorted(serials):
        if found and found[-1].last == serial - 1:
            found[-1] = SerialRange(found[-1].first, serial)
        else:
            found.append(SerialRange(serial, serial))
    return found


@given(SETS, SETS)
def test_what_is_cut_from_ranges_and_what_they_share_are_as_of_sets(some: set[int], others: set[int]) -> None:
    ours, theirs = ranges_of(some), ranges_of(others)
    assert without(ours, theirs) == ranges_of(some - others)
    assert common(ours, theirs) == ranges_of(some & others)
    assert count(ours) == len(some)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 4)), max_size=6))
def test_ranges_come_in_order_with_neighbours_joined_or_one_of_them_is_there_twice(
    given: list[tuple[int, int]],
) -> None:
    ranges = [SerialRange(first, first + more) for first, more in given]
    serials = [n for each in ranges for n in range(each.first, each.last + 1)]
    if len(set(serials)) == len(serials):
        assert list(ordered(ranges, "serials")) == ranges_of(set(serials))
    else:
        with pytest.raises(InvalidArgument) as refused:
            ordered(ranges, "serials")
        assert (refused.value.reason, refused.value.field) == ("SERIALS_TWICE", "serials")


@given(
    st.from_regex(r"[A-Z0-9][A-Z0-9./-]{2,20}", fullmatch=True) | st.sampled_from(["ID", "32.16", "32.16:a"]),
    st.sampled_from(Condition),
)
def test_an_account_is_read_back_from_its_code(place: str, condition: Condition) -> None:
    account = Account(place, condition)
    assert Account.parse(account.code) == account


@pytest.mark.parametrize(
    ("target", "quantity", "serials"),
    [
        (ON_HAND, 1, None),
        (RESERVED, 0, None),
        (RESERVED, -1, None),
        (RESERVED, 2, SerialRange(1, 3)),
    ],
)
def test_a_line_moves_a_positive_quantity_of_as_many_serials_elsewhere(
    target: Account, quantity: int, serials: SerialRange | None
) -> None:
    with pytest.raises(ValueError, match=r"movement|differ"):
        Line(ON_HAND, target, quantity, serials)
