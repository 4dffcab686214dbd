from __future__ import annotations

import pytest

from pybernetes.api import scheme
from pybernetes.apiserver.extensions.openapi import _definitions, descriptions, schemas
from pybernetes.apiserver.resources import runtime_config

POD = "io.k8s.api.core.v1.Pod"
SPEC = "io.k8s.api.core.v1.PodSpec"
PORT = "io.k8s.api.core.v1.ContainerPort"


def test_every_type_has_a_definition() -> None:
    for resource in scheme.resources():
        # What only manifests of 2017 are written in has no published schema.
        legacy = (resource.group, resource.version) in runtime_config.LEGACY
        if resource.type_name and not legacy:
            assert schemas.known(schemas.name_of(resource.type_name)), resource.type_name


@pytest.mark.parametrize("version", [2, 3])
def test_every_definition_can_be_made(version: int) -> None:
    for short in _definitions.DEFINITIONS:
        assert schemas.encoded(schemas.PREFIX + short, version)


def test_a_reference_with_a_default() -> None:
    spec = schemas.definition(POD, 3)["properties"]["spec"]
    assert (spec["allOf"], spec["default"]) == ([{"$ref": f"#/components/schemas/{SPEC}"}], {})
    spec = schemas.definition(POD, 2)["properties"]["spec"]
    assert spec["$ref"] == f"#/definitions/{SPEC}"
    assert "default" not in spec


def test_scalars() -> None:
    made = schemas.definition(PORT, 3)
    assert made["required"] == ["containerPort"]
    port, protocol = made["properties"]["containerPort"], made["properties"]["protocol"]
    assert (port["type"], port["format"], port["default"]) == ("integer", "int32", 0)
    assert protocol["default"] == "TCP"


def test_how_lists_merge() -> None:
    made = schemas.definition("io.k8s.api.core.v1.Container", 2)["properties"]["ports"]
    assert made["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert (made["x-kubernetes-patch-strategy"], made["x-kubernetes-patch-merge-key"]) == ("merge", "containerPort")


def test_what_is_spelled_in_two_ways() -> None:
    name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert schemas.definition(name, 3)["oneOf"] == [{"type": "integer"}, {"type": "string"}]
    made = schemas.definition(name, 2)
    assert (made["type"], made["format"]) == ("string", "int-or-string")


def test_closure() -> None:
    found = schemas.closure([POD])
    assert {POD, SPEC, PORT, "io.k8s.apimachinery.pkg.apis.meta.v1.Time"} <= found
    assert "io.k8s.api.core.v1.Service" not in found


def test_fields_have_descriptions() -> None:
    texts = descriptions.of(SPEC)
    assert texts.whole == "PodSpec is a description of a pod."
    assert texts.fields["os"].count("\n\n") == 2
    assert descriptions.of("com.example.v1.Thing") == descriptions.Texts("", {})


@pytest.mark.parametrize(
    ("wrapped", "flowing"),
    [
        ("one line", "one line"),
        ("a" * 70 + "\n" + "b" * 20, "a" * 70 + " " + "b" * 20),
        ("Ends here.\nBegins anew.", "Ends here.\n\nBegins anew."),
    ],
)
def test_paragraphs(wrapped: str, flowing: str) -> None:
    assert descriptions.flowing(wrapped) == flowing
