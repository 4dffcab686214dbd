from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.api.patch import json_patch


@pytest.mark.parametrize(
    ("tree", "operations", "expected"),
    [
        ({}, [{"op": "add", "path": "/a", "value": 1}], {"a": 1}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": {"b/c": 1}}, [{"op": "remove", "path": "/a/b~1c"}], {"a": {}}),
        ({"a": {"~": 1}}, [{"op": "replace", "path": "/a/~0", "value": 2}], {"a": {"~": 2}}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/0", "value": 0}],
         {"a": [1], "b": [0, 1]}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
        ({}, [{"op": "test", "path": "/a", "value": None}], {}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ],
)  # fmt: skip
def test_operations(tree: Any, operations: Any, expected: Any) -> None:
    assert json_patch.apply(tree, operations) == expected


@pytest.mark.parametrize(
    ("tree", "operation", "cause"),
    [
        ({"a": 1}, {"op": "test", "path": "/a", "value": 2}, "testing value /a failed: test failed"),
        ({"a": True}, {"op": "test", "path": "/a", "value": 1}, "testing value /a failed: test failed"),
        ({}, {"op": "remove", "path": "/a"}, "error in remove for path: '/a': Unable to remove nonexistent key: a"),
        ({}, {"op": "replace", "path": "/a", "value": 1}, "doc is missing key: /a"),
        ({}, {"op": "add", "path": "/a/b", "value": 1}, 'add operation does not apply: doc is missing path: "/a/b"'),
        ({"a": []}, {"op": "add", "path": "/a/1", "value": 1}, "Unable to access invalid index: 1"),
        ({"a": [1]}, {"op": "remove", "path": "/a/01"}, "Unable to access invalid index: 01"),
        ({}, {"op": "grow", "path": "/a"}, "Unexpected kind: grow"),
        ({"a": {}}, {"op": "move", "from": "/a", "path": "/a/b"}, "cannot move into itself"),
    ],
)
def test_what_does_not_apply_is_unprocessable(tree: Any, operation: Any, cause: str) -> None:
    before = repr(tree)
    with pytest.raises(errors.StatusError) as caught:
        json_patch.apply(tree, [{"op": "add", "path": "/zzz", "value": 0}, operation])
    assert caught.value.code == 422
    assert caught.value.reason == "Invalid"
    assert caught.value.status.message == "the server rejected our request due to an error in our request"
    assert cause in str(caught.value.__cause__)
    assert repr(tree) == before


def test_what_is_no_patch() -> None:
    with pytest.raises(errors.StatusError) as caught:
        json_patch.apply({}, {"a": 1})
    assert caught.value.code == 400
    assert str(caught.value) == "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
    with pytest.raises(errors.StatusError) as caught:
        json_patch.apply({}, [{"op": "test", "path": ""}] * 10001)
    assert caught.value.code == 413
    assert str(caught.value) == "The allowed maximum operations in a JSON patch is 10000, got 10001"
