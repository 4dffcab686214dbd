from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from tests.fakes import apiserver as fakes
from tests.fakes import webhooks as hooks_


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as server:
        yield server


@pytest.fixture
async def hooks() -> AsyncIterator[hooks_.FakeWebhooks]:
    async with hooks_.FakeWebhooks() as hooks:
        yield hooks


def adding(key: str, value: str = "x") -> hooks_.Respond:
    """Adds a datum, where it is not there yet."""

    def respond(request: dict[str, Any]) -> dict[str, Any]:
        data = request["object"].get("data")
        if data is None:
            return hooks_.patch({"op": "add", "path": "/data", "value": {key: value}})
        if key in data:
            return {"allowed": True}
        return hooks_.patch({"op": "add", "path": f"/data/{key}", "value": value})

    return respond


async def test_they_change_what_is_written_in_order(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.on = {"/one": adding("one"), "/two": adding("two")}
    await server.client.create(hooks_.mutating("b", hooks_.hook("two", hooks.at("/two"))))
    await server.client.create(hooks_.mutating("a", hooks_.hook("one", hooks.at("/one"))))
    made = await server.client.create(fakes.config_map("c"))
    assert made.data == {"one": "x", "two": "x"}
    assert hooks.requests("/two")[0]["object"]["data"] == {"one": "x"}
    assert (await server.client.get(core_v1.ConfigMap, "c", "default")).data == made.data


async def test_who_wants_to_is_asked_again(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.on = {"/one": adding("one"), "/two": adding("two"), "/three": adding("three")}
    await server.client.create(
        hooks_.mutating(
            "m",
            hooks_.hook("one", hooks.at("/one"), reinvocationPolicy="IfNeeded"),
            hooks_.hook("two", hooks.at("/two")),
            hooks_.hook("three", hooks.at("/three"), reinvocationPolicy="IfNeeded"),
        )
    )
    await server.client.create(fakes.config_map("c"))
    assert [len(hooks.requests(path)) for path in ("/one", "/two", "/three")] == [2, 1, 1]


async def test_what_is_added_gets_its_defaults_and_is_checked(
    server: fakes.FakeServer, hooks: hooks_.FakeWebhooks
) -> None:
    await server.account()
    sidecar = {"name": "side", "image": "busybox"}
    hooks.on["/side"] = lambda _: hooks_.patch({"op": "add", "path": "/spec/containers/-", "value": sidecar})
    await server.client.create(hooks_.mutating("m", hooks_.hook("side", hooks.at("/side"), hooks_.rule("pods"))))
    made = await server.client.create(fakes.pod("p"))
    assert made.spec.containers[1].terminationMessagePath == "/dev/termination-log"
    # Plugins that came before are asked again: the token is mounted in the new container, too.
    assert [mount.name for mount in made.spec.containers[1].volumeMounts] == [
        mount.name for mount in made.spec.containers[0].volumeMounts
    ]
    sidecar["name"] = "Not A Name"
    with pytest.raises(errors.StatusError, match=r"spec\.containers\[1\]\.name: Invalid value") as caught:
        await server.client.create(fakes.pod("q"))
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (hooks_.patch({"op": "remove", "path": "/data/none"}), "the server rejected our request"),
        (hooks_.patch({"op": "replace", "path": "/data", "value": 7}), "Expected `object"),
        ({"allowed": True, "patch": "e30=", "patchType": "JSONPatch"}, "received undecodable patch"),
        ({"allowed": True, "patch": "W3t9XQ==", "patchType": "Magic"}, 'unsupported patch type "Magic"'),
    ],
)
async def test_patches_that_are_none(
    server: fakes.FakeServer, hooks: hooks_.FakeWebhooks, response: dict[str, Any], why: str
) -> None:
    hooks.on["/bad"] = lambda _: response
    await server.client.create(hooks_.mutating("m", hooks_.hook("bad", hooks.at("/bad"))))
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(fakes.config_map("c", k="v"))
    assert caught.value.code == 500
    assert why in str(caught.value)


async def test_they_say_no_more_than_clients_may(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    await server.account()
    hooks.on["/forge"] = lambda request: hooks_.patch(
        {"op": "add", "path": "/status", "value": {"phase": "Failed"}},
        {"op": "add", "path": "/metadata/generation", "value": 7},
        {"op": "replace", "path": "/spec/containers/0/image", "value": "other"},
    )
    rule = hooks_.rule("pods", operations=("CREATE", "UPDATE"))
    await server.client.create(hooks_.mutating("m", hooks_.hook("forge", hooks.at("/forge"), rule)))
    made = await server.client.create(fakes.pod("p"))
    assert (made.status.phase, made.spec.containers[0].image) == ("Pending", "other")
    changed = codecs.copy(made)
    changed.spec.containers[0].image = "third"
    changed = await server.client.update(changed)
    # The webhook turned the change back, so that there is none to count.
    assert (changed.status.phase, changed.metadata.generation) == ("Pending", made.metadata.generation)


async def test_books_that_they_spoil_are_kept(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    entry = {"manager": "x", "operation": "Nonsense"}
    hooks.on["/spoil"] = lambda _: hooks_.patch({"op": "add", "path": "/metadata/managedFields/-", "value": entry})
    await server.client.create(hooks_.mutating("m", hooks_.hook("spoil", hooks.at("/spoil"))))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    answer = await server.ask("POST", "/api/v1/namespaces/default/configmaps", body)
    assert [one["operation"] for one in answer.tree()["metadata"]["managedFields"]] == ["Update"]
    assert ".metadata.managedFields was in an invalid state after admission" in answer.headers["warning"]


async def test_what_goes_cannot_be_changed(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    hooks.on["/one"] = lambda _: hooks_.patch({"op": "add", "path": "/data", "value": {}})
    made = await server.client.create(fakes.config_map("c"))
    rule = hooks_.rule("configmaps", operations=("DELETE",))
    await server.client.create(hooks_.mutating("m", hooks_.hook("one", hooks.at("/one"), rule)))
    with pytest.raises(errors.StatusError, match="attempted to modify the object, which is not supported"):
        await server.client.delete(core_v1.ConfigMap, made.metadata.name, "default")


async def test_custom_resources(server: fakes.FakeServer, hooks: hooks_.FakeWebhooks) -> None:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "maximum": 5},
                    "colour": {"type": "string", "default": "red"},
                },
            }
        },
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version],
        },
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert (await server.ask("POST", path, definition)).code == 201
    hooks.on["/size"] = lambda request: hooks_.patch(
        {"op": "add", "path": "/size", "value": 3 if request["name"] == "w" else 7}
    )
    await server.client.create(hooks_.mutating("m", hooks_.hook("size", hooks.at("/size"), hooks_.rule("widgets"))))
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    made = await server.ask("POST", "/apis/example.com/v1/namespaces/default/widgets", widget)
    assert made.code == 201
    assert (made.tree()["size"], made.tree()["colour"]) == (3, "red")
    widget["metadata"] = {"name": "x"}
    answer = await server.ask("POST", "/apis/example.com/v1/namespaces/default/widgets", widget)
    assert answer.code == 422
