"""Pruning, defaulting, validation and list types, as functions of trees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import fields, shape
from pybernetes.api.apply import walk
from pybernetes.apiserver.extensions.custom import (
    defaulting,
    embedded,
    formats,
    forms,
    jsonpath,
    listtypes,
    patterns,
    pruning,
    validation,
)
from pybernetes.apiserver.extensions.custom import schema as schemas

NAMES = st.sampled_from(["a", "b", "c", "metadata"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", "x", "yy"]))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=9,
)
SCHEMAS = st.recursive(
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")}, optional={"default": st.just("x"), "nullable": st.booleans()}
        ),
        st.fixed_dictionaries({"type": st.just("integer")}, optional={"default": st.integers(0, 3)}),
        st.just({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda more: {"type": "object", "additionalProperties": more}, inner),
        st.builds(lambda p: {"type": "object", "properties": p}, st.dictionaries(NAMES, inner, max_size=3)),
    ),
    max_leaves=6,
)


def errors(value: Any, tree: dict[str, Any], old: Any = None) -> list[str]:
    schema = schemas.Schema(tree)
    past = None if old is None else validation.Old(old, schema)
    return [str(error) for error in validation.validate(value, schema, old=past)]


def spec(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


class TestPruning:
    @given(SCHEMAS, TREES)
    def test_is_idempotent(self, tree: dict[str, Any], value: Any) -> None:
        schema = schemas.Schema(tree)
        once = pruning.pruned(value, schema)
        assert pruning.pruned(once, schema) == once

    @given(SCHEMAS, TREES)
    def test_of_what_was_pruned_nothing_is_unknown(self, tree: dict[str, Any], value: Any) -> None:
        schema = schemas.Schema(tree)
        found = pruning.Unknown()
        pruning.pruned(pruning.pruned(value, schema), schema, unknown=found)
        assert found.paths() == []

    def test_names_what_it_leaves_out(self) -> None:
        form = forms.SchemaForm(spec(a={"type": "array", "items": {"type": "object", "properties": {"k": {}}}}))
        document = {"metadata": {"who": 1, "name": "x"}, "spec": {"z": 1, "a": [{"k": 1}, {"q": 2}]}}
        assert form.unknown(document) == ["metadata.who", "spec.a[1].q", "spec.z"]

    def test_keeps_unknown_fields_where_told_but_not_below_known_ones(self) -> None:
        tree = spec(known={"type": "object", "properties": {"a": {"type": "string"}}})
        tree["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] = True
        value = {"spec": {"free": {"x": 1}, "known": {"a": "1", "b": "2"}}}
        assert forms.SchemaForm(tree).settled(value) == {"spec": {"free": {"x": 1}, "known": {"a": "1"}}}

    def test_drops_nulls_that_are_not_allowed(self) -> None:
        form = forms.SchemaForm(spec(a={"type": "string"}, b={"type": "string", "nullable": True}))
        assert form.settled({"spec": {"a": None, "b": None}}) == {"spec": {"b": None}}

    def test_reads_embedded_metadata(self) -> None:
        inner = {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        }
        form = forms.SchemaForm(spec(template=inner))
        template = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "odd": 1}, "spec": {"any": 1}}
        assert form.unknown({"spec": {"template": template}}) == ["spec.template.metadata.odd"]
        settled = form.settled({"spec": {"template": template}})["spec"]["template"]
        assert settled == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"any": 1}}
        with pytest.raises(ValueError, match=r"spec\.template\.kind: Invalid value: 1: must be a string"):
            form.settled({"spec": {"template": {**template, "kind": 1}}})


class TestDefaulting:
    @given(SCHEMAS, TREES)
    def test_is_idempotent_and_settled_values_stay(self, tree: dict[str, Any], value: Any) -> None:
        schema = schemas.Schema(tree)
        once = pruning.pruned(defaulting.copied(value), schema)
        defaulting.default(once, schema)
        again = pruning.pruned(defaulting.copied(once), schema)
        defaulting.default(again, schema)
        assert again == once

    def test_fills_in_nested_defaults_and_forbidden_nulls(self) -> None:
        tree = spec(
            a={"type": "string", "default": "x"},
            o={"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 3}}},
        )
        assert forms.SchemaForm(tree).settled({"spec": {"a": None}}) == {"spec": {"a": "x", "o": {"n": 3}}}
        assert forms.SchemaForm(tree).settled({}) == {}

    def test_defaults_are_not_shared(self) -> None:
        form = forms.SchemaForm(
            {"properties": {"o": {"type": "object", "default": {"k": "v"}, "additionalProperties": {}}}}
        )
        form.settled({})["o"]["k"] = "changed"
        assert form.settled({}) == {"o": {"k": "v"}}


class TestValidation:
    @pytest.mark.parametrize(
        ("schema", "value", "expected"),
        [
            (
                {"type": "integer"},
                "x",
                'spec.f: Invalid value: "string": spec.f in body must be of type integer: "string"',
            ),
            ({"type": "string"}, None, 'spec.f: Invalid value: "null": spec.f in body must be of type string: "null"'),
            (
                {"x-kubernetes-int-or-string": True},
                True,
                'spec.f: Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"',
            ),
            ({"type": "string", "maxLength": 2}, "xyz", "spec.f: Too long: may not be more than 2 bytes"),
            (
                {"type": "string", "minLength": 2},
                "x",
                'spec.f: Invalid value: "x": spec.f in body should be at least 2 chars long',
            ),
            (
                {"type": "string", "pattern": "^a$"},
                "b",
                "spec.f: Invalid value: \"b\": spec.f in body should match '^a$'",
            ),
            ({"type": "string", "enum": ["b", "a"]}, "c", 'spec.f: Unsupported value: "c": supported values: "b", "a"'),
            (
                {"type": "integer", "minimum": 1},
                0,
                "spec.f: Invalid value: 0: spec.f in body should be greater than or equal to 1",
            ),
            (
                {"type": "number", "maximum": 1.5, "exclusiveMaximum": True},
                1.5,
                "spec.f: Invalid value: 1.5: spec.f in body should be less than 1.5",
            ),
            (
                {"type": "integer", "multipleOf": 2},
                3,
                "spec.f: Invalid value: 3: spec.f in body should be a multiple of 2",
            ),
            ({"type": "array", "maxItems": 1}, [1, 2], "spec.f: Too many: 2: must have at most 1 items"),
            (
                {"type": "array", "minItems": 1},
                [],
                "spec.f: Invalid value: 0: spec.f in body should have at least 1 items",
            ),
            ({"type": "object", "maxProperties": 0}, {"a": 1}, "spec.f: Too many: 1: must have at most 0 items"),
            ({"type": "object", "required": ["a"]}, {}, "spec.f.a: Required value"),
            (
                {"type": "string", "format": "date"},
                "soon",
                'spec.f: Invalid value: "soon": spec.f in body must be of type date: "soon"',
            ),
            (
                {"type": "integer", "format": "int32"},
                2**31,
                '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.f',
            ),
            (
                {"type": "object", "not": {"required": ["a"]}},
                {"a": 1},
                '<nil>: Invalid value: "": "spec.f" must not validate the schema (not)',
            ),
        ],
    )
    def test_words(self, schema: dict[str, Any], value: Any, expected: str) -> None:
        assert errors({"spec": {"f": value}}, spec(f=schema)) == [expected]

    def test_alternatives_tell_which_came_closest(self) -> None:
        schema = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
        assert errors({"spec": {"f": {}}}, spec(f=schema)) == [
            '<nil>: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). Found none valid',
            "spec.f.a: Required value",
        ]
        both = errors({"spec": {"f": {"a": 1, "b": 1}}}, spec(f=schema))
        assert both[0].endswith("(oneOf). Found 2 valid alternatives")
        assert errors({"spec": {"f": {"b": 1}}}, spec(f=schema)) == []

    def test_whole_floats_are_integers(self) -> None:
        assert errors({"spec": {"f": 2.0}}, spec(f={"type": "integer"})) == []
        assert len(errors({"spec": {"f": 2.5}}, spec(f={"type": "integer"}))) == 1

    def test_what_an_update_leaves_alone_may_be_wrong(self) -> None:
        schema = spec(
            f={"type": "integer", "maximum": 1},
            g={"type": "string"},
            l={
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "v": {"type": "integer", "maximum": 1}},
                },
            },
            atomic={"type": "array", "items": {"type": "integer", "maximum": 1}},
        )
        old = {"spec": {"f": 9, "l": [{"k": "a", "v": 9}], "atomic": [9]}}
        kept = {"spec": {"f": 9, "g": "new", "l": [{"k": "b", "v": 1}, {"k": "a", "v": 9}], "atomic": [9]}}
        assert errors(kept, schema, old) == []
        moved = errors({"spec": {"f": 8, "l": [{"k": "a", "v": 8}], "atomic": [9, 1]}}, schema, old)
        assert [text.partition(":")[0] for text in moved] == ["spec.f", "spec.l[0].v", "spec.atomic[0]"]

    def test_status_is_named_by_its_field(self) -> None:
        found = validation.validate(
            {"n": "x"}, schemas.Schema({"properties": {"n": {"type": "integer"}}}), under="status"
        )
        assert str(found[0]) == 'status.n: Invalid value: "string": n in body must be of type integer: "string"'


class TestLists:
    def test_sets_and_maps_hold_nothing_twice(self) -> None:
        keyed = {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object"},
        }
        schema = schemas.Schema(spec(s={"type": "array", "x-kubernetes-list-type": "set", "items": {}}, m=keyed))
        value = {"spec": {"s": [1, 2, 1, 1], "m": [{"k": "a"}, {"k": "a", "v": 1}, {}]}}
        assert [str(error) for error in listtypes.validate(value, schema, fields.Path())] == [
            "spec.s[2]: Duplicate value: 1",
            'spec.m[1]: Duplicate value: {"k":"a"}',
        ]

    def test_shape_follows_list_types(self) -> None:
        keyed = {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name", "protocol"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "protocol": {"type": "string", "default": "SCTP"}},
            },
        }
        of = forms.SchemaForm(spec(m=keyed, a={"type": "array", "items": {"type": "string"}})).shape()
        inner = of.fields["spec"].fields
        assert (inner["m"].kind, inner["a"].kind, of.fields["metadata"].kind) == (shape.KEYED, shape.LEAF, shape.STRUCT)
        assert walk.key_of({"name": "x"}, inner["m"]) == 'k:{"name":"x","protocol":"SCTP"}'


def test_embedded_resources_say_what_they_are() -> None:
    schema = schemas.Schema({"properties": {"t": {"type": "object", "x-kubernetes-embedded-resource": True}}})
    found = embedded.validate({"t": {"kind": "", "metadata": {"namespace": "B_"}}}, schema, fields.Path())
    assert [error.field for error in found] == ["t.apiVersion", "t.kind", "t.metadata.namespace"]


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a+$", "aaa", True),
        ("^a+$", "aaa\n", False),
        ("^(a+)+$", "a" * 64 + "b", False),
        ("^(a|aa)*$", "a" * 99, True),
        ("b", "abc", True),
        (r"^\d{3}$", "12٣", False),
        ("^[[:alpha:]]+$", "abc", True),
        (r"^foo\z", "foo", True),
        ("(?i)ABC", "xabcx", True),
        ("^(foo|bar){2}$", "foobar", True),
        (r"^[a-z]([-a-z0-9]*[a-z0-9])?(\.[a-z]([-a-z0-9]*[a-z0-9])?)*$", "a-b.c", True),
    ],
)
def test_patterns_are_gos(pattern: str, text: str, matches: bool) -> None:
    assert patterns.compiled(pattern)(text) is matches


@pytest.mark.parametrize("pattern", ["(?!a)", "(?=a)", "a++", "[a", "(a", r"\1", "*a", "(?P=x)"])
def test_what_go_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(patterns.PatternError, match="error parsing regexp: "):
        patterns.compiled(pattern)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("datetime", "2026-01-02T03:04:05Z", "2026-13-02T03:04:05Z"),
        ("date", "2026-02-28", "2026-02-30"),
        ("duration", "1h30m", "soon"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/99"),
        ("hostname", "a.example.com", "-a"),
        ("uri", "https://x/y", "x y"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("byte", "aGk=", "a"),
        ("email", "a@b.c", "a"),
        ("isbn13", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("mac", "01:23:45:67:89:ab", "01:23"),
        ("k8sshortname", "a-b", "A"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    assert formats.CHECKS[name](good)
    assert not formats.CHECKS[name](bad)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".a.b", [1]),
        (".l[0].n", ["x"]),
        (".l[-1].n", ["y"]),
        (".l[*].n", ["x", "y"]),
        ('.l[?(@.n=="y")].v', [2]),
        (".l[?(@.v>1)].n", ["y"]),
        (r".m.dotted\.name", ["d"]),
        (".m['dotted.name']", ["d"]),
        (".nothing.here", []),
        ("..v", [1, 2]),
    ],
)
def test_json_paths(path: str, expected: list[Any]) -> None:
    tree = {"a": {"b": 1}, "l": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "m": {"dotted.name": "d"}}
    assert jsonpath.compiled(path)(tree) == expected
