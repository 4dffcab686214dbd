from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.job import indexes

SETS = st.sets(st.integers(0, 30))


def of(numbers: set[int]) -> indexes.Indexes:
    return indexes.Indexes().plus(numbers)


@pytest.mark.parametrize(
    ("text", "found"), [("", set()), ("0", {0}), ("0,1", {0, 1}), ("0-2,5,7-9", {0, 1, 2, 5, 7, 8, 9})]
)
def test_texts(text: str, found: set[int]) -> None:
    assert set(indexes.parse(text, 10)) == found
    assert str(of(found)) == text


@pytest.mark.parametrize(
    ("text", "completions", "shown"),
    [
        ("0-5,7", 3, "0-2"),
        ("3,4,5-9", 20, "3-9"),
        ("x,1-y,2", 9, "2"),
        ("8", 3, ""),
        ("0-2147483646", 2**31 - 1, "0-2147483646"),
    ],
)
def test_what_cannot_be_is_dropped(text: str, completions: int, shown: str) -> None:
    assert str(indexes.parse(text, completions)) == shown


@given(SETS, SETS, st.integers(0, 40), st.integers(0, 40))
def test_they_are_sets(one: set[int], other: set[int], count: int, completions: int) -> None:
    mine, theirs = of(one), of(other)
    assert set(mine) == one
    assert len(mine) == len(one)
    assert set(mine.union(theirs)) == one | other
    assert mine.common(theirs) == len(one & other)
    assert all((number in mine) is (number in one) for number in range(32))
    assert mine.missing(count, completions) == [n for n in range(completions) if n not in one][:count]
    assert indexes.parse(str(mine), 31) == mine


@pytest.mark.parametrize(("job", "prefix"), [("pi", "pi-7-"), ("x" * 63, "x" * 55 + "-7-")])
def test_pods_are_marked(job: str, prefix: str) -> None:
    pod = core_v1.Pod(spec=core_v1.PodSpec(containers=[core_v1.Container(name="c")]))
    indexes.mark(pod, indexes.Mark(7, failures=2, ignored=1), job)
    assert pod.metadata.generateName == prefix
    assert (indexes.index_of(pod, 8), indexes.index_of(pod, 7)) == (7, None)
    assert (indexes.failures_of(pod), indexes.ignored_failures_of(pod)) == (2, 1)


@pytest.mark.parametrize("text", ["", "-1", "many", "2147483648", "99999999999"])
def test_counts_that_somebody_made_up_are_none(text: str) -> None:
    pod = core_v1.Pod(metadata=meta_v1.ObjectMeta(annotations={indexes.FAILURES: text}))
    assert indexes.failures_of(pod) == 0
