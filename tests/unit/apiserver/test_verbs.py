"""Create, get, update, patch and apply, as a client sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes import client as clients
from pybernetes.api import codecs, errors
from pybernetes.api.types import apps_v1, autoscaling_v1, core_v1, meta_v1, rbac_v1
from tests.fakes import apiserver as fakes

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


def deployment(name: str = "web", replicas: int = 1) -> apps_v1.Deployment:
    return apps_v1.Deployment(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.DeploymentSpec(
            replicas=replicas,
            selector=meta_v1.LabelSelector(matchLabels={"app": name}),
            template=core_v1.PodTemplateSpec(
                metadata=meta_v1.ObjectMeta(labels={"app": name}),
                spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox")]),
            ),
        ),
    )


async def refused(awaitable: Any) -> errors.StatusError:
    with pytest.raises(errors.StatusError) as caught:
        await awaitable
    return caught.value


class TestCreate:
    async def test_gives_identity(self, server: fakes.FakeServer) -> None:
        made = await server.client.create(fakes.config_map("a", k="v"))
        assert made.metadata.uid
        assert made.metadata.creationTimestamp == "2023-11-14T22:13:20Z"
        assert made.metadata.resourceVersion == str(server.store.revision)
        assert made.metadata.generation == 0
        assert made.metadata.managedFields[0].manager == "test"

    async def test_what_a_client_says_of_identity_is_not_believed(self, server: fakes.FakeServer) -> None:
        wanted = fakes.config_map("a")
        wanted.metadata.uid = "mine"
        wanted.metadata.creationTimestamp = wanted.metadata.deletionTimestamp = "2000-01-01T00:00:00Z"
        made = await server.client.create(wanted)
        assert made.metadata.uid != "mine"
        assert made.metadata.creationTimestamp == "2023-11-14T22:13:20Z"
        assert made.metadata.deletionTimestamp is None

    async def test_generated_names_are_all_different(self, server: fakes.FakeServer) -> None:
        names = set()
        for _ in range(20):
            wanted = fakes.config_map("")
            wanted.metadata.generateName = "web-"
            names.add((await server.client.create(wanted)).metadata.name)
        assert len(names) == 20
        assert all(name.startswith("web-") and len(name) == 9 for name in names)

    async def test_long_generated_names_are_cut(self, server: fakes.FakeServer) -> None:
        wanted = fakes.config_map("")
        wanted.metadata.generateName = "x" * 70
        made = await server.client.create(wanted)
        assert len(made.metadata.name) == 63

    async def test_dry_run_stores_nothing(self, server: fakes.FakeServer) -> None:
        before = server.store.revision
        answer = await server.ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "a"}})
        assert answer.code == 201
        assert answer.tree()["metadata"]["uid"]
        assert server.store.revision == before
        assert (await server.ask("POST", f"{MAPS}?dryRun=Some", {"metadata": {"name": "a"}})).code == 422

    async def test_names_are_taken_once(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a"))
        error = await refused(server.client.create(fakes.config_map("a")))
        assert (error.code, error.reason) == (409, "AlreadyExists")
        assert str(error) == 'configmaps "a" already exists'
        assert (await server.ask("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "a"}})).code == 409

    @pytest.mark.parametrize(
        ("body", "code", "message"),
        [
            (
                {"metadata": {"name": "a", "namespace": "other"}},
                400,
                "the namespace of the provided object does not match the namespace sent on the request",
            ),
            (
                {"metadata": {"name": "a", "resourceVersion": "1"}},
                400,
                "resourceVersion should not be set on objects to be created",
            ),
            ({"metadata": {}}, 422, "name or generateName is required"),
            ({"metadata": {"name": "A_B"}}, 422, "a lowercase RFC 1123 subdomain"),
            (
                {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}},
                400,
                "cannot be handled as a ConfigMap",
            ),
            ({"kind": "Nope", "metadata": {"name": "a"}}, 400, 'no kind "Nope" is registered'),
            ({"apiVersion": "apps/v1", "kind": "Deployment"}, 400, "does not match the expected API version"),
            ({"metadata": {"name": 7}}, 400, "json: cannot unmarshal number into Go struct field ObjectMeta."),
            ({"data": {"a": {}}}, 400, "json: cannot unmarshal object into Go struct field ConfigMap.data"),
            ([], 400, "json: cannot unmarshal array into Go value"),
            ({"apiVersion": 1}, 400, ""),
        ],
    )
    async def test_refusals(self, server: fakes.FakeServer, body: Any, code: int, message: str) -> None:
        answer = await server.ask("POST", MAPS, body)
        assert answer.code == code
        assert message in answer.message

    async def test_a_version_is_the_last_thing_it_is_refused_for(self, server: fakes.FakeServer) -> None:
        versioned = {"metadata": {"name": "A_B", "resourceVersion": "1"}}
        answer = await server.ask("POST", MAPS, versioned)
        assert (answer.code, answer.tree()["reason"]) == (422, "Invalid")
        versioned["metadata"]["name"] = "a"
        assert (await server.ask("POST", f"{MAPS}?dryRun=All", versioned)).code == 201
        assert (await server.ask("POST", MAPS, versioned)).code == 400

    async def test_is_asked_of_a_collection(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("POST", f"{MAPS}/a", {"metadata": {"name": "b"}})).code == 405
        assert (await server.ask("PUT", MAPS, {"metadata": {"name": "b"}})).code == 405
        answer = await server.ask("PATCH", MAPS, {}, content_type=clients.MERGE_PATCH)
        assert answer.code == 405
        assert (await server.ask("POST", "/api/v1/configmaps", {"metadata": {"name": "b"}})).code == 405

    async def test_unknown_places(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("POST", "/api/v1/namespaces/nope/configmaps", {"metadata": {"name": "b"}})).code == 404
        assert (await server.ask("GET", "/api/v1/namespaces/default/nopes")).code == 404
        assert (await server.ask("GET", "/apis/nope/v1/things")).code == 404
        assert (await server.ask("GET", "/nope")).code == 404
        assert (await server.ask("POST", "/version")).code == 405

    async def test_status_is_not_taken(self, server: fakes.FakeServer) -> None:
        wanted = deployment()
        wanted.status.replicas = 7
        assert (await server.client.create(wanted)).status.replicas == 0

    async def test_unknown_fields(self, server: fakes.FakeServer) -> None:
        body = {"metadata": {"name": "a", "color": "red"}, "size": 1}
        strict = await server.ask("POST", f"{MAPS}?fieldValidation=Strict", body)
        assert strict.code == 400
        assert 'strict decoding error: unknown field "metadata.color", unknown field "size"' in strict.message
        warned = await server.ask("POST", f"{MAPS}?fieldValidation=Warn", body)
        assert warned.code == 201
        assert "warning" in warned.headers
        assert "color" not in warned.tree()["metadata"]


class TestUpdate:
    async def test_replaces(self, server: fakes.FakeServer) -> None:
        made = codecs.copy(await server.client.create(fakes.config_map("a", k="v")))
        made.data = {"k": "w"}
        updated = await server.client.update(made)
        assert updated.data == {"k": "w"}
        assert int(updated.metadata.resourceVersion) > int(made.metadata.resourceVersion)
        assert updated.metadata.uid == made.metadata.uid

    async def test_some_kinds_are_replaced_by_who_has_seen_them(self, server: fakes.FakeServer) -> None:
        path = "/apis/storage.k8s.io/v1/csidrivers"
        driver = {"metadata": {"name": "a.example.com"}, "spec": {}}
        assert (await server.ask("POST", path, driver)).code == 201
        refused = await server.ask("PUT", f"{path}/a.example.com", driver)
        assert refused.code == 422
        assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused.message

    async def test_a_stale_one_conflicts(self, server: fakes.FakeServer) -> None:
        made = codecs.copy(await server.client.create(fakes.config_map("a", k="v")))
        made.data = {"k": "w"}
        await server.client.update(made)
        error = await refused(server.client.update(made))
        assert (error.code, error.reason) == (409, "Conflict")
        assert str(error) == f'Operation cannot be fulfilled on configmaps "a": {errors.MODIFIED}'

    async def test_without_a_revision_is_unconditional(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a", k="v"))
        updated = await server.client.update(fakes.config_map("a", k="w"))
        assert updated.data == {"k": "w"}

    async def test_one_that_changes_nothing_writes_nothing(self, server: fakes.FakeServer) -> None:
        made = await server.client.create(fakes.config_map("a", k="v"))
        await server.clock.advance(60)
        before = server.store.revision
        again = await server.client.update(codecs.copy(made))
        assert again.metadata.resourceVersion == made.metadata.resourceVersion
        assert server.store.revision == before

    async def test_of_another_incarnation_conflicts(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a"))
        wanted = fakes.config_map("a")
        wanted.metadata.uid = "other"
        error = await refused(server.client.update(wanted))
        assert error.code == 409
        assert "Precondition failed: UID in precondition: other, UID in object meta: " in str(error)

    async def test_only_the_spec_counts_for_the_generation(self, server: fakes.FakeServer) -> None:
        made = codecs.copy(await server.client.create(deployment()))
        assert made.metadata.generation == 1
        made.metadata.labels["a"] = "b"
        labelled = codecs.copy(await server.client.update(made))
        assert labelled.metadata.generation == 1
        labelled.spec.replicas = 5
        labelled.status.replicas = 5
        scaled = codecs.copy(await server.client.update(labelled))
        assert scaled.metadata.generation == 2
        assert scaled.status.replicas == 0
        scaled.spec.replicas = 9
        scaled.status.replicas = 4
        status = await server.client.update_status(scaled)
        assert (status.spec.replicas, status.status.replicas, status.metadata.generation) == (5, 4, 2)

    async def test_name_and_place_must_agree(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a"))
        answer = await server.ask("PUT", f"{MAPS}/a", {"metadata": {"name": "b"}})
        assert (answer.code, answer.message) == (
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        )
        assert (await server.ask("PUT", f"{MAPS}/missing", {"metadata": {"name": "missing"}})).code == 404

    async def test_immutable_stays(self, server: fakes.FakeServer) -> None:
        wanted = fakes.config_map("a", k="v")
        wanted.immutable = True
        made = codecs.copy(await server.client.create(wanted))
        made.data = {"k": "w"}
        error = await refused(server.client.update(made))
        assert error.code == 422
        assert "field is immutable when `immutable` is set" in str(error)

    async def test_creating_by_it_takes_the_right_to_create(self, server: fakes.FakeServer) -> None:
        await _grant(server, ["update", "patch"], ["coordination.k8s.io", ""], ["leases", "configmaps"])
        path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/mine"
        answer = await server.ask("PUT", path, {"metadata": {"name": "mine"}}, token="alice")
        assert answer.code == 403
        assert 'cannot create resource "leases" in API group "coordination.k8s.io"' in answer.message
        answer = await server.ask(
            "PATCH", f"{MAPS}/mine?fieldManager=me", {}, token="alice", content_type=clients.APPLY_PATCH
        )
        assert answer.code == 403
        assert 'cannot create resource "configmaps"' in answer.message
        assert (await server.ask("PUT", path, {"metadata": {"name": "mine"}})).code == 201


class TestPatch:
    @pytest.mark.parametrize(
        ("kind", "patch"),
        [
            (clients.MERGE_PATCH, {"data": {"a": None, "b": "2"}}),
            (clients.STRATEGIC_PATCH, {"data": {"a": None, "b": "2"}}),
            (clients.JSON_PATCH, [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}]),
        ],
    )
    async def test_kinds(self, server: fakes.FakeServer, kind: str, patch: Any) -> None:
        await server.client.create(fakes.config_map("m", a="1"))
        patched = await server.client.patch(core_v1.ConfigMap, "m", "default", patch, kind=kind)
        assert patched.data == {"b": "2"}

    @pytest.mark.parametrize(
        ("kind", "patch", "code"),
        [
            ("application/json", {}, 415),
            (clients.MERGE_PATCH, b"{", 400),
            (clients.MERGE_PATCH, [], 400),
            (clients.MERGE_PATCH, 7, 400),
            (clients.MERGE_PATCH, {"data": 7}, 400),
            (clients.MERGE_PATCH, {"metadata": None}, 422),
            (clients.MERGE_PATCH, {"metadata": {"name": "n"}}, 422),
            (clients.MERGE_PATCH, {"metadata": {"namespace": "other"}}, 400),
            (clients.MERGE_PATCH, {"metadata": {"resourceVersion": "1"}}, 409),
            (clients.MERGE_PATCH, {"metadata": {"uid": "other"}}, 409),
            (clients.MERGE_PATCH, {"kind": "Secret"}, 400),
            (clients.STRATEGIC_PATCH, [], 400),
            (clients.STRATEGIC_PATCH, {"metadata": 7}, 400),
            (clients.JSON_PATCH, {}, 400),
            (clients.JSON_PATCH, [7], 400),
            (clients.JSON_PATCH, [{"op": "fly", "path": "/a"}], 422),
            (clients.JSON_PATCH, [{"op": "remove", "path": "/nope"}], 422),
            (clients.JSON_PATCH, [{"op": "test", "path": "/data/a", "value": "2"}], 422),
            (clients.APPLY_PATCH, b"a: [", 400),
            (clients.APPLY_PATCH, b"- 1", 400),
            (clients.APPLY_PATCH, b"metadata: 7", 400),
            (clients.APPLY_PATCH, b"metadata: {name: n}", 400),
        ],
    )
    async def test_bad_ones(self, server: fakes.FakeServer, kind: str, patch: Any, code: int) -> None:
        made = await server.client.create(fakes.config_map("m", a="1"))
        answer = await server.ask("PATCH", f"{MAPS}/m?fieldManager=me", patch, content_type=kind)
        assert (answer.code, answer.message != "") == (code, True)
        assert await server.client.get(core_v1.ConfigMap, "m", "default") == made

    async def test_is_computed_anew_when_another_write_comes_between(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("m", a="1"))
        raced = []

        async def race(key: str) -> None:
            if not raced:
                raced.append(key)
                await server.client.patch(core_v1.ConfigMap, "m", "default", {"data": {"other": "2"}})

        server.store.before_put = race
        patched = await server.client.patch(core_v1.ConfigMap, "m", "default", {"data": {"mine": "3"}})
        assert patched.data == {"a": "1", "other": "2", "mine": "3"}

    async def test_of_status_leaves_the_spec(self, server: fakes.FakeServer) -> None:
        await server.client.create(deployment())
        patch = {"spec": {"replicas": 9}, "status": {"replicas": 3}}
        patched = await server.client.patch(apps_v1.Deployment, "web", "default", patch, subresource="status")
        assert (patched.spec.replicas, patched.status.replicas) == (1, 3)

    async def test_one_that_changes_nothing_writes_nothing(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("m", a="1"))
        before = server.store.revision
        await server.client.patch(core_v1.ConfigMap, "m", "default", {"data": {"a": "1"}})
        assert server.store.revision == before


class TestApply:
    async def apply(self, server: fakes.FakeServer, manager: str, data: dict[str, str], force: bool = False) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
        query = f"fieldManager={manager}" + ("&force=true" if force else "")
        return await server.ask("PATCH", f"{MAPS}/m?{query}", body, content_type=clients.APPLY_PATCH)

    async def test_creates_then_updates(self, server: fakes.FakeServer) -> None:
        assert (await self.apply(server, "a", {"x": "1"})).code == 201
        answer = await self.apply(server, "a", {"y": "1"})
        assert answer.code == 200
        assert answer.tree()["data"] == {"y": "1"}

    async def test_a_field_of_another_manager_conflicts_unless_forced(self, server: fakes.FakeServer) -> None:
        await self.apply(server, "a", {"x": "1"})
        answer = await self.apply(server, "b", {"x": "2"})
        assert answer.code == 409
        assert 'conflict with "a": .data.x' in answer.message
        forced = await self.apply(server, "b", {"x": "2"}, force=True)
        assert forced.tree()["data"] == {"x": "2"}

    async def test_a_repeated_one_writes_nothing(self, server: fakes.FakeServer) -> None:
        await self.apply(server, "a", {"x": "1"})
        await server.clock.advance(100)
        before = server.store.revision
        await self.apply(server, "a", {"x": "1"})
        assert server.store.revision == before

    async def test_metadata_that_is_null_is_none(self, server: fakes.FakeServer) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": None, "data": {"x": "1"}}
        answer = await server.ask("PATCH", f"{MAPS}/m?fieldManager=a", body, content_type=clients.APPLY_PATCH)
        assert (answer.code, answer.tree()["metadata"]["name"]) == (201, "m")

    async def test_needs_a_manager(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("PATCH", f"{MAPS}/m", {}, content_type=clients.APPLY_PATCH)
        assert answer.code == 422
        assert "fieldManager: Required value: is required for apply patch" in answer.message

    async def test_force_is_for_apply(self, server: fakes.FakeServer) -> None:
        answer = await server.ask("PATCH", f"{MAPS}/m?force=true", {}, content_type=clients.MERGE_PATCH)
        assert answer.code == 422

    async def test_of_status(self, server: fakes.FakeServer) -> None:
        await server.client.create(deployment())
        path = "/apis/apps/v1/namespaces/default/deployments/web/status?fieldManager=me"
        body = b"apiVersion: apps/v1\nkind: Deployment\nstatus: {replicas: 4}\nspec: {replicas: 9}\n"
        answer = await server.ask("PATCH", path, body, content_type=clients.APPLY_PATCH)
        assert answer.code == 200
        assert answer.tree()["status"]["replicas"] == 4
        assert answer.tree()["spec"]["replicas"] == 1
        owned = [e for e in answer.tree()["metadata"]["managedFields"] if e.get("subresource") == "status"]
        assert "f:spec" not in owned[0]["fieldsV1"]


class TestScale:
    PATH = "/apis/apps/v1/namespaces/default/deployments/web/scale"

    async def test_reads_and_writes_the_count(self, server: fakes.FakeServer) -> None:
        await server.client.create(deployment(replicas=2))
        scale = (await server.ask("GET", self.PATH)).tree()
        assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=web")
        scale["spec"]["replicas"] = 5
        assert (await server.ask("PUT", self.PATH, scale)).tree()["spec"]["replicas"] == 5
        changed = await server.client.get(apps_v1.Deployment, "web", "default")
        assert (changed.spec.replicas, changed.metadata.generation) == (5, 2)
        assert (await server.ask("PUT", self.PATH, scale)).code == 409

    async def test_patches(self, server: fakes.FakeServer) -> None:
        await server.client.create(deployment())
        answer = await server.ask("PATCH", self.PATH, {"spec": {"replicas": 3}}, content_type=clients.MERGE_PATCH)
        assert answer.tree()["spec"]["replicas"] == 3
        answer = await server.ask("PATCH", self.PATH, {"spec": {"replicas": -1}}, content_type=clients.MERGE_PATCH)
        assert answer.code == 422
        assert "must be greater than or equal to 0" in answer.message

    async def test_only_where_there_is_one(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.config_map("a"))
        assert (await server.ask("GET", f"{MAPS}/a/scale")).code == 404
        assert (await server.ask("GET", f"{MAPS}/a/status")).code == 404
        assert autoscaling_v1.Scale().kind == "Scale"


async def _grant(server: fakes.FakeServer, verbs: list[str], groups: list[str], resources: list[str]) -> None:
    meta = meta_v1.ObjectMeta(name="granted")
    rule = rbac_v1.PolicyRule(verbs=verbs, apiGroups=groups, resources=resources)
    await server.client.create(rbac_v1.ClusterRole(metadata=meta, rules=[rule]))
    await server.client.create(
        rbac_v1.ClusterRoleBinding(
            metadata=codecs.copy(meta),
            subjects=[rbac_v1.Subject(kind="User", name="alice", apiGroup="rbac.authorization.k8s.io")],
            roleRef=rbac_v1.RoleRef(apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name="granted"),
        )
    )


async def test_a_creator_owns_nothing_that_the_server_adds(server: fakes.FakeServer) -> None:
    """Neither what the strategy adds (a namespace's finalizer) nor the status, defaults of which it cannot write."""
    made = await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="mine")))
    (entry,) = made.metadata.managedFields
    owned = codecs.decode_tree(bytes(entry.fieldsV1))
    assert owned == {"f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/metadata.name": {}}}}
    assert (made.spec.finalizers, made.status.phase) == (["kubernetes"], "Active")
