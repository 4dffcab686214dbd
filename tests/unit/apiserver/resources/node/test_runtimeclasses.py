from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import node_v1
from pybernetes.apiserver.resources.node import runtimeclasses


def runtime_class(**more: Any) -> node_v1.RuntimeClass:
    return codecs.from_tree(node_v1.RuntimeClass, {"metadata": {"name": "r"}, **more})


TOLERATION = {"key": "k", "operator": "Exists"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"handler": "runc"}, []),
        ({}, ["handler: Required value"]),
        ({"handler": "a.b"}, ['handler: Invalid value: "a.b": must not contain dots']),
        (
            {"handler": "runc", "scheduling": {"tolerations": [TOLERATION, TOLERATION]}},
            ['scheduling.tolerations[1]: Duplicate value: {"key":"k","operator":"Exists"}'],
        ),
    ],
)
def test_validation(given: dict[str, Any], expected: list[str]) -> None:
    assert [str(problem) for problem in runtimeclasses.validate(runtime_class(**given))] == expected


def test_the_handler_is_for_life() -> None:
    problems = runtimeclasses.validate_update(runtime_class(handler="b"), runtime_class(handler="a"))
    assert [str(problem) for problem in problems] == ['handler: Invalid value: "b": field is immutable']
