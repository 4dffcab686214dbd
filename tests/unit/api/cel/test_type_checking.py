from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.cel import type_checking
from pybernetes.api.types import admissionregistration_v1

INTEGER = {"type": "integer"}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
DEPLOYMENT = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "properties": {"labels": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
        "spec": {"type": "object", "properties": {"replicas": INTEGER}},
    },
}
KINDS = [("apps/v1, Kind=Deployment", DEPLOYMENT)]


def policy(**spec: Any) -> admissionregistration_v1.ValidatingAdmissionPolicy:
    return codecs.from_tree(admissionregistration_v1.ValidatingAdmissionPolicy, {"spec": spec})


def test_what_is_right_is_not_warned_of() -> None:
    one = policy(
        variables=[{"name": "many", "expression": "object.spec.replicas > 1"}],
        validations=[{"expression": "variables.many && object.metadata.labels['a'] == 'b'"}],
    )
    assert type_checking.warnings(one, KINDS) == []


def test_what_is_wrong_says_where() -> None:
    one = policy(
        validations=[
            {"expression": "true"},
            {"expression": "object.spec.replicas == 'x'", "messageExpression": "object.spec.none"},
        ]
    )
    found = type_checking.warnings(one, KINDS)
    assert [warning.fieldRef for warning in found] == [
        "spec.validations[1].expression",
        "spec.validations[1].messageExpression",
    ]
    assert found[0].warning.startswith(
        "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_==_' applied to '(int, string"
    )
    assert "undefined field 'none'" in found[1].warning


def test_params() -> None:
    schema = {"type": "object", "properties": {"most": INTEGER}}
    kind = {"apiVersion": "example.com/v1", "kind": "Limit"}
    one = policy(paramKind=kind, validations=[{"expression": "object.spec.replicas <= params.most.x"}])
    (found,) = type_checking.warnings(one, KINDS, params=schema)
    assert "expression of type 'int' cannot be the operand" in found.warning


def test_a_variable_that_is_wrong_does_not_make_its_users_so() -> None:
    one = policy(
        variables=[{"name": "v", "expression": "object.none"}], validations=[{"expression": "variables.v == 1"}]
    )
    assert type_checking.warnings(one, KINDS) == []
