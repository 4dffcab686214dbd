from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.apply import fieldset

steps = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0"])
path_sets = st.sets(st.lists(steps, min_size=1, max_size=4).map(tuple), max_size=8)


def made(paths: set[tuple[str, ...]]) -> fieldset.Set:
    return fieldset.from_paths(sorted(paths))


@given(path_sets)
def test_round_trip(paths: set[tuple[str, ...]]) -> None:
    assert set(fieldset.paths(made(paths))) == paths


@given(path_sets, path_sets)
def test_algebra_is_that_of_sets(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> None:
    a, b = made(left), made(right)
    assert set(fieldset.paths(fieldset.union(a, b))) == left | right
    whole = fieldset.union(fieldset.ordered(a), fieldset.ordered(b))
    assert json.dumps(whole) == json.dumps(fieldset.ordered(whole))
    assert fieldset.ordered(whole) == whole
    assert set(fieldset.paths(fieldset.difference(a, b))) == left - right
    assert set(fieldset.paths(fieldset.intersection(a, b))) == left & right
    assert fieldset.covers(a, b) == (right <= left)
    assert fieldset.meets(a, b) == bool(left & right)
    assert a == made(left)
    assert b == made(right)


@given(st.sets(st.sampled_from([".", "f:a", "f:b", 'k:{"a":1}', 'k:{"b":1}', "v:1", "v:2", "i:0", "i:1"])))
def test_steps_are_in_upstreams_order(steps: set[str]) -> None:
    listed = list(fieldset.ordered({step: {} for step in steps}))
    assert listed == sorted(steps, key=lambda step: (".fkvi".index(step[0]), step))


def test_path_text() -> None:
    path = ("f:spec", "f:ports", 'k:{"protocol":"TCP","containerPort":80}', "f:name", 'v:"x"', "i:3")
    assert fieldset.path_text(path) == '.spec.ports[containerPort=80,protocol="TCP"].name[="x"][3]'


@pytest.mark.parametrize("fields", [[], {"x": {}}, {"k:1": {}}, {"v:": {}}, {"i:x": {}}, {"f:a": 1}])
def test_check(fields: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        fieldset.check(fields)
    fieldset.check({"f:a": {".": {}, 'k:{"n":1}': {}}})
