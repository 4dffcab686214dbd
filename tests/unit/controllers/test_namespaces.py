from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import Call
from tests.fakes.cluster import FakeCluster


def going(name: str = "old") -> core_v1.Namespace:
    meta = meta_v1.ObjectMeta(name=name, deletionTimestamp="2026-01-01T00:00:00Z")
    return core_v1.Namespace(metadata=meta, spec=core_v1.NamespaceSpec(finalizers=["kubernetes"]))


def told(cluster: FakeCluster) -> dict[str, tuple[str, str]]:
    found = cluster.api.find(core_v1.Namespace, "old")
    return {c.type: (c.status, c.reason) for c in found.status.conditions}


async def test_stays_while_something_cannot_be_discovered() -> None:
    async with FakeCluster(only="namespace-controller") as cluster:
        broken = True

        def refuse(call: Call) -> Exception | None:
            if broken and call.path == "/apis/batch/v1":
                return errors.unavailable("the server is currently unable to handle the request")
            return None

        cluster.api.fail(refuse)
        cluster.api.seed(going())
        await cluster.settled()
        assert told(cluster)["NamespaceDeletionDiscoveryFailure"] == ("True", "DiscoveryFailed")
        broken = False
        await cluster.clock.advance(60)
        await cluster.settled()
        found = cluster.api.find(core_v1.Namespace, "old")
        assert found is None or found.spec.finalizers == []


async def test_waits_for_what_has_finalizers_for_days() -> None:
    async with FakeCluster(only="namespace-controller") as cluster:
        held = core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="held", namespace="old", finalizers=["mine/hold"]))
        cluster.api.seed(held, going())
        for _ in range(20):
            await cluster.clock.advance(600)
            await cluster.settled()
        assert told(cluster)["NamespaceFinalizersRemaining"] == ("True", "SomeFinalizersRemain")
        cluster.api.remove(cluster.api.find(core_v1.ConfigMap, "held", "old"))
        await cluster.clock.advance(60)
        await cluster.settled()
        found = cluster.api.find(core_v1.Namespace, "old")
        assert found is None or found.spec.finalizers == []
