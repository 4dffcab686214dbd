from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.types import apps_v1, core_v1
from pybernetes.testing import Cluster


def stateful_set(replicas: int = 3, image: str = "nginx:1", *, claims: bool = False, **spec: Any) -> dict[str, Any]:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **({"volumeClaimTemplates": [claim]} if claims else {}),
            **spec,
        },
    }


async def pods(c: Cluster) -> dict[str, core_v1.Pod]:
    return {pod.metadata.name: pod for pod in (await c.client().list(core_v1.Pod, "default")).items}


async def images(c: Cluster) -> dict[str, str]:
    return {name: pod.spec.containers[0].image for name, pod in (await pods(c)).items()}


def creations(c: Cluster) -> list[str]:
    made = ("create", "pods", "", 201)
    return [call.name for call in c.calls if (call.verb, call.resource, call.subresource, call.code) == made]


async def test_pods_come_in_order_with_names_of_their_own() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply(stateful_set(ordinals={"start": 5}))
        await c.advance("1m")
        assert creations(c) == ["db-5", "db-6", "db-7"]
        pod = (await pods(c))["db-6"]
        assert pod.metadata.labels["statefulset.kubernetes.io/pod-name"] == "db-6"
        assert pod.metadata.labels["apps.kubernetes.io/pod-index"] == "6"
        assert (pod.spec.hostname, pod.spec.subdomain) == ("db-6", "db")
        status = (await c.client().get(apps_v1.StatefulSet, "db", "default")).status
        assert (status.replicas, status.readyReplicas, status.availableReplicas) == (3, 3, 3)
        assert status.currentRevision == status.updateRevision


async def test_an_unready_pod_holds_up_ordered_ones_but_not_parallel_ones() -> None:
    for policy, count in (("OrderedReady", 1), ("Parallel", 3)):
        async with Cluster(nodes=2, virtual=True, seed=1) as c:
            await c.apply(stateful_set(image="unpullable:1", podManagementPolicy=policy))
            await c.advance("5m")
            assert len(await pods(c)) == count


async def test_updates_go_from_the_last_down_to_the_partition() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        await c.apply(stateful_set(updateStrategy=rolling))
        await c.advance("1m")
        await c.apply(stateful_set(image="nginx:2", updateStrategy=rolling))
        await c.advance("1m")
        assert await images(c) == {"db-0": "nginx:1", "db-1": "nginx:1", "db-2": "nginx:2"}
        status = (await c.client().get(apps_v1.StatefulSet, "db", "default")).status
        assert (status.updatedReplicas, status.currentReplicas) == (1, 2)
        await c.apply(stateful_set(image="nginx:2"))
        await c.apply({**stateful_set(image="nginx:2"), "spec": {**stateful_set(image="nginx:2")["spec"],
                       "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}})  # fmt: skip
        await c.advance("1m")
        assert set((await images(c)).values()) == {"nginx:2"}


async def test_on_delete_waits_for_the_user() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply(stateful_set(updateStrategy={"type": "OnDelete"}))
        await c.advance("1m")
        await c.apply(stateful_set(image="nginx:2", updateStrategy={"type": "OnDelete"}))
        await c.advance("1m")
        assert set((await images(c)).values()) == {"nginx:1"}
        await c.client().delete(core_v1.Pod, "db-1", "default")
        await c.advance("1m")
        assert (await images(c))["db-1"] == "nginx:2"


async def test_claims_are_kept_or_go_as_the_policy_says() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
        given_ = stateful_set(claims=True, podManagementPolicy="Parallel", persistentVolumeClaimRetentionPolicy=policy)
        await c.apply(given_)
        await c.advance("1m")
        claims = {one.metadata.name for one in (await c.client().list(core_v1.PersistentVolumeClaim, "default")).items}
        assert claims == {"data-db-0", "data-db-1", "data-db-2"}
        given_["spec"]["replicas"] = 1
        await c.apply(given_)
        await c.advance("2m")
        claims = {one.metadata.name for one in (await c.client().list(core_v1.PersistentVolumeClaim, "default")).items}
        assert claims == {"data-db-0"}


async def test_a_failed_pod_is_made_again() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply(stateful_set(1))
        await c.advance("1m")
        before = (await pods(c))["db-0"].metadata.uid
        await c.client().patch(core_v1.Pod, "db-0", "default", {"status": {"phase": "Failed"}}, subresource="status")
        await c.advance("1m")
        pod = (await pods(c))["db-0"]
        assert pod.metadata.uid != before
        assert pod.status.phase == "Running"
        told = (await c.client().list(core_v1.Event, "default")).items
        assert any(event.reason == "RecreatingFailedPod" for event in told)


@settings(max_examples=6, deadline=None)
@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_ordered_sets_never_have_a_pod_without_those_before_it(sizes: list[int], seed: int) -> None:
    async def story() -> None:
        async with Cluster(nodes=2, virtual=True, seed=seed) as c:
            for number, size in enumerate(sizes):
                await c.apply(stateful_set(size, f"nginx:{number}"))
                for _ in range(4):
                    await c.advance(c.chance.uniform(0.0, 2.0))
                    alive = {name for name, pod in (await pods(c)).items() if pod.metadata.deletionTimestamp is None}
                    assert len(alive) <= max(sizes)
            await c.advance("5m")
            assert set(await pods(c)) == {f"db-{ordinal}" for ordinal in range(sizes[-1])}

    import asyncio

    asyncio.run(story())
