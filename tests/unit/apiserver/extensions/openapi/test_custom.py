"""Schemas of custom kinds in both forms: version 2 leaves out what it cannot say, or what kubectl cannot take."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.apiserver.extensions.openapi import custom

GVK = ("stable.example.com", "v1", "CronTab")
PRESERVE = "x-kubernetes-preserve-unknown-fields"


def field(schema: dict[str, Any], version: int) -> Any:
    made = custom.definition({"type": "object", "properties": {"f": schema}}, GVK, version)
    return made["properties"]["f"]


def test_names_are_reversed_domains() -> None:
    assert custom.name_of(*GVK) == "com.example.stable.v1.CronTab"


def test_every_object_has_a_kind_and_metadata() -> None:
    made = custom.definition({"type": "object"}, GVK, 3)
    assert set(made["properties"]) == {"apiVersion", "kind", "metadata"}
    assert made["x-kubernetes-group-version-kind"] == [
        {"group": "stable.example.com", "kind": "CronTab", "version": "v1"}
    ]


@pytest.mark.parametrize(("schema", "version"), [({}, 2), ({}, 3), ({"type": "object", PRESERVE: True}, 2)])
def test_without_a_schema_nothing_is_said_of_fields(schema: dict[str, Any], version: int) -> None:
    assert "properties" not in custom.definition(schema, GVK, version)


@pytest.mark.parametrize(
    ("schema", "in_2"),
    [
        ({"type": "string", "nullable": True}, {}),
        ({"type": "object", PRESERVE: True, "properties": {"a": {}}}, {PRESERVE: True}),
        ({"type": "array", "nullable": True, "items": {"type": "string"}}, {}),
        ({"type": "string", "anyOf": [{"pattern": "a"}], "not": {"pattern": "b"}}, {"type": "string"}),
        ({"x-kubernetes-int-or-string": True}, {"x-kubernetes-int-or-string": True}),
        (
            {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string", "nullable": True}}},
            {"type": "object", "required": ["b"], "properties": {"a": {}}},
        ),
    ],
)
def test_what_version_2_makes_of_it(schema: dict[str, Any], in_2: dict[str, Any]) -> None:
    before = str(schema)
    assert field(schema, 2) == in_2
    assert str(schema) == before


def test_integers_or_strings_are_spelled_out() -> None:
    either = [{"type": "integer"}, {"type": "string"}]
    known = {"x-kubernetes-int-or-string": True}
    assert field(known, 3) == known | {"anyOf": either}
    assert field(known | {"anyOf": either}, 3) == known | {"anyOf": either}
    more = field(known | {"anyOf": [{"pattern": "a"}]}, 3)
    assert more == known | {"anyOf": [{"pattern": "a"}], "allOf": [{"anyOf": either}]}


def test_objects_within_have_metadata_of_their_own() -> None:
    made = field({"type": "object", "x-kubernetes-embedded-resource": True}, 3)
    assert set(made["properties"]) == {"apiVersion", "kind", "metadata"}
    assert made["required"] == ["kind", "apiVersion"]


def test_lists() -> None:
    made = custom.list_definition(GVK, "crontabs", 2, ("spec.color",))
    assert made["properties"]["items"]["items"] == {"$ref": "#/definitions/com.example.stable.v1.CronTab"}
    assert made["required"] == ["items"]
    assert made["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.color"}]
