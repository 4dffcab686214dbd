"""Delete, eviction and binding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import batch_v1, core_v1, meta_v1, policy_v1
from tests.fakes import apiserver as fakes

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        await running.account()
        yield running


async def pod(server: fakes.FakeServer, name: str = "p", *, node: str = "n1", phase: str = "Running") -> core_v1.Pod:
    made = codecs.copy(await server.client.create(fakes.pod(name, node=node, labels={"app": "web"})))
    made.status.phase = phase
    made.status.conditions = [core_v1.PodCondition(type="Ready", status="True")]
    return await server.client.update_status(made)


async def find(server: fakes.FakeServer, name: str = "p") -> core_v1.Pod | None:
    try:
        return await server.client.get(core_v1.Pod, name, "default")
    except errors.StatusError:
        return None


class TestGrace:
    async def test_a_running_pod_is_given_time(self, server: fakes.FakeServer) -> None:
        await pod(server)
        answer = await server.ask("DELETE", f"{PODS}/p")
        meta = answer.tree()["metadata"]
        assert (answer.code, meta["deletionGracePeriodSeconds"]) == (200, 30)
        assert meta["deletionTimestamp"] == "2023-11-14T22:13:50Z"
        assert await find(server) is not None

    async def test_a_later_request_can_only_bring_it_forward(self, server: fakes.FakeServer) -> None:
        await pod(server)
        await server.client.delete(core_v1.Pod, "p", "default", grace=20)
        before = server.store.revision
        await server.client.delete(core_v1.Pod, "p", "default", grace=60)
        assert server.store.revision == before
        await server.client.delete(core_v1.Pod, "p", "default", grace=5)
        found = await find(server)
        assert found is not None
        assert found.metadata.deletionGracePeriodSeconds == 5
        await server.client.delete(core_v1.Pod, "p", "default", grace=0)
        assert await find(server) is None

    @pytest.mark.parametrize(("node", "phase"), [("", "Pending"), ("n1", "Succeeded"), ("n1", "Failed")])
    async def test_others_go_at_once(self, server: fakes.FakeServer, node: str, phase: str) -> None:
        await pod(server, node=node, phase=phase)
        await server.client.delete(core_v1.Pod, "p", "default")
        assert await find(server) is None

    async def test_query_and_body_say_the_same(self, server: fakes.FakeServer) -> None:
        await pod(server)
        await server.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=7")
        found = await find(server)
        assert found is not None
        assert found.metadata.deletionGracePeriodSeconds == 7
        await server.ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0, "apiVersion": "apps/v1"})
        assert await find(server) is None

    async def test_dry_run(self, server: fakes.FakeServer) -> None:
        await pod(server, node="")
        assert (await server.ask("DELETE", f"{PODS}/p?dryRun=All")).code == 200
        assert (await server.ask("DELETE", f"{PODS}/p", {"dryRun": ["All"]})).code == 200
        assert await find(server) is not None


class TestAnswers:
    async def test_a_status_for_most(self, server: fakes.FakeServer) -> None:
        made = await server.client.create(fakes.config_map("a"))
        tree = (await server.ask("DELETE", f"{MAPS}/a")).tree()
        assert (tree["kind"], tree["status"]) == ("Status", "Success")
        assert tree["details"] == {"name": "a", "kind": "configmaps", "uid": made.metadata.uid}
        again = await server.ask("DELETE", f"{MAPS}/a")
        assert (again.code, again.message) == (404, 'configmaps "a" not found')

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"propagationPolicy": "Sometimes"}, 422),
            ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
            ({"gracePeriodSeconds": "soon"}, 400),
            ([], 400),
            (7, 400),
            (b"{", 400),
        ],
    )
    async def test_bad_options(self, server: fakes.FakeServer, options: Any, code: int) -> None:
        await server.client.create(fakes.config_map("a"))
        assert (await server.ask("DELETE", f"{MAPS}/a", options)).code == code
        assert (await server.ask("GET", f"{MAPS}/a")).code == 200

    async def test_bad_query(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("DELETE", f"{MAPS}/a?gracePeriodSeconds=x")).code == 400

    async def test_preconditions(self, server: fakes.FakeServer) -> None:
        made = await server.client.create(fakes.config_map("a"))
        for given in ({"uid": "other"}, {"revision": "1"}):
            with pytest.raises(errors.StatusError) as caught:
                await server.client.delete(core_v1.ConfigMap, "a", "default", **given)
            assert caught.value.reason == "Conflict"
            assert "Precondition failed: " in str(caught.value)
        meta = made.metadata
        await server.client.delete(core_v1.ConfigMap, "a", "default", uid=meta.uid, revision=meta.resourceVersion)


class TestFinalizers:
    async def test_hold_the_object(self, server: fakes.FakeServer) -> None:
        wanted = fakes.config_map("a")
        wanted.metadata.finalizers = ["example.com/keep"]
        await server.client.create(wanted)
        answer = await server.ask("DELETE", f"{MAPS}/a")
        assert answer.tree()["metadata"]["deletionTimestamp"]
        held = codecs.copy(await server.client.get(core_v1.ConfigMap, "a", "default"))
        held.metadata.finalizers = []
        watch = await server.watch(f"{MAPS}?watch=1&resourceVersion={held.metadata.resourceVersion}")
        await server.client.update(held)
        assert (await watch.event())["type"] == "DELETED"
        assert (await server.ask("GET", f"{MAPS}/a")).code == 404

    async def test_none_can_be_added_any_more(self, server: fakes.FakeServer) -> None:
        wanted = fakes.config_map("a")
        wanted.metadata.finalizers = ["example.com/keep"]
        await server.client.create(wanted)
        await server.client.delete(core_v1.ConfigMap, "a", "default")
        patch = {"metadata": {"finalizers": ["example.com/keep", "example.com/more"]}}
        with pytest.raises(errors.StatusError) as caught:
            await server.client.patch(core_v1.ConfigMap, "a", "default", patch)
        assert caught.value.code == 422

    @pytest.mark.parametrize(
        ("policy", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None)]
    )
    async def test_propagation_policies(
        self, server: fakes.FakeServer, policy: str, finalizers: list[str] | None
    ) -> None:
        await server.client.create(fakes.config_map("a"))
        await server.client.delete(core_v1.ConfigMap, "a", "default", propagation=policy)
        answer = await server.ask("GET", f"{MAPS}/a")
        if finalizers is None:
            assert answer.code == 404
        else:
            assert answer.tree()["metadata"]["finalizers"] == finalizers

    async def test_jobs_leave_their_pods_unless_told(self, server: fakes.FakeServer) -> None:
        path = "/apis/batch/v1/namespaces/default/jobs"
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}
        for name in ("a", "b"):
            body = {"metadata": {"name": name}, "spec": {"template": template}}
            assert (await server.ask("POST", path, body)).code == 201
        answer = await server.ask("DELETE", f"{path}/a")
        assert answer.headers["warning"].startswith('299 - "child pods are preserved by default')
        held = await server.client.get(batch_v1.Job, "a", "default")
        assert "orphan" in held.metadata.finalizers
        answer = await server.ask("DELETE", f"{path}/b?propagationPolicy=Background")
        assert "warning" not in answer.headers
        assert (await server.ask("GET", f"{path}/b")).code == 404

    async def test_a_namespace_terminates(self, server: fakes.FakeServer) -> None:
        made = await server.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="team")))
        assert made.spec.finalizers == ["kubernetes"]
        await server.client.delete(core_v1.Namespace, "team")
        going = codecs.copy(await server.client.get(core_v1.Namespace, "team"))
        assert going.status.phase == "Terminating"
        answer = await server.ask("POST", "/api/v1/namespaces/team/configmaps", {"metadata": {"name": "a"}})
        assert answer.code == 403
        assert "because it is being terminated" in answer.message
        assert answer.tree()["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        going.spec.finalizers = []
        await server.client.update(going, subresource="finalize")
        assert (await server.ask("GET", "/api/v1/namespaces/team")).code == 404

    async def test_the_first_namespaces_stay(self, server: fakes.FakeServer) -> None:
        for name in ("default", "kube-system", "kube-public"):
            answer = await server.ask("DELETE", f"/api/v1/namespaces/{name}")
            assert (answer.code, answer.message) == (
                403,
                f'namespaces "{name}" is forbidden: this namespace may not be deleted',
            )


class TestCollection:
    async def test_deletes_what_is_selected(self, server: fakes.FakeServer) -> None:
        for name in ("a", "b", "c"):
            wanted = fakes.config_map(name)
            wanted.metadata.labels = {"keep": str(name == "c").lower()}
            await server.client.create(wanted)
        answer = await server.ask("DELETE", f"{MAPS}?labelSelector=keep%3Dfalse")
        assert [item["metadata"]["name"] for item in answer.tree()["items"]] == ["a", "b"]
        left = await server.client.list(core_v1.ConfigMap, "default")
        assert [item.metadata.name for item in left.items] == ["c"]
        await server.client.delete_collection(core_v1.ConfigMap, "default")
        assert (await server.client.list(core_v1.ConfigMap, "default")).items == []

    async def test_needs_a_namespace(self, server: fakes.FakeServer) -> None:
        assert (await server.ask("DELETE", "/api/v1/configmaps")).code == 405


class TestEviction:
    async def budget(self, server: fakes.FakeServer, *, allowed: int, name: str = "budget") -> None:
        made = await server.client.create(
            policy_v1.PodDisruptionBudget(
                metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
                spec=policy_v1.PodDisruptionBudgetSpec(
                    minAvailable=1, selector=meta_v1.LabelSelector(matchLabels={"app": "web"})
                ),
            )
        )
        made = codecs.copy(made)
        made.status = policy_v1.PodDisruptionBudgetStatus(
            observedGeneration=made.metadata.generation,
            disruptionsAllowed=allowed,
            currentHealthy=1 + allowed,
            desiredHealthy=1,
            expectedPods=2,
        )
        await server.client.update_status(made)

    async def evict(self, server: fakes.FakeServer, query: str = "", **options: Any) -> fakes.Answer:
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "p"},
            "deleteOptions": {"gracePeriodSeconds": 0, **options},
        }
        return await server.ask("POST", f"{PODS}/p/eviction{query}", body)

    async def test_without_a_budget(self, server: fakes.FakeServer) -> None:
        await pod(server)
        assert (await self.evict(server)).code == 201
        assert await find(server) is None

    async def test_takes_from_the_budget(self, server: fakes.FakeServer) -> None:
        await pod(server)
        await self.budget(server, allowed=1)
        assert (await self.evict(server)).code == 201
        budget = await server.client.get(policy_v1.PodDisruptionBudget, "budget", "default")
        assert budget.status.disruptionsAllowed == 0
        assert list(budget.status.disruptedPods) == ["p"]
        await pod(server)
        answer = await self.evict(server)
        assert (answer.code, answer.tree()["reason"]) == (429, "TooManyRequests")
        assert answer.message == "Cannot evict pod as it would violate the pod's disruption budget."
        assert answer.tree()["details"]["causes"][0]["reason"] == "DisruptionBudget"
        assert await find(server) is not None

    @pytest.mark.parametrize(("query", "options"), [("", {"dryRun": ["All"]}), ("?dryRun=All", {})])
    async def test_dry_run_evicts_nothing(self, server: fakes.FakeServer, query: str, options: dict[str, Any]) -> None:
        await pod(server)
        await self.budget(server, allowed=1)
        before = server.store.revision
        assert (await self.evict(server, query, **options)).code == 201
        assert server.store.revision == before

    async def test_pending_pods_take_nothing(self, server: fakes.FakeServer) -> None:
        await pod(server, node="", phase="Pending")
        await self.budget(server, allowed=0)
        assert (await self.evict(server)).code == 201

    async def test_two_budgets_are_too_many(self, server: fakes.FakeServer) -> None:
        await pod(server)
        await self.budget(server, allowed=1)
        await self.budget(server, allowed=1, name="other")
        answer = await self.evict(server)
        assert answer.code == 500
        assert "more than one PodDisruptionBudget" in answer.message

    async def test_names_must_agree(self, server: fakes.FakeServer) -> None:
        await pod(server)
        answer = await server.ask("POST", f"{PODS}/p/eviction", {"metadata": {"name": "other"}})
        assert answer.code == 400


class TestBinding:
    def body(self, node: str = "n1", **meta: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "p", **meta},
            "target": {"kind": "Node", "name": node},
        }

    @pytest.mark.parametrize("path", [f"{PODS}/p/binding", "/api/v1/namespaces/default/bindings"])
    async def test_assigns_once(self, server: fakes.FakeServer, path: str) -> None:
        await server.client.create(fakes.pod("p"))
        assert (await server.ask("POST", path, self.body())).code == 201
        bound = await find(server)
        assert bound is not None
        assert bound.spec.nodeName == "n1"
        (condition,) = bound.status.conditions
        assert (condition.type, condition.status) == ("PodScheduled", "True")
        answer = await server.ask("POST", path, self.body("n2"))
        assert answer.code == 409
        assert 'pod p is already assigned to node "n1"' in answer.message

    async def test_changes_nothing_else(self, server: fakes.FakeServer) -> None:
        """It is written below the books of managed fields, and a nomination has had its time."""
        made = await server.client.create(fakes.pod("p"))
        status = {
            "nominatedNodeName": "n2",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"},
                {"type": "example.com/gate", "status": "False"},
            ],
        }
        await server.client.patch(core_v1.Pod, "p", "default", {"status": status}, subresource="status")
        before = await find(server)
        assert before is not None
        dry = f"{PODS}/p/binding?dryRun=All"
        assert (await server.ask("POST", dry, self.body())).code == 201
        assert await find(server) == before
        body = self.body(uid=made.metadata.uid, resourceVersion=before.metadata.resourceVersion)
        body["metadata"] |= {"labels": {"zone": "a"}, "annotations": {"told": "b"}}
        assert (await server.ask("POST", f"{PODS}/p/binding", body)).code == 201
        bound = await find(server)
        assert bound is not None
        assert bound.metadata.managedFields == before.metadata.managedFields
        assert bound.metadata.generation == before.metadata.generation
        assert (bound.metadata.labels["zone"], bound.metadata.annotations["told"]) == ("a", "b")
        assert bound.status.nominatedNodeName == ""
        scheduled, gate = bound.status.conditions
        assert (scheduled.type, scheduled.status, scheduled.reason, scheduled.message) == (
            "PodScheduled",
            "True",
            "",
            "",
        )
        assert gate == before.status.conditions[1]

    async def test_two_at_once(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.pod("p"))
        path = f"{PODS}/p/binding"
        answers = await asyncio.gather(*(server.ask("POST", path, self.body(f"n{number}")) for number in range(5)))
        assert sorted(answer.code for answer in answers) == [201, 409, 409, 409, 409]

    async def test_refusals(self, server: fakes.FakeServer) -> None:
        await server.client.create(fakes.pod("p"))
        path = f"{PODS}/p/binding"
        stale = await server.ask("POST", path, self.body(resourceVersion="1"))
        assert stale.code == 409
        assert (
            "Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: " in stale.message
        )
        assert (await server.ask("POST", path, self.body(""))).code == 422
        assert (await server.ask("POST", path, self.body(uid="other"))).code == 409
        assert (await server.ask("POST", path, {**self.body(), "target": {"kind": "Pod", "name": "x"}})).code == 422
        assert (await server.ask("POST", path, {**self.body(), "metadata": {"name": "q"}})).code == 400
        assert (await server.ask("POST", f"{PODS}/q/binding", self.body(name="q"))).code == 404
