"""Rules in schemas, asked of whole objects."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import fields
from pybernetes.apiserver.extensions.custom import rules
from pybernetes.apiserver.extensions.custom import schema as schemas
from pybernetes.apiserver.resources.apiextensions import expressions

VALIDATIONS = "x-kubernetes-validations"


def schema(**spec: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": spec}}


def check(tree: dict[str, Any], new: Any, old: Any = None) -> list[str]:
    whole = {"apiVersion": "v1", "kind": "T", "metadata": {"name": "t"}}
    before = None if old is None else {**whole, "spec": old}
    return [str(problem) for problem in rules.check({**whole, "spec": new}, before, schemas.Schema(tree))]


INT = {"type": "integer"}
ONCE = "oldSelf.hasValue() ? oldSelf.value() == self : self > 0"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"rule": "self.a < self.b"}, "spec: Invalid value: failed rule: self.a < self.b"),
        ({"rule": "self.a < self.b", "message": " a first "}, "spec: Invalid value: a first"),
        (
            {"rule": "self.a < self.b", "messageExpression": "'a is %d'.format([self.a])"},
            "spec: Invalid value: a is 5",
        ),
        (
            {"rule": "self.a < self.b", "messageExpression": "''", "message": "m"},
            "spec: Invalid value: m",
        ),
        (
            {"rule": "self.a < self.b", "fieldPath": ".b", "reason": "FieldValueForbidden", "message": "m"},
            "spec.b: Forbidden: m",
        ),
        ({"rule": "self.a < self.b", "reason": "FieldValueRequired", "message": "m"}, "spec: Required value: m"),
        ({"rule": "self.c == 1"}, 'spec: Invalid value: "object": no such key: c evaluating rule: self.c == 1'),
    ],
)
def test_words(rule: dict[str, Any], expected: str) -> None:
    tree = schema(type="object", properties={"a": INT, "b": INT, "c": INT}, **{VALIDATIONS: [rule]})
    assert check(tree, {"a": 1, "b": 2, "c": 1}) == []
    assert check(tree, {"a": 5, "b": 2}) == [expected]


def test_values_and_places() -> None:
    small = {"type": "integer", VALIDATIONS: [{"rule": "self < 10"}]}
    tree = schema(
        type="object",
        properties={
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": small}}},
            "map": {"type": "object", "additionalProperties": small},
        },
    )
    assert check(tree, {"list": [{"n": 1}, {"n": 11}, {}, {"n": None}], "map": {"a.b": 12}}) == [
        "spec.list[1].n: Invalid value: 11: failed rule: self < 10",
        "spec.map[a.b]: Invalid value: 12: failed rule: self < 10",
    ]


def test_rules_at_the_root_and_in_all_of() -> None:
    tree: dict[str, Any] = {
        "type": "object",
        VALIDATIONS: [{"rule": "self.metadata.name != 't'"}],
        "properties": {"spec": {"type": "object", "properties": {"n": INT}}},
        "allOf": [{"properties": {"spec": {"properties": {"n": {VALIDATIONS: [{"rule": "self > 1"}]}}}}}],
    }
    assert check(tree, {"n": 1}) == [
        "<nil>: Invalid value: failed rule: self.metadata.name != 't'",
        "spec.n: Invalid value: 1: failed rule: self > 1",
    ]


def test_what_has_changed() -> None:
    tree = schema(
        type="object",
        properties={
            "n": {"type": "integer", VALIDATIONS: [{"rule": "self > oldSelf"}]},
            "once": {
                "type": "integer",
                VALIDATIONS: [
                    {"rule": "oldSelf.hasValue() ? oldSelf.value() == self : self > 0", "optionalOldSelf": True}
                ],
            },
        },
    )
    assert check(tree, {"n": 1}) == []
    assert check(tree, {"n": 1}, {"n": 2}) == ["spec.n: Invalid value: 1: failed rule: self > oldSelf"]
    assert check(tree, {"n": 1}, {}) == []
    assert len(check(tree, {"once": 0})) == 1
    assert check(tree, {"once": 1}) == []
    assert len(check(tree, {"once": 2}, {"once": 1})) == 1


def test_the_unchanged_may_stay_wrong() -> None:
    element = {
        "type": "object",
        "properties": {"k": {"type": "string"}, "n": {"type": "integer", VALIDATIONS: [{"rule": "self < 10"}]}},
    }
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    tree = schema(type="array", items=element, **keyed)
    wrong = [{"k": "a", "n": 11}]
    assert len(check(tree, wrong)) == 1
    assert check(tree, wrong, wrong) == []
    assert check(tree, [{"k": "b", "n": 1}, *wrong], wrong) == []
    assert len(check(tree, [{"k": "a", "n": 12}], wrong)) == 1
    # Elements of other lists have no past, unless nothing in the list has changed.
    plain = schema(type="array", items=element)
    assert check(plain, wrong, wrong) == []
    assert len(check(plain, [*wrong, {"k": "b", "n": 1}], wrong)) == 1


def test_no_more_rules_after_one_that_takes_too_long() -> None:
    tree = schema(
        type="array",
        items=INT,
        **{VALIDATIONS: [{"rule": "self.all(x, self.all(y, x == y))"}, {"rule": "false"}]},
    )
    (problem,) = check(tree, [1] * 725)
    assert "no further validation rules will be run due to call cost exceeds limit for rule: self.all" in problem


def accepted(tree: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in expressions.validate(tree, fields.Path("schema"))]


@pytest.mark.parametrize(
    ("spec", "place", "words"),
    [
        ({VALIDATIONS: [{"rule": "self.z == 1"}]}, "[0].rule: Invalid value", "undefined field 'z'"),
        ({VALIDATIONS: [{"rule": "self = 42"}]}, "[0].rule: Invalid value", "compilation failed: ERROR: <input>:1:6"),
        ({VALIDATIONS: [{"rule": "1"}]}, "[0].rule: Invalid value", "cel expression must evaluate to a bool"),
        (
            {VALIDATIONS: [{"rule": "true", "messageExpression": "1"}]},
            "[0].messageExpression: Invalid value",
            "messageExpression must evaluate to a string",
        ),
        (
            {VALIDATIONS: [{"rule": "true", "optionalOldSelf": True}]},
            "[0].optionalOldSelf: Invalid value: true",
            "may not be set if oldSelf is not used in rule",
        ),
    ],
)
def test_what_is_refused(spec: dict[str, Any], place: str, words: str) -> None:
    (problem,) = accepted(schema(type="object", properties={"x": INT}, **spec))
    assert problem.startswith(f"schema.properties[spec].{VALIDATIONS}{place}")
    assert words in problem


def test_what_costs_too_much_is_refused() -> None:
    inner = {"type": "array", "items": {"type": "string"}, VALIDATIONS: [{"rule": "self.all(s, s == 'constant')"}]}
    tree = schema(type="array", items=inner)
    rule, total = accepted(tree)[0], accepted(tree)[-1]
    assert "Forbidden: estimated rule cost exceeds budget by factor of more than 100x" in rule
    assert total.startswith("schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire")
    bounded = {**inner, "maxItems": 100, "items": {"type": "string", "maxLength": 10}}
    assert accepted(schema(type="array", items=bounded, maxItems=100)) == []


def test_old_values_need_a_past() -> None:
    rule = {VALIDATIONS: [{"rule": "self == oldSelf"}]}
    items = {"type": "string", "maxLength": 5, **rule}
    (problem,) = accepted(schema(type="array", maxItems=5, items=items))
    assert (
        "oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[spec]" in problem
    )
