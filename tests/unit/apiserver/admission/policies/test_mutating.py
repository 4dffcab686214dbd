from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import admissionregistration_v1, core_v1
from tests.fakes import apiserver as fakes
from tests.fakes import scrape

Policy = admissionregistration_v1.MutatingAdmissionPolicy
Binding = admissionregistration_v1.MutatingAdmissionPolicyBinding


def policy(*mutations: str, name: str = "m", resources: str = "configmaps", **more: Any) -> Policy:
    """A mutation that makes a list is a patch."""
    listed = [
        {"patchType": "JSONPatch", "jsonPatch": {"expression": one}}
        if one.startswith("[")
        else {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": one}}
        for one in mutations
    ]
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": [resources]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "mutations": listed,
        "reinvocationPolicy": "Never",
        **more,
    }
    return codecs.from_tree(Policy, {"metadata": {"name": name}, "spec": spec})


def binding(of: str = "m", **more: Any) -> Binding:
    return codecs.from_tree(Binding, {"metadata": {"name": of}, "spec": {"policyName": of, **more}})


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as server:
        yield server


async def bound(server: fakes.FakeServer, one: Policy, **more: Any) -> None:
    await server.client.create(one)
    await server.client.create(binding(one.metadata.name, **more))


async def test_configurations_are_merged(server: fakes.FakeServer) -> None:
    await bound(
        server,
        policy(
            "Object{metadata: Object.metadata{labels: {'team': 'a'}}, data: {'k': object.metadata.name}}",
            "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'x': 'y'}},"
            " JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('a/b'), value: 'w'}]",
        ),
    )
    wanted = fakes.config_map("c", own="1")
    wanted.metadata.labels = {"mine": "yes"}
    made = await server.client.create(wanted)
    assert made.metadata.labels == {"mine": "yes", "team": "a"}
    assert made.metadata.annotations == {"x": "y", "a/b": "w"}
    assert made.data == {"own": "1", "k": "c"}


async def test_lists_of_objects_merge_by_their_keys(server: fakes.FakeServer) -> None:
    await server.account()
    expression = (
        "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'mesh', image: 'proxy:1',"
        " restartPolicy: 'Always'}], containers: object.spec.containers.map(c, Object.spec.containers{name: c.name,"
        " env: [Object.spec.containers.env{name: 'WHO', value: c.name}]})}}"
    )
    await bound(server, policy(expression, resources="pods"))
    made = await server.client.create(fakes.pod("p"))
    assert [container.name for container in made.spec.initContainers] == ["mesh"]
    assert made.spec.initContainers[0].terminationMessagePath == "/dev/termination-log"
    assert made.spec.containers[0].image == "busybox"
    assert [(env.name, env.value) for env in made.spec.containers[0].env] == [("WHO", "c")]


async def test_what_is_atomic_is_not_changed_in_part(server: fakes.FakeServer) -> None:
    await server.account()
    await bound(server, policy("Object{spec: Object.spec{nodeSelector: {'a': 'b'}}}", resources="pods"))
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(fakes.pod("p"))
    assert str(caught.value) == (
        "policy 'm' with binding 'm' denied request: error applying patch: invalid ApplyConfiguration: "
        "may not mutate atomic arrays, maps or structs: .spec.nodeSelector"
    )


async def test_unknown_fields(server: fakes.FakeServer) -> None:
    await bound(server, policy("Object{none: 'x'}"))
    with pytest.raises(errors.StatusError, match=r"\.none: field not declared in schema") as caught:
        await server.client.create(fakes.config_map("c"))
    assert caught.value.reason == "Invalid"
    made = codecs.copy(await server.client.get(Policy, "m"))
    made.spec.failurePolicy = "Ignore"
    await server.client.update(made)
    await server.client.create(fakes.config_map("c"))


async def test_a_test_that_fails_ends_a_patch_in_silence(server: fakes.FakeServer) -> None:
    await bound(
        server,
        policy(
            "[JSONPatch{op: 'test', path: '/data/k', value: 'v'},"
            " JSONPatch{op: 'replace', path: '/data/k', value: 'w'}]"
        ),
    )
    assert (await server.client.create(fakes.config_map("a", k="v"))).data == {"k": "w"}
    assert (await server.client.create(fakes.config_map("b", k="x"))).data == {"k": "x"}


async def test_who_wants_to_is_asked_again(server: fakes.FakeServer) -> None:
    counting = "Object{data: {'first': has(object.data) && has(object.data.second) ? 'saw it' : 'did not'}}"
    await bound(server, policy(counting, name="a", reinvocationPolicy="IfNeeded"))
    await bound(server, policy("Object{data: {'second': 'x'}}", name="b"))
    assert (await server.client.create(fakes.config_map("c"))).data == {"first": "saw it", "second": "x"}


async def test_variables_and_params(server: fakes.FakeServer) -> None:
    await server.client.create(fakes.config_map("defaults", colour="red"))
    await bound(
        server,
        policy(
            "Object{data: {'colour': variables.colour}}",
            variables=[{"name": "colour", "expression": "params.data.colour"}],
            paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
            matchConditions=[{"name": "n", "expression": "object.metadata.name != 'plain'"}],
        ),
        paramRef={"name": "defaults", "parameterNotFoundAction": "Deny"},
    )
    assert (await server.client.create(fakes.config_map("c"))).data == {"colour": "red"}
    assert (await server.client.create(fakes.config_map("plain"))).data == {}


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("'text'", "must evaluate to Object but got string"),
        ("object", "must evaluate to Object but got dyn"),
        ("Object.spec{}", "must evaluate to Object but got Object.spec"),
        ("Object{", "compilation failed: ERROR: <input>"),
        ("[1]", "must evaluate to list(JSONPatch) but got list(int)"),
    ],
)
async def test_what_does_not_compile(server: fakes.FakeServer, expression: str, why: str) -> None:
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(policy(expression))
    assert why in str(caught.value)


async def test_what_it_makes_is_checked(server: fakes.FakeServer) -> None:
    await bound(server, policy("Object{metadata: Object.metadata{labels: {'not a key': 'x'}}}"))
    with pytest.raises(errors.StatusError, match=r"metadata\.labels: Invalid value") as caught:
        await server.client.create(fakes.config_map("c"))
    assert caught.value.code == 422
    with pytest.raises(errors.StatusError, match="not found"):
        await server.client.get(core_v1.ConfigMap, "c", "default")


async def test_what_they_came_to_is_counted(server: fakes.FakeServer) -> None:
    fails = "[JSONPatch{op: 'add', path: '/data/x', value: object.data.none}]"
    await bound(server, policy("Object{data: {'k': 'v'}}", fails, failurePolicy="Ignore"))
    await server.client.create(fakes.config_map("c"))
    found = scrape.parse(await server.client.raw("/metrics"))
    name = "apiserver_mutating_admission_policy_check_total"
    about = (("policy", "m"), ("policy_binding", "m"))
    for error in ("no_error", "invalid_error"):
        assert found[name, (("error_type", error), *about)] >= 1
