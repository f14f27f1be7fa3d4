"""The pattern for numbers above a limit: exactly those, and never longer than WAF takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components._body_limit import MAX_LIMIT, MAX_PATTERN, above

LIMITS = st.integers(min_value=1, max_value=MAX_LIMIT)


def matches(limit: int, number: str) -> bool:
    return re.search(above(limit), number) is not None


@given(limit=LIMITS, number=st.integers(min_value=0, max_value=MAX_LIMIT * 1000))
def test_exactly_the_numbers_above_match(limit, number):
    assert matches(limit, str(number)) == (number > limit)


@given(limit=LIMITS, distance=st.integers(min_value=-20, max_value=20))
def test_the_border_is_sharp(limit, distance):
    number = max(0, limit + distance)
    assert matches(limit, str(number)) == (number > limit)


@given(limit=LIMITS, zeros=st.integers(min_value=0, max_value=30), number=LIMITS)
def test_leading_zeros_change_nothing(limit, zeros, number):
    assert matches(limit, "0" * zeros + str(number)) == (number > limit)


@given(limit=LIMITS)
def test_waf_takes_the_pattern(limit):
    pattern = above(limit)
    assert len(pattern) <= MAX_PATTERN
    assert "(" not in pattern.replace("(?:", "")


@pytest.mark.parametrize("text", ["", "-5000", "5000 ", " 5000", "5e3", "0x5000", "5000, 5000"])
def test_what_is_no_number_is_left_to_others(text):
    assert not matches(1000, text)


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_out_of_bounds_is_refused(limit):
    with pytest.raises(ValueError, match=f"the limit must be 1 to {MAX_LIMIT} bytes, got {limit}"):
        above(limit)
