"""The life of a custom resource, as the stock kubectl sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import harness

GROUP = "e2e.example.org"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "description": "What is wanted.",
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How large it is."},
                "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "integer"}}},
    },
}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {
            "plural": "widgets",
            "singular": "widget",
            "kind": "Widget",
            "shortNames": ["wd"],
            "categories": ["toys"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ready"},
                },
                "selectableFields": [{"jsonPath": ".spec.colour"}],
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1},
                ],
            }
        ],
    },
}  # fmt: skip


def widget(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def widgets(simulated: harness.Cluster) -> Iterator[None]:
    simulated.kubectl.apply(DEFINITION)
    simulated.kubectl("wait", f"crd/widgets.{GROUP}", "--for=condition=Established", "--timeout=20s")
    yield
    simulated.kubectl("delete", "crd", f"widgets.{GROUP}", "--timeout=20s")


@pytest.fixture
def kubectl(kubectl_simulated: harness.Kubectl, widgets: None) -> harness.Kubectl:
    return kubectl_simulated


def test_it_is_served_and_explained(kubectl: harness.Kubectl) -> None:
    rows = kubectl("api-resources", f"--api-group={GROUP}", "--no-headers").split()
    assert rows == ["widgets", "wd", f"{GROUP}/v1", "true", "Widget"]
    text = kubectl("explain", "widgets.spec", "--recursive")
    assert f"GROUP:      {GROUP}" in text
    assert "What is wanted." in text
    assert "  size\t<integer> -required-" in text
    assert "ENUM:\n    red\n    blue\n" in kubectl("explain", "wd.spec.colour")
    conditions = kubectl.json("get", "crd", f"widgets.{GROUP}")["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions}["NamesAccepted"] == "True"


def test_objects_come_and_go(kubectl: harness.Kubectl) -> None:
    assert kubectl.apply(widget("a", size=3), widget("b", size=2, colour="blue")).count("created") == 2
    assert [row.split()[:2] for row in kubectl("get", "wd", "--sort-by=.spec.size", "--no-headers").splitlines()] == [
        ["b", "2"], ["a", "3"],
    ]  # fmt: skip
    assert kubectl("get", "widgets", "-o", "wide").splitlines()[0].split() == ["NAME", "SIZE", "COLOUR"]
    assert "widget.e2e.example.org/a" in kubectl("get", "toys", "-o", "name")
    assert kubectl("get", "wd", "--field-selector=spec.colour=blue", "-o", "name").split() == [f"widget.{GROUP}/b"]
    assert kubectl.path(".spec.colour", "get", "wd", "a") == "red"
    kubectl("scale", "wd/a", "--replicas=5")
    kubectl("patch", "wd", "a", "--type=merge", "--subresource=status", "-p", '{"status":{"ready":5}}')
    kubectl("wait", "wd/a", "--for=jsonpath={.status.ready}=5", "--timeout=10s")
    assert kubectl.json("get", "wd", "a")["metadata"]["generation"] == 2
    assert "deleted" in kubectl("delete", "wd", "--all")
    assert kubectl("get", "wd", "-o", "name") == ""


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"size": 10}, "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9"),
        ({}, "spec.size: Required value"),
        ({"size": 1, "colour": "green"}, 'spec.colour: Unsupported value: "green": supported values: "red", "blue"'),
        ({"size": "1"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        (
            {"size": 1, "parts": [{"name": "x"}, {"name": "x"}]},
            'spec.parts[1]: Duplicate value: {"name":"x"}',
        ),
    ],
)
def test_bad_ones_are_refused(kubectl: harness.Kubectl, spec: dict[str, Any], words: str) -> None:
    refused = kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(widget("w", **spec)), code=1)
    assert 'The Widget "w" is invalid' in refused
    assert words in refused


def test_unknown_fields(kubectl: harness.Kubectl) -> None:
    strange = json.dumps(widget("w", size=1, nonsense=True))
    refused = kubectl("create", "-f", "-", stdin=strange, code=1)
    assert 'unknown field "spec.nonsense"' in refused
    kubectl("create", "--validate=ignore", "-f", "-", stdin=strange)
    assert "nonsense" not in kubectl.json("get", "wd", "w")["spec"]


def test_lists_of_maps_are_merged_by_their_keys(kubectl: harness.Kubectl) -> None:
    for manager, part in (("one", {"name": "x", "count": 1}), ("two", {"name": "y", "count": 2})):
        obj = widget("w", size=1, parts=[part])
        kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", stdin=json.dumps(obj))
    assert [part["name"] for part in kubectl.json("get", "wd", "w")["spec"]["parts"]] == ["x", "y"]
    taken = json.dumps(widget("w", size=1, parts=[{"name": "x", "count": 7}]))
    conflict = kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=taken, code=1)
    assert 'conflict with "one": .spec.parts[name="x"].count' in conflict


def test_deleting_the_definition_deletes_the_objects(simulated: harness.Cluster) -> None:
    kubectl = simulated.kubectl
    definition = json.loads(json.dumps(DEFINITION).replace("idget", "adget").replace('"wd"', '"gd"'))
    kubectl.apply(definition)
    kubectl("wait", f"crd/wadgets.{GROUP}", "--for=condition=Established", "--timeout=20s")
    kubectl.apply({**widget("a", size=1), "kind": "Wadget"})
    kubectl("delete", "crd", f"wadgets.{GROUP}", "--timeout=20s")
    assert "the server could not find the requested resource" in kubectl(
        "get", "--raw", f"/apis/{GROUP}/v1/wadgets", code=1
    )
    broken = json.loads(json.dumps(definition))
    broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"] = "thing"
    refused = kubectl.apply(broken, code=1)
    assert 'openAPIV3Schema.properties[spec].type: Unsupported value: "thing"' in refused
