"""Policies whose expressions do not fit their kinds say so in their status."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import admissionregistration_v1
from pybernetes.controllers import policy_status
from pybernetes.testing import Cluster

Policy = admissionregistration_v1.ValidatingAdmissionPolicy


def policy(*expressions: str, params: bool = False, **rule: Any) -> Policy:
    about = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE"]}
    spec: dict[str, Any] = {
        "matchConstraints": {"resourceRules": [about | rule]},
        "validations": [{"expression": text} for text in expressions],
    }
    if params:
        spec["paramKind"] = {"apiVersion": "v1", "kind": "ConfigMap"}
    return codecs.from_tree(Policy, {"metadata": {"name": "p"}, "spec": spec})


def test_what_a_policy_names() -> None:
    one = policy(apiGroups=["b", ""], resources=["pods", "pods/status", "*", "nodes"])
    assert policy_status.named(one) == [
        ("", "v1", "nodes"), ("", "v1", "pods"), ("b", "v1", "nodes"), ("b", "v1", "pods"),
    ]  # fmt: skip
    assert policy_status.named(policy(apiVersions=["*"])) == []
    assert policy_status.named(Policy()) == []


def test_schemas_are_made_whole() -> None:
    known = {
        "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}},
        "Size": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    }
    schema = {
        "type": "object",
        "properties": {
            "tree": {"allOf": [{"$ref": "#/components/schemas/Tree"}], "default": {}},
            "sizes": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Size"}},
        },
    }
    made = policy_status.whole(schema, known)["properties"]
    assert (made["tree"]["type"], made["tree"]["properties"]) == ("object", {"left": {}})
    assert made["sizes"]["additionalProperties"]["x-kubernetes-int-or-string"] is True


async def test_warnings_of_every_kind_and_a_new_generation() -> None:
    async with Cluster(nodes=0, scheduler=False, controllers=policy_status.NAME) as cluster:
        client = cluster.client()
        one = policy(
            "object.spec.replicas < 5",
            "object.spec.replicas == 'many'",
            "object.spec.template.spec.containers.all(c, c.image.startsWith('x/') && c.resources.limits['cpu'] != 1)",
            "int(params.data['most']) > object.spec.replicas",
            resources=["deployments", "statefulsets"],
            params=True,
        )
        await client.create(one)
        await wait(cluster)
        found = await client.get(Policy, "p")
        assert found.status.observedGeneration == 1
        assert found.status.typeChecking is not None
        (warning,) = found.status.typeChecking.expressionWarnings
        assert warning.fieldRef == "spec.validations[1].expression"
        for kind in ("apps/v1, Kind=Deployment: ", "apps/v1, Kind=StatefulSet: "):
            assert kind in warning.warning
        fixed = codecs.copy(found)
        fixed.spec.validations[1].expression = "object.spec.replicas == 3"
        await client.update(fixed)
        await wait(cluster)
        found = await client.get(Policy, "p")
        assert (found.status.observedGeneration, found.status.typeChecking) == (
            2,
            admissionregistration_v1.TypeChecking(),
        )


async def wait(cluster: Cluster) -> None:
    """Until the policy has been looked at; a thread makes the documents."""
    async with cluster.client().watch(Policy, initial_events=True) as stream:
        while True:
            for event in await stream.next():
                meta = event.object.metadata
                if event.type in ("ADDED", "MODIFIED") and event.object.status.observedGeneration == meta.generation:
                    return
