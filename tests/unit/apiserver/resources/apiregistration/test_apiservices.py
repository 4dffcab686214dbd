from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import apiregistration_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.resources import kind
from pybernetes.apiserver.resources.apiregistration import apiservices, local


def service(name: str = "v1.example.com", **spec: Any) -> apiregistration_v1.APIService:
    base = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}
    tree = {"metadata": {"name": name}, "spec": base | spec}
    made = codecs.from_tree(apiregistration_v1.APIService, tree)
    apiservices.default(made)
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (service(), []),
        (
            service("other"),
            [
                'metadata.name: Invalid value: "other": must be `spec.version+"."+spec.group`: "v1.example.com"',
            ],
        ),
        (
            service(versionPriority=1001),
            ["spec.versionPriority: Invalid value: 1001: must be positive and less than 1000"],
        ),
        (
            service(caBundle="YWJj"),
            ['spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle'],
        ),
        (service(service={"name": "s"}), ["spec.service.namespace: Required value"]),
        (
            service(service={"name": "s", "namespace": "n"}, caBundle="YWJj", insecureSkipTLSVerify=True),
            ["spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present"],
        ),
    ],
)
def test_validation(made: apiregistration_v1.APIService, expected: list[str]) -> None:
    assert [str(problem) for problem in apiservices.validate(made)] == expected


def test_local_ones_are_available_at_once() -> None:
    (made,) = local.services([("apps", "v1"), ("apps", "v1")])
    apiservices.stamp(made, None, "", kind.Writing(requests.User("x"), "2026-01-01T00:00:00Z"))
    assert apiservices.validate(made) == []
    assert list(apiservices.row(made, 0.0))[:3] == ["v1.apps", "Local", "True"]
    assert (made.spec.groupPriorityMinimum, made.spec.versionPriority) == (17800, 15)
