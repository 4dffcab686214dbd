"""Free numbers: all of them, none twice, the upper part of a range first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.endpoints.allocation import spans
from pybernetes.kits import chance as chances


@pytest.mark.parametrize(
    ("size", "step", "most", "lower"),
    [
        (16, 16, 256, 0),
        (17, 16, 256, 16),
        (256, 16, 256, 16),
        (1024, 16, 256, 64),
        (1 << 20, 16, 256, 256),
        (2768, 32, 128, 86),
        (1 << 15, 32, 128, 128),
    ],
)
def test_how_much_is_left_to_those_who_ask(size: int, step: int, most: int, lower: int) -> None:
    span = spans.divided(100, 100 + size - 1, size=size, step=step, most=most)
    assert span == (100, 100 + lower, 100 + size - 1)


@given(st.sets(st.integers(0, 40)), st.integers(0, 45))
def test_the_next_free_number(taken: set[int], start: int) -> None:
    used = spans.Used(taken)
    assert used.next_free(start) == next(number for number in range(start, 100) if number not in taken)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))))
def test_what_is_used_is_a_set(steps: list[tuple[bool, int]]) -> None:
    used, expected = spans.Used(), set[int]()
    for is_added, number in steps:
        (used.add if is_added else used.discard)(number)
        (expected.add if is_added else expected.discard)(number)
        assert [one for one in range(10) if one in used] == sorted(expected)
    assert len(used) == len(expected)


@given(st.sets(st.integers(0, 30)), st.integers(0, 20), st.integers(0, 20), st.integers(0, 99))
def test_every_free_number_comes_once(taken: set[int], lower: int, size: int, seed: int) -> None:
    span = spans.Span(5, 5 + lower, 5 + size - 1)
    found = list(spans.candidates(span, spans.Used(taken), chances.Chance(seed)))
    assert sorted(found) == [number for number in range(5, 5 + size) if number not in taken]
    from_upper = [number >= span.boundary for number in found]
    assert from_upper == sorted(from_upper, reverse=True)


def test_an_ipv6_range_is_no_longer_than_any_other() -> None:
    span = spans.divided(1, (1 << 64) - 1, size=1 << 64, step=16, most=256)
    assert next(spans.candidates(span, spans.Used(), chances.Chance(1))) >= span.boundary
