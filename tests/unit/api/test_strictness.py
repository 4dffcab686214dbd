import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import strictness
from pybernetes.api.types import core_v1


def test_unknown_fields_are_found_with_their_paths():
    tree = {"spec": {"containers": [{"name": "a", "imagge": "x"}], "nodeSelector": {"any": "key"}}, "extra": 1}
    assert strictness.unknown_fields(core_v1.Pod, tree) == ["spec.containers[0].imagge", "extra"]


def test_opaque_parts_may_hold_anything():
    assert strictness.unknown_fields(core_v1.ConfigMap, {"data": {"free": "x"}}) == []


def test_duplicate_fields_are_found_once_with_their_paths():
    document = b'{"a":1,"b":[{"c":1,"c":2,"c":3},{"c":1}],"a":2}'
    assert strictness.duplicates(document, is_yaml=False) == [
        'duplicate field "b[0].c"',
        'duplicate field "a"',
    ]


def test_what_is_no_json_has_no_duplicates():
    assert strictness.duplicates(b"a: 1", is_yaml=False) == []


TEXTS = st.text('a:"\\\u2028', max_size=2)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS


class Members(list[tuple[str, Any]]):
    """An object's, of which some may repeat."""


VALUES = st.recursive(
    SCALARS,
    lambda held: st.lists(held, max_size=3) | st.lists(st.tuples(TEXTS, held), max_size=3).map(Members),
    max_leaves=12,
)


def written(value: Any, *, escaped: bool) -> str:
    if isinstance(value, Members):
        return "{" + ", ".join(f"{text(key, escaped)}: {written(held, escaped=escaped)}" for key, held in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(held, escaped=escaped) for held in value) + "]"
    return text(value, escaped) if isinstance(value, str) else json.dumps(value)


def text(value: str, escaped: bool) -> str:
    quoted = json.dumps(value)
    return quoted.replace(":", "\\u003a") if escaped else quoted


def repeats(value: Any) -> bool:
    if isinstance(value, Members):
        return len({key for key, _ in value}) < len(value) or any(repeats(held) for _, held in value)
    return isinstance(value, list) and any(map(repeats, value))


@given(VALUES, st.booleans(), st.sampled_from([0, 10_000]))
def test_duplicates_are_found_where_there_are_any(value: Any, escaped: bool, padding: int) -> None:
    document = written(value, escaped=escaped).encode() + b" " * padding
    assert bool(strictness.duplicates(document, is_yaml=False)) == repeats(value)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (b'{"a": 1, "b": {"a": 2}}', []),
        (b'{"a": 1,\n "a": 2}', ['line 2: key "a" already set in map']),
        (b"a: 1\na: 2", ['line 2: key "a" already set in map']),
    ],
)
def test_yaml_and_json_sent_as_such(document: bytes, found: list[str]) -> None:
    assert strictness.duplicates(document, is_yaml=True) == found
