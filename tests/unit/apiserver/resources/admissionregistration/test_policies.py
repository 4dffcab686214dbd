from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources.admissionregistration import (
    mutatingadmissionpolicies,
    validatingadmissionpolicies,
    validatingadmissionpolicybindings,
)

RULE = {"operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
MATCH = {"resourceRules": [RULE]}


def validating(**spec: Any) -> list[str]:
    base = {"matchConstraints": MATCH, "validations": [{"expression": "true"}]}
    tree = {"metadata": {"name": "p"}, "spec": base | spec}
    policy = codecs.from_tree(admissionregistration_v1.ValidatingAdmissionPolicy, tree)
    validatingadmissionpolicies.default(policy)
    return [str(problem) for problem in validatingadmissionpolicies.validate(policy)]


def mutating(**spec: Any) -> list[str]:
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}
    base = {"matchConstraints": MATCH, "mutations": [mutation], "reinvocationPolicy": "Never"}
    tree = {"metadata": {"name": "p"}, "spec": base | spec}
    policy = codecs.from_tree(admissionregistration_v1.MutatingAdmissionPolicy, tree)
    mutatingadmissionpolicies.default(policy)
    return [str(problem) for problem in mutatingadmissionpolicies.validate(policy)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"matchConstraints": None}, ["spec.matchConstraints: Required value"]),
        (
            {"validations": []},
            [
                "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
                "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
            ],
        ),
        (
            {"validations": [{"expression": "true", "message": "a\nb", "reason": "Gone"}]},
            [
                'spec.validations[0].message: Invalid value: "a\\nb": must not contain line breaks',
                (
                    'spec.validations[0].reason: Unsupported value: "Gone": supported values: "Forbidden", "Invalid", '
                    '"RequestEntityTooLarge"'
                ),
            ],
        ),
        (
            {"variables": [{"name": "in", "expression": "1"}]},
            ['spec.variables[0].name: Invalid value: "in": must be a valid CEL identifier'],
        ),
        (
            {"paramKind": {"apiVersion": "a/b/c", "kind": "K"}},
            ['spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
        ),
    ],
)
def test_validating_policies(spec: dict[str, Any], expected: list[str]) -> None:
    assert validating(**spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            {"matchConstraints": {"resourceRules": [RULE | {"operations": ["DELETE"]}]}},
            [
                (
                    'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": '
                    'supported values: "*", '
                    '"CONNECT", "CREATE", "UPDATE"'
                )
            ],
        ),
        (
            {"mutations": [{"patchType": "ApplyConfiguration", "jsonPatch": {"expression": "[]"}}]},
            [
                (
                    "spec.mutations[0].applyConfiguration: Required value: must be specified when patchType is "
                    "ApplyConfiguration"
                ),
                (
                    'spec.mutations[0].jsonPatch: Invalid value: "{jsonPatch}": must not be '
                    "specified when patchType is "
                    "ApplyConfiguration"
                ),
            ],
        ),
    ],
)
def test_mutating_policies(spec: dict[str, Any], expected: list[str]) -> None:
    assert mutating(**spec) == expected


def test_bindings() -> None:
    tree = {"spec": {"policyName": "p", "validationActions": ["Deny", "Warn"], "paramRef": {"name": "n"}}}
    binding = codecs.from_tree(admissionregistration_v1.ValidatingAdmissionPolicyBinding, tree)
    assert [str(problem) for problem in validatingadmissionpolicybindings.validate(binding)] == [
        "spec.paramRef.parameterNotFoundAction: Required value",
        (
            'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating '
            "the same validation failure information in the API response and headers serves no purpose)"
        ),
    ]
    assert list(validatingadmissionpolicybindings.row(binding, 0.0))[2] == "*/n"
