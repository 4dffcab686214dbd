from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources.resource import resourceslices


def resource_slice(device: dict[str, Any] | None = None, **spec: Any) -> resource_v1.ResourceSlice:
    pool = {"name": "p", "resourceSliceCount": 1}
    base = {"driver": "d.example.com", "pool": pool, "nodeName": "n", "devices": [{"name": "dev"} | (device or {})]}
    return codecs.from_tree(resource_v1.ResourceSlice, {"metadata": {"name": "s"}, "spec": base | spec})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (resource_slice(), []),
        (
            resource_slice(allNodes=True),
            [
                (
                    'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, '
                    "`allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set"
                )
            ],
        ),
        (
            resource_slice({"attributes": {"model": {"version": "1.0"}}}),
            [
                (
                    'spec.devices[0].attributes[model].version: Invalid value: "1.0": must be a string compatible with '
                    "semver.org spec 2.0.0"
                )
            ],
        ),
        (
            resource_slice({"attributes": {"model": {}}}),
            ['spec.devices[0].attributes[model]: Invalid value: "": exactly one value must be specified'],
        ),
        (
            resource_slice({"taints": [{"key": "k", "effect": "Never"}]}),
            [
                (
                    'spec.devices[0].taints[0].effect: Unsupported value: "Never": supported values: "NoExecute", '
                    '"NoSchedule", "None"'
                )
            ],
        ),
        (
            resource_slice({"bindingConditions": ["a"]}),
            [
                (
                    "spec.devices[0].bindingFailureConditions: Invalid value: []: "
                    "bindingFailureConditions are required to "
                    "use bindingConditions"
                )
            ],
        ),
        (
            resource_slice({"capacity": {"memory": {"value": "1Gi", "requestPolicy": {}}}}),
            [
                "spec.devices[0].capacity[memory].requestPolicy: Forbidden: allowMultipleAllocations must be true",
            ],
        ),
    ],
)
def test_validation(made: resource_v1.ResourceSlice, expected: list[str]) -> None:
    assert [str(problem) for problem in resourceslices.validate(made)] == expected


def test_where_it_is_does_not_change() -> None:
    problems = resourceslices.validate_update(resource_slice(nodeName="m"), resource_slice())
    assert [str(problem) for problem in problems] == ['spec.nodeName: Invalid value: "m": field is immutable']
