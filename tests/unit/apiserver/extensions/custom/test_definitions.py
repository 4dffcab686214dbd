"""Custom resources as a client sees them, from their definition on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import apiextensions_v1, core_v1, meta_v1
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ROOT = "/apis/example.com"
WIDGETS = f"{ROOT}/v1/namespaces/default/widgets"
SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "maximum": 9},
        "color": {"type": "string", "default": "red"},
        "replicas": {"type": "integer"},
    },
}


def version(name: str = "v1", *, storage: bool = True, spec: Any = None, **more: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": spec or SPEC, "status": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


def definition(
    *versions: dict[str, Any], plural: str = "widgets", kind: str = "Widget", **spec: Any
) -> apiextensions_v1.CustomResourceDefinition:
    return codecs.from_tree(
        apiextensions_v1.CustomResourceDefinition,
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind},
                "versions": list(versions) or [version()],
                **spec,
            },
        },
    )


def widget(name: str = "a", api: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"example.com/{api}", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


async def serve(server: fakes.FakeServer, made: apiextensions_v1.CustomResourceDefinition) -> dict[str, str]:
    """Create the definition; the statuses of its conditions once it has been looked at."""
    await server.client.create(made)
    return await conditions(server, made.metadata.name)


async def conditions(server: fakes.FakeServer, name: str = "widgets.example.com") -> dict[str, str]:
    await settle()
    found = await server.client.get(apiextensions_v1.CustomResourceDefinition, name)
    return {condition.type: f"{condition.status} {condition.reason}" for condition in found.status.conditions}


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        await running.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="other")))
        yield running


class TestServing:
    async def test_is_served_when_it_is_established(self, server: fakes.FakeServer) -> None:
        found = await serve(server, definition())
        assert found == {"NamesAccepted": "True NoConflicts", "Established": "True InitialNamesAccepted"}
        made = await server.ask("POST", WIDGETS, widget(size=1, odd=2))
        assert made.code == 201
        tree = made.tree()
        assert tree["spec"] == {"size": 1, "color": "red"}
        assert tree["metadata"]["generation"] == 1
        assert tree["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:size"] == {}
        assert (await server.ask("GET", f"{WIDGETS}/a")).tree() == tree
        listed = (await server.ask("GET", f"{ROOT}/v1/widgets")).tree()
        assert (listed["kind"], listed["items"]) == ("WidgetList", [tree])

    async def test_discovery_follows(self, server: fakes.FakeServer) -> None:
        before = await server.ask(
            "GET", "/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        )
        await serve(
            server, definition(version("v1beta1", storage=False), version("v1"), version("v2alpha1", storage=False))
        )
        group = (await server.ask("GET", ROOT)).tree()
        assert [v["version"] for v in group["versions"]] == ["v1", "v1beta1", "v2alpha1"]
        assert group["preferredVersion"]["version"] == "v1"
        resources = (await server.ask("GET", f"{ROOT}/v1")).tree()["resources"]
        assert [(r["name"], r["singularName"], r["kind"]) for r in resources] == [("widgets", "widget", "Widget")]
        for served in ("v1", "v1beta1"):
            (resource,) = (await server.ask("GET", f"{ROOT}/{served}")).tree()["resources"]
            assert resource["storageVersionHash"] == "gIwvi5rymmg="
        after = await server.ask(
            "GET", "/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        )
        assert before.headers["etag"] != after.headers["etag"]
        assert after.tree()["items"][-1]["metadata"]["name"] == "example.com"
        await server.client.delete(apiextensions_v1.CustomResourceDefinition, "widgets.example.com")
        await settle()
        assert (await server.ask("GET", ROOT)).code == 404

    async def test_what_was_established_is_served_after_a_restart(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        await server.ask("POST", WIDGETS, widget())
        async with fakes.FakeServer(store=server.store) as again:
            assert (await again.ask("GET", f"{WIDGETS}/a")).tree()["spec"] == {"color": "red"}

    async def test_strategic_patches_are_refused(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        await server.ask("POST", WIDGETS, widget())
        kind = "application/strategic-merge-patch+json"
        assert (await server.ask("PATCH", f"{WIDGETS}/a", {"spec": {}}, content_type=kind)).code == 415

    async def test_status_scale_columns_and_fields(self, server: fakes.FakeServer) -> None:
        scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.n"}
        columns = [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}]
        one = version(
            subresources={"status": {}, "scale": scale},
            additionalPrinterColumns=columns,
            selectableFields=[{"jsonPath": ".spec.color"}],
        )
        await serve(server, definition(one))
        await server.ask("POST", WIDGETS, {**widget(replicas=2), "status": {"n": 7}})
        await server.ask("POST", WIDGETS, widget("b", color="blue"))
        merge = {"content_type": "application/merge-patch+json"}
        patch = {"spec": {"replicas": 5}, "status": {"n": 3}, "metadata": {"labels": {"x": "y"}}}
        written = (await server.ask("PATCH", f"{WIDGETS}/a/status", patch, **merge)).tree()
        assert (written["spec"]["replicas"], written["status"], written["metadata"]["generation"]) == (2, {"n": 3}, 1)
        assert "labels" not in written["metadata"]
        scaled = (await server.ask("PATCH", f"{WIDGETS}/a/scale", {"spec": {"replicas": 4}}, **merge)).tree()
        assert (scaled["spec"], scaled["status"]) == ({"replicas": 4}, {"replicas": 3})
        wrong = await server.ask("PATCH", f"{WIDGETS}/a/status", {"status": {"n": "x"}}, **merge)
        assert 'status.n: Invalid value: "string": n in body must be of type integer: "string"' in wrong.message
        table = await server.ask("GET", WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert [row["cells"] for row in table.tree()["rows"]] == [["a", "red"], ["b", "blue"]]
        chosen = (await server.ask("GET", f"{WIDGETS}?fieldSelector=spec.color%3Dblue")).tree()["items"]
        assert [item["metadata"]["name"] for item in chosen] == ["b"]

    async def test_what_says_nothing_of_its_replicas_can_be_given_some(self, server: fakes.FakeServer) -> None:
        scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.n"}
        await serve(server, definition(version(subresources={"scale": scale})))
        await server.ask("POST", WIDGETS, widget())
        merge = {"content_type": "application/merge-patch+json"}
        unknown = await server.ask("GET", f"{WIDGETS}/a/scale")
        assert unknown.message == 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist'
        empty = await server.ask("PATCH", f"{WIDGETS}/a/scale", {"metadata": {"labels": {"x": "y"}}}, **merge)
        assert (empty.code, empty.message) == (400, 'the spec replicas field ".spec.replicas" cannot be empty')
        given = await server.ask("PUT", f"{WIDGETS}/a/scale", {"metadata": {"name": "a"}, "spec": {"replicas": 2}})
        assert (given.code, given.tree()["spec"]) == (200, {"replicas": 2})
        assert (await server.ask("GET", f"{WIDGETS}/a")).tree()["spec"]["replicas"] == 2

    async def test_server_side_apply_merges_by_the_keys_of_the_schema(self, server: fakes.FakeServer) -> None:
        keyed = {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {
                "type": "object",
                "required": ["k"],
                "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
            },
        }
        await serve(server, definition(version(spec={"type": "object", "properties": {"l": keyed}})))
        yaml = {"content_type": "application/apply-patch+yaml"}
        for manager, key in (("one", "a"), ("two", "b")):
            answer = await server.ask(
                "PATCH", f"{WIDGETS}/a?fieldManager={manager}", widget(l=[{"k": key, "v": 1}]), **yaml
            )
        assert answer.tree()["spec"]["l"] == [{"k": "a", "v": 1}, {"k": "b", "v": 1}]
        clash = await server.ask("PATCH", f"{WIDGETS}/a?fieldManager=two", widget(l=[{"k": "a", "v": 2}]), **yaml)
        assert (clash.code, '.spec.l[k="a"].v' in clash.message) == (409, True)

    async def test_unknown_fields_under_strict_validation(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        refused = await server.ask("POST", f"{WIDGETS}?fieldValidation=Strict", widget(odd=1))
        assert refused.code == 400
        assert refused.message == (
            'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.odd"'
        )

    async def test_kind_and_version_have_to_be_right(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        other = await server.ask("POST", WIDGETS, {**widget(), "kind": "Gadget"})
        assert (other.code, 'kind: Invalid value: "Gadget": must be Widget' in other.message) == (422, True)
        version_ = await server.ask("POST", WIDGETS, widget(api="v7"))
        assert version_.code == 400
        assert "does not match the expected API version (example.com/v1)" in version_.message

    async def test_new_defaults_show_in_what_was_stored_before(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        await server.ask("POST", WIDGETS, widget())
        watch = await server.watch(f"{WIDGETS}?watch=1&resourceVersion=1")
        found = await server.client.get(apiextensions_v1.CustomResourceDefinition, "widgets.example.com")
        changed = codecs.copy(found)
        schema = changed.spec.versions[0].schema
        assert schema is not None
        assert schema.openAPIV3Schema is not None
        schema.openAPIV3Schema.properties["spec"].properties["size"].default = 4
        await server.client.update(changed)
        await settle()
        assert (await server.ask("GET", f"{WIDGETS}/a")).tree()["spec"] == {"color": "red", "size": 4}
        await watch.close()


class TestNames:
    async def test_the_second_to_claim_a_name_waits_for_it(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        later = await serve(server, definition(plural="gadgets"))
        assert later == {"NamesAccepted": "False ListKindConflict", "Established": "False NotAccepted"}
        assert (await server.ask("GET", f"{ROOT}/v1/gadgets")).code == 404
        await server.client.delete(apiextensions_v1.CustomResourceDefinition, "widgets.example.com")
        assert (await conditions(server, "gadgets.example.com"))["Established"] == "True InitialNamesAccepted"

    async def test_protected_groups_need_approval(self, server: fakes.FakeServer) -> None:
        made = definition()
        made.spec.group, made.metadata.name = "x.k8s.io", "widgets.x.k8s.io"
        with pytest.raises(errors.StatusError, match="protected groups must have approval annotation"):
            await server.client.create(made)


class TestGoing:
    async def test_instances_go_first(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        await server.ask("POST", WIDGETS, {**widget(), "metadata": {"name": "a", "finalizers": ["x.io/y"]}})
        await server.ask("POST", WIDGETS.replace("default", "other"), widget("b"))
        await server.client.delete(apiextensions_v1.CustomResourceDefinition, "widgets.example.com")
        found = await conditions(server)
        assert found["Terminating"] == "True InstanceDeletionInProgress"
        left = (await server.ask("GET", f"{ROOT}/v1/widgets")).tree()["items"]
        assert [item["metadata"]["name"] for item in left] == ["a"]
        refused = await server.ask("POST", WIDGETS, widget("c"))
        assert (
            refused.code,
            "create not allowed while custom resource definition is terminating" in refused.message,
        ) == (
            403,
            True,
        )
        merge = {"content_type": "application/merge-patch+json"}
        await server.ask("PATCH", f"{WIDGETS}/a", {"metadata": {"finalizers": None}}, **merge)
        await settle()
        assert (await server.ask("GET", f"{DEFINITIONS}/widgets.example.com")).code == 404
        assert (await server.ask("GET", f"{ROOT}/v1/widgets")).code == 404

    async def test_watches_end_with_the_definition(self, server: fakes.FakeServer) -> None:
        await serve(server, definition())
        watch = await server.watch(f"{WIDGETS}?watch=1")
        await server.client.delete(apiextensions_v1.CustomResourceDefinition, "widgets.example.com")
        await settle()
        assert await asyncio.wait_for(watch.reader.readuntil(b"\r\n\r\n"), 5) == b"0\r\n\r\n"


class TestVersions:
    async def test_by_name_alone(self, server: fakes.FakeServer) -> None:
        other = {"type": "object", "properties": {"size": {"type": "integer"}}}
        await serve(server, definition(version("v1"), version("v2", storage=False, spec=other)))
        made = (await server.ask("POST", f"{ROOT}/v2/namespaces/default/widgets", widget(api="v2", size=3))).tree()
        assert (made["apiVersion"], made["spec"]) == ("example.com/v2", {"size": 3})
        assert (await server.ask("GET", f"{WIDGETS}/a")).tree()["spec"] == {"size": 3, "color": "red"}
        merge = {"content_type": "application/merge-patch+json"}
        assert (await server.ask("PATCH", f"{WIDGETS}/a", {"spec": {"size": 5}}, **merge)).code == 200
        again = (await server.ask("GET", f"{ROOT}/v2/namespaces/default/widgets/a")).tree()
        assert (again["apiVersion"], again["spec"]["size"]) == ("example.com/v2", 5)

    async def test_by_webhook(self, server: fakes.FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = Hook()

        async def call(config: Any, review: Any, *, seconds: float) -> Any:
            return await hook(review)

        monkeypatch.setattr(server.api.webhooks, "call", call)
        two = {"type": "object", "properties": {"length": {"type": "integer"}}}
        conversion = {
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://hook"}},
        }
        await serve(server, definition(version("v1"), version("v2", storage=False, spec=two), conversion=conversion))
        await server.ask("POST", WIDGETS, widget(size=3))
        v2 = f"{ROOT}/v2/namespaces/default/widgets"
        assert (await server.ask("GET", f"{v2}/a")).tree()["spec"] == {"length": 3}
        made = (await server.ask("POST", v2, widget("b", api="v2", length=4))).tree()
        assert (made["apiVersion"], made["spec"]) == ("example.com/v2", {"length": 4})
        assert (await server.ask("GET", f"{WIDGETS}/b")).tree()["spec"]["size"] == 4
        listed = (await server.ask("GET", v2)).tree()["items"]
        assert [item["spec"]["length"] for item in listed] == [3, 4]
        watch = await server.watch(f"{v2}?watch=1&resourceVersion={made['metadata']['resourceVersion']}")
        merge = {"content_type": "application/merge-patch+json"}
        await server.ask("PATCH", f"{WIDGETS}/a", {"spec": {"size": 5}}, **merge)
        frame = await asyncio.wait_for(watch.reader.readuntil(b"}\n\r\n"), 5)
        assert b'"length":5' in frame
        assert b'"MODIFIED"' in frame
        hook.rename = True
        await server.ask("PATCH", f"{WIDGETS}/a", {"spec": {"size": 6}}, **merge)
        await settle()
        failed = await server.ask("GET", f"{v2}/a")
        assert failed.code == 500
        assert "must have the same name: a != renamed" in failed.message
        assert (await server.ask("GET", f"{WIDGETS}/a")).code == 200


class Hook:
    """A conversion webhook: v1's `size` is v2's `length`."""

    rename = False

    async def __call__(self, review: Any) -> Any:
        await asyncio.sleep(0)
        request = review["request"]
        return {
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {
                "uid": request["uid"],
                "result": {"status": "Success"},
                "convertedObjects": [
                    self._converted(tree, request["desiredAPIVersion"]) for tree in request["objects"]
                ],
            },
        }

    def _converted(self, tree: Any, wanted: str) -> Any:
        names = ("size", "length") if wanted.endswith("v2") else ("length", "size")
        spec = {names[1]: tree["spec"][names[0]]} if names[0] in tree["spec"] else {}
        name = "renamed" if self.rename else tree["metadata"]["name"]
        return {**tree, "apiVersion": wanted, "metadata": {**tree["metadata"], "name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"properties": {"a": {}}},
            "properties[a].type: Required value: must not be empty for specified object fields",
        ),
        ({"properties": {"a": {"type": "array"}}}, "properties[a].items: Required value: must be specified"),
        ({"properties": {"a": {"type": "odd"}}}, 'properties[a].type: Unsupported value: "odd"'),
        ({"additionalProperties": {"type": "string"}}, "additionalProperties: Forbidden: must not be used at the root"),
        ({"anyOf": [{"properties": {"z": {}}}]}, "properties[z]: Required value: because it is defined in"),
        (
            {"properties": {"a": {"type": "string", "default": 1}}},
            'properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"',
        ),
        (
            {"properties": {"a": {"type": "array", "uniqueItems": True, "items": {"type": "string"}}}},
            "properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true",
        ),
        (
            {"properties": {"a": {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}}},
            "x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
        ),
    ],
)
async def test_schemas_are_checked(server: fakes.FakeServer, change: dict[str, Any], expected: str) -> None:
    one = version()
    one["schema"]["openAPIV3Schema"] = {"type": "object", **change}
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(definition(one))
    assert caught.value.code == 422
    assert expected in str(caught.value)


async def test_what_cannot_change(server: fakes.FakeServer) -> None:
    await serve(server, definition())
    found = codecs.copy(await server.client.get(apiextensions_v1.CustomResourceDefinition, "widgets.example.com"))
    found.spec.scope = "Cluster"
    found.spec.names.kind = "Thing"
    with pytest.raises(errors.StatusError) as caught:
        await server.client.update(found)
    assert 'spec.scope: Invalid value: "Cluster": field is immutable' in str(caught.value)
    assert 'spec.names.kind: Invalid value: "Thing": field is immutable' in str(caught.value)
