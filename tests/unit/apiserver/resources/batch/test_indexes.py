from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.resources.batch import indexes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1-2-3", 'the fragment "1-2-3" violates the requirement that an index interval can have at most two parts'),
        ("a", 'cannot convert string to integer for index: "a"'),
        ("", None),
        ("0,2-4,7", None),
        ("0,0", "non-increasing order, previous: 0, current: 0"),
        ("3-3", "non-increasing order, previous: 3, current: 3"),
        ("10", 'too large index: "10"'),
    ],
)
def test_format(text: str, words: str | None) -> None:
    if words is None:
        assert indexes.count(text, 10) == {"": 0, "0,2-4,7": 5}[text]
    else:
        with pytest.raises(ValueError, match=words):
            indexes.count(text, 10)


def written(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_counts_and_overlaps(one: set[int], other: set[int]) -> None:
    assert indexes.count(written(one), 31) == len(one)
    both = indexes.overlap(written(one), written(other), 31)
    assert both == (min(one & other) if one & other else None)


@given(st.text("0123456789,-", max_size=20))
def test_garbage_is_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert indexes.count(text, 50) >= 0
    indexes.overlap(text, "1-20", 50)
