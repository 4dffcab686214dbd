"""Garbage collection and namespace deletion over the fake API."""

from __future__ import annotations

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers import owners
from tests.fakes.cluster import FakeCluster

ONLY = "garbage-collector-controller,namespace-controller"


def config_map(name: str, *owned_by: object, finalizers: tuple[str, ...] = ()) -> core_v1.ConfigMap:
    references = [owners.reference_to(owner) for owner in owned_by]
    meta = meta_v1.ObjectMeta(
        name=name, namespace="default", uid=f"uid-{name}", ownerReferences=references, finalizers=list(finalizers)
    )
    return core_v1.ConfigMap(metadata=meta)


def names(cluster: FakeCluster) -> list[str]:
    return sorted(one.metadata.name for one in cluster.api.all(core_v1.ConfigMap))


async def test_what_nobody_owns_any_more_goes_with_all_below() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        a = cluster.api.seed(config_map("a"))
        b = cluster.api.seed(config_map("b", a))
        cluster.api.seed(config_map("c", b), config_map("free"))
        await cluster.settled()
        await cluster.client.delete(core_v1.ConfigMap, "a", "default", propagation="Background")
        await cluster.settled()
        assert names(cluster) == ["free"]


async def test_one_living_owner_is_enough() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        a, b = cluster.api.seed(config_map("a")), cluster.api.seed(config_map("b"))
        cluster.api.seed(config_map("c", a, b))
        await cluster.settled()
        await cluster.client.delete(core_v1.ConfigMap, "a", "default")
        await cluster.settled()
        assert names(cluster) == ["b", "c"]
        left = cluster.api.find(core_v1.ConfigMap, "c", "default").metadata.ownerReferences
        assert [reference.name for reference in left] == ["b"]


async def test_foreground_waits_for_blocking_dependents() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        a = cluster.api.seed(config_map("a"))
        held = cluster.api.seed(config_map("b", a, finalizers=("test/hold",)))
        await cluster.settled()
        await cluster.client.delete(core_v1.ConfigMap, "a", "default", propagation="Foreground")
        await cluster.settled()
        assert names(cluster) == ["a", "b"]
        assert cluster.api.find(core_v1.ConfigMap, "b", "default").metadata.deletionTimestamp is not None
        cluster.api.remove(held)
        await cluster.clock.advance(5)
        assert names(cluster) == []


async def test_orphans_stay_and_forget_their_owner() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        a = cluster.api.seed(config_map("a"))
        cluster.api.seed(config_map("b", a))
        await cluster.settled()
        await cluster.client.delete(core_v1.ConfigMap, "a", "default", propagation="Orphan")
        await cluster.settled()
        assert names(cluster) == ["b"]
        assert cluster.api.find(core_v1.ConfigMap, "b", "default").metadata.ownerReferences == []


async def test_an_owner_that_never_was_is_looked_up() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        ghost = config_map("ghost")
        real = cluster.api.seed(apps_v1.ReplicaSet(metadata=meta_v1.ObjectMeta(name="rs", namespace="default")))
        cluster.api.seed(config_map("a", ghost), config_map("b", real))
        await cluster.settled()
        assert names(cluster) == ["b"]


async def test_an_owner_of_the_same_name_but_another_uid_is_not_the_owner() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        impostor = config_map("a")
        impostor.metadata.uid = "other"
        cluster.api.seed(impostor, config_map("b", config_map("a")))
        await cluster.settled()
        assert names(cluster) == ["a"]


def namespace(name: str) -> core_v1.Namespace:
    return core_v1.Namespace(
        metadata=meta_v1.ObjectMeta(name=name),
        spec=core_v1.NamespaceSpec(finalizers=["kubernetes"]),
        status=core_v1.NamespaceStatus(phase="Active"),
    )


async def pass_time(cluster: FakeCluster) -> None:
    """Ten seconds, with time for the requests of a pass over all resources after each."""
    for _ in range(10):
        await cluster.settled()
        await cluster.clock.advance(1)


async def test_a_namespace_goes_with_all_that_is_in_it() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(namespace("default"), namespace("other"), config_map("a"))
        pod = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p", namespace="default"))
        pod.spec.terminationGracePeriodSeconds = 30
        cluster.api.seed(pod)
        await cluster.settled()
        await cluster.client.delete(core_v1.Namespace, "default")
        await pass_time(cluster)
        assert [one.metadata.name for one in cluster.api.all(core_v1.Namespace)] == ["other"]
        assert names(cluster) == []


async def test_a_namespace_says_what_holds_it_up() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(namespace("default"), config_map("a", finalizers=("test/hold",)))
        await cluster.settled()
        await cluster.client.delete(core_v1.Namespace, "default")
        await pass_time(cluster)
        status = cluster.api.find(core_v1.Namespace, "default").status
        assert status.phase == "Terminating"
        told = {c.type: (c.status, c.reason, c.message) for c in status.conditions}
        assert told["NamespaceContentRemaining"] == (
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: configmaps. has 1 resource instances",
        )
        assert told["NamespaceFinalizersRemaining"] == (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: test/hold in 1 resource instances",
        )
        assert told["NamespaceDeletionDiscoveryFailure"][0] == "False"
        cluster.api.remove(cluster.api.find(core_v1.ConfigMap, "a", "default"))
        await pass_time(cluster)
        assert cluster.api.find(core_v1.Namespace, "default") is None
