from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import errors
from pybernetes.api.patch import merge

scalars = st.one_of(st.booleans(), st.integers(), st.text(max_size=3))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=2), trees, max_size=4)


@given(objects, objects)
def test_a_diff_leads_to_its_target(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge.apply(old, merge.diff(old, new)) == new
    assert merge.diff(new, new) == {}


def test_null_removes_and_lists_replace() -> None:
    tree = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert merge.apply(tree, {"a": {"b": None, "d": {"e": None}}, "l": [3]}) == {"a": {"c": 2, "d": {}}, "l": [3]}
    assert tree == {"a": {"b": 1, "c": 2}, "l": [1, 2]}


def test_a_patch_is_an_object() -> None:
    with pytest.raises(errors.StatusError, match="Invalid JSON Patch") as caught:
        merge.apply({}, [1])
    assert caught.value.code == 400
