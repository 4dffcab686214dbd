"""Pods get the claims that their templates say, and claims are free when their pods are done."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.controllers.resourceclaim import controller, decide
from pybernetes.testing import Cluster
from tests.fakes.cluster import FakeCluster
from tests.unit.controllers.resourceclaim.test_decide import claim, pod

TEMPLATE = {
    "metadata": {"name": "gpus", "namespace": "default"},
    "spec": {"spec": {"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": "gpu"}}]}}},
}


def template() -> resource_v1.ResourceClaimTemplate:
    return codecs.from_tree(resource_v1.ResourceClaimTemplate, TEMPLATE)


def claims(cluster: FakeCluster) -> list[Any]:
    return cluster.api.all(resource_v1.ResourceClaim)


async def test_a_claim_is_made_once_and_named_in_the_status() -> None:
    async with FakeCluster(only=controller.NAME, kubelet=False) as cluster:
        cluster.api.seed(pod())
        await cluster.settled()
        assert cluster.events("FailedResourceClaimCreation") == [
            (
                'PodResourceClaim gpu: resource claim template "gpus": '
                'resourceclaimtemplate.resource.k8s.io "gpus" not found'
            )
        ]
        cluster.api.seed(template())
        await cluster.settled()
        (made,) = claims(cluster)
        found = cluster.api.find(core_v1.Pod, "p", "default")
        assert decide.names(found) == {"gpu": made.metadata.name, "disk": "shared"}
        assert owner_uid(made) == "uid-p"


def owner_uid(made: Any) -> str:
    (reference,) = made.metadata.ownerReferences
    return str(reference.uid)


async def test_a_status_that_could_not_be_written_makes_no_second_claim() -> None:
    async with FakeCluster(only=controller.NAME, kubelet=False) as cluster:
        failures = [ConnectionError("cut")] * 3

        def fail(call: Any) -> Exception | None:
            return failures.pop() if call.method == "PATCH" and failures else None

        cluster.api.fail(fail)
        cluster.api.seed(template(), pod())
        await cluster.settled()
        await cluster.clock.advance(5)
        (made,) = claims(cluster)
        assert decide.names(cluster.api.find(core_v1.Pod, "p", "default"))["gpu"] == made.metadata.name


async def test_a_claim_that_vanished_is_made_again() -> None:
    async with FakeCluster(only=controller.NAME, kubelet=False) as cluster:
        cluster.api.seed(template(), pod())
        await cluster.settled()
        (first,) = claims(cluster)
        cluster.api.remove(first)
        await cluster.settled()
        (second,) = claims(cluster)
        assert second.metadata.uid != first.metadata.uid
        assert decide.names(cluster.api.find(core_v1.Pod, "p", "default"))["gpu"] == second.metadata.name


async def test_a_shared_claim_is_free_when_its_last_pod_is_done() -> None:
    async with FakeCluster(only=controller.NAME, kubelet=False) as cluster:
        first, second = pod("a", node="n"), pod("b", node="n")
        for one in (first, second):
            del one.spec.resourceClaims[0]
        cluster.api.seed(first, second, claim("shared", users=("a",)))
        await cluster.settled()
        (shared,) = claims(cluster)
        assert [user.name for user in shared.status.reservedFor] == ["a", "b"]
        cluster.finish_pod(first)
        await cluster.settled()
        (shared,) = claims(cluster)
        assert [user.name for user in shared.status.reservedFor] == ["b"]
        cluster.api.remove(second)
        await cluster.settled()
        (shared,) = claims(cluster)
        assert (shared.status.reservedFor, shared.status.allocation, shared.metadata.finalizers) == ([], None, [])


async def test_a_claim_of_a_done_pod_goes() -> None:
    async with FakeCluster(only=controller.NAME, kubelet=False) as cluster:
        one = pod(node="n")
        cluster.api.seed(template(), one)
        await cluster.settled()
        cluster.finish_pod(one)
        await cluster.settled()
        assert claims(cluster) == []


async def test_with_the_scheduler_and_its_devices() -> None:
    async with Cluster(virtual=True) as cluster:
        client = cluster.client()
        await cluster.apply(
            [
                {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "gpu"}, "spec": {}},
                {
                    "apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "s"},
                    "spec": {
                        "driver": "example.com", "nodeName": "node-1",
                        "pool": {"name": "node-1", "resourceSliceCount": 1, "generation": 1},
                        "devices": [{"name": "gpu-0"}],
                    },
                },
                {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate"} | TEMPLATE,
                *(user(name) for name in ("p", "q")),
            ]
        )  # fmt: skip
        await cluster.settled()
        await cluster.advance("10s")
        running = {one.metadata.name: one for one in (await client.list(core_v1.Pod, "default")).items}
        placed = [name for name, one in running.items() if one.spec.nodeName]
        assert len(placed) == 1
        await client.delete(core_v1.Pod, placed[0], "default", grace=0)
        await cluster.advance("2m")
        (left,) = (await client.list(core_v1.Pod, "default")).items
        assert left.spec.nodeName == "node-1"
        (held,) = (await client.list(resource_v1.ResourceClaim, "default")).items
        assert [user.name for user in held.status.reservedFor] == [left.metadata.name]


def user(name: str) -> dict[str, Any]:
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpus"}],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
