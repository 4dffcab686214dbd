from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.resources.flowcontrol import flowschemas, mandatory, prioritylevelconfigurations

RULE = {
    "subjects": [{"kind": "User", "user": {"name": "u"}}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}


def schema(name: str = "s", **spec: Any) -> flowcontrol_v1.FlowSchema:
    base = {"priorityLevelConfiguration": {"name": "p"}, "matchingPrecedence": 50, "rules": [RULE]}
    return codecs.from_tree(flowcontrol_v1.FlowSchema, {"metadata": {"name": name}, "spec": base | spec})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            {"matchingPrecedence": 1},
            ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"],
        ),
        (
            {"priorityLevelConfiguration": {"name": ""}},
            ["spec.priorityLevelConfiguration.name: Required value: must reference a priority level"],
        ),
        (
            {"rules": [{"subjects": []}]},
            [
                "spec.rules[0].subjects: Required value: subjects must contain at least one value",
                "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
            ],
        ),
        (
            {"rules": [RULE | {"subjects": [{"kind": "User", "group": {"name": "g"}}]}]},
            [
                "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
                "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
            ],
        ),
        (
            {"rules": [RULE | {"nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/a*"]}]}]},
            [
                (
                    'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*": wildcard can only do '
                    "suffix matching"
                )
            ],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert [str(problem) for problem in flowschemas.validate(schema(**spec))] == expected


def test_what_every_cluster_has_is_valid() -> None:
    for built_in in mandatory.flow_schemas():
        assert flowschemas.validate(built_in) == []
    for level in mandatory.priority_levels():
        assert prioritylevelconfigurations.validate(level) == []


def test_the_mandatory_stay_as_they_are() -> None:
    (problem,) = flowschemas.validate(schema("catch-all"))
    assert problem.message.endswith("spec of 'catch-all' must equal the fixed value")
