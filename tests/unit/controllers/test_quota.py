from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import codecs, errors, quantity
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.testing import Cluster


def quota(**hard: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}}


def pod(name: str, cpu: str = "100m") -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    spec = {"containers": [{"name": "c", "image": "x", "resources": resources}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def used(c: Cluster, name: str = "q") -> dict[str, str]:
    found = (await c.client().get(core_v1.ResourceQuota, name, "default")).status.used
    return {name: str(amount) for name, amount in found.items()}


async def outcome(c: Cluster, tree: dict[str, Any]) -> str:
    try:
        await c.apply(tree)
    except errors.StatusError as error:
        return str(error)
    return ""


async def test_what_goes_is_counted_back() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(quota(pods="5", **{"requests.cpu": "1"}))
        await c.advance("2s")
        await c.apply([pod("a"), pod("b")])
        assert await used(c) == {"pods": "2", "requests.cpu": "200m"}
        await c.client().delete(core_v1.Pod, "a", "default")
        await c.advance("3s")
        assert await used(c) == {"pods": "1", "requests.cpu": "100m"}


async def test_an_ended_pod_does_not_count() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(quota(pods="1"))
        await c.advance("2s")
        short = pod("a")
        short["metadata"]["annotations"] = {"simulated.pybernetes.io/run-seconds": "5"}
        short["spec"]["restartPolicy"] = "Never"
        await c.apply(short)
        await c.advance("10s")
        assert await used(c) == {"pods": "0"}


async def test_refusals_say_what_is_missing() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(quota(pods="1", **{"requests.cpu": "1"}))
        await c.advance("2s")
        assert await outcome(c, pod("big", "2")) == (
            'pods "big" is forbidden: exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=0, '
            "limited: requests.cpu=1"
        )
        assert await outcome(c, pod("none", "")) == (
            'pods "none" is forbidden: failed quota: q: must specify requests.cpu for: c'
        )


async def test_any_resource_is_counted_custom_ones_too() -> None:
    schema = {"openAPIV3Schema": {"type": "object"}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "cogs.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "cogs", "singular": "cog", "kind": "Cog"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    cog = {"apiVersion": "example.com/v1", "kind": "Cog", "metadata": {"name": "one"}}
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(crd)
        await c.advance("2s")
        await c.apply(quota(**{"count/cogs.example.com": "1"}))
        await c.advance("2s")
        await c.apply(cog)
        assert await used(c) == {"count/cogs.example.com": "1"}
        assert "exceeded quota: q" in await outcome(c, {**cog, "metadata": {"name": "two"}})


async def test_claims_count_for_the_volume_that_they_have() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        limits = quota(**{"requests.storage": "10Gi"})
        for name, operator in (("q", "In"), ("others", "NotIn")):
            term = {"scopeName": "VolumeAttributesClass", "operator": operator, "values": ["silver"]}
            limits["metadata"]["name"] = name
            limits["spec"]["scopeSelector"] = {"matchExpressions": [term]}
            await c.apply(limits)
        await c.advance("2s")
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
            "volumeAttributesClassName": "gold",
        }
        meta = {"name": "data", "namespace": "default"}
        await c.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
        await c.advance("2s")
        assert await used(c) == {"requests.storage": "0"}
        claim = codecs.copy(await c.client().get(core_v1.PersistentVolumeClaim, "data", "default"))
        claim.status.modifyVolumeStatus = core_v1.ModifyVolumeStatus(
            status="InProgress", targetVolumeAttributesClassName="silver"
        )
        claim.status.allocatedResources = {"storage": quantity.Quantity("2Gi")}
        await c.client().update_status(claim)
        await c.advance("2s")
        assert await used(c) == {"requests.storage": "2Gi"}
        assert await used(c, "others") == {"requests.storage": "2Gi"}


def device_claim(name: str, *requests: dict[str, Any]) -> dict[str, Any]:
    named = [{"name": f"r{at}", **request} for at, request in enumerate(requests)]
    meta, spec = {"name": name, "namespace": "default"}, {"devices": {"requests": named}}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": meta, "spec": spec}


async def test_device_claims_count_for_what_they_can_come_to_hold() -> None:
    gold, iron = "gold.deviceclass.resource.k8s.io/devices", "iron.deviceclass.resource.k8s.io/devices"
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(quota(**{gold: "4", iron: "40"}))
        await c.advance("2s")
        assert await used(c) == {gold: "0", iron: "0"}
        alternatives = [
            {"name": "a", "deviceClassName": "gold", "count": 2},
            {"name": "b", "deviceClassName": "gold"},
            {"name": "c", "deviceClassName": "iron", "allocationMode": "All"},
        ]
        await c.apply(device_claim("a", {"exactly": {"deviceClassName": "gold"}}, {"firstAvailable": alternatives}))
        await c.advance("2s")
        assert await used(c) == {gold: "3", iron: "32"}
        assert await outcome(c, device_claim("b", {"exactly": {"deviceClassName": "gold", "count": 2}})) == (
            'resourceclaims.resource.k8s.io "b" is forbidden: exceeded quota: q, '
            f"requested: {gold}=2, used: {gold}=3, limited: {gold}=4"
        )
        await c.client().delete(resource_v1.ResourceClaim, "a", "default")
        await c.advance("3s")
        assert await used(c) == {gold: "0", iron: "0"}


async def test_claims_count_for_the_extended_resources_of_their_classes() -> None:
    gold, gpu = "requests.deviceclass.resource.kubernetes.io/gold", "requests.example.com/gpu"
    kind = {
        "apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "gold"},
        "spec": {"extendedResourceName": "example.com/gpu"},
    }  # fmt: skip
    # The scheduler would take away the claim of a pod that it finds no device for.
    async with Cluster(virtual=True, seed=1, scheduler=False) as c:
        await c.apply(quota(**{gold: "4", gpu: "3"}))
        await c.advance("2s")
        await c.apply(device_claim("early", {"exactly": {"deviceClassName": "gold"}}))
        # No class of that name says yet what it stands behind.
        await c.advance("2s")
        assert await used(c) == {gold: "0", gpu: "0"}
        await c.apply(kind)
        await c.advance("2s")
        assert await used(c) == {gold: "1", gpu: "1"}
        asking = pod("asking")
        asking["spec"]["containers"][0]["resources"] = {"limits": {"example.com/gpu": "1"}}
        await c.apply(asking)
        assert await used(c) == {gold: "1", gpu: "2"}
        wanted = device_claim("late", {"exactly": {"deviceClassName": "gold", "count": 2}})
        assert await outcome(c, wanted) == (
            'resourceclaims.resource.k8s.io "late" is forbidden: exceeded quota: q, '
            f"requested: {gpu}=2, used: {gpu}=2, limited: {gpu}=3"
        )
        # What is made for the pod is not counted twice.
        owner = await c.client().get(core_v1.Pod, "asking", "default")
        own = device_claim("own", {"exactly": {"deviceClassName": "gold"}})
        reference = {"apiVersion": "v1", "kind": "Pod", "name": "asking", "uid": owner.metadata.uid, "controller": True}
        annotations = {"resource.kubernetes.io/extended-resource-claim": "true"}
        own["metadata"] |= {"annotations": annotations, "ownerReferences": [reference]}
        assert await outcome(c, own) == ""
        assert await used(c) == {gold: "2", gpu: "2"}
        await c.advance("10m")
        assert await used(c) == {gold: "2", gpu: "2"}
        await c.client().delete(resource_v1.ResourceClaim, "early", "default")
        await c.advance("3s")
        assert await used(c) == {gold: "1", gpu: "1"}


async def test_scopes_decide_whom_a_quota_is_for() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply({**quota(pods="1"), "spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}})
        await c.advance("2s")
        assert await outcome(c, pod("counted", "")) == ""
        assert await outcome(c, pod("other")) == ""
        assert "exceeded quota" in await outcome(c, pod("more", ""))


@settings(max_examples=8, deadline=None)
@given(
    wishes=st.lists(st.sampled_from(["100m", "250m", "400m", "1"]), min_size=2, max_size=12),
    seed=st.integers(0, 10_000),
)
def test_no_quota_is_overrun_however_many_come_at_once(wishes: list[str], seed: int) -> None:
    async def story() -> None:
        async with Cluster(virtual=True, seed=seed) as c:
            await c.apply(quota(pods="6", **{"requests.cpu": "1"}))
            await c.advance("2s")
            with c.fault(agent="kube-controller-manager", delay=0.5, probability=0.3):
                await asyncio.gather(*(outcome(c, pod(f"p{n}", cpu)) for n, cpu in enumerate(wishes)))
                there = (await c.client().list(core_v1.Pod, "default")).items
                for one in there[: c.chance.below(len(there) + 1)]:
                    await c.client().delete(core_v1.Pod, one.metadata.name, "default", grace=0)
                await asyncio.gather(*(outcome(c, pod(f"q{n}", cpu)) for n, cpu in enumerate(wishes)))
            there = (await c.client().list(core_v1.Pod, "default")).items
            asked = quantity.total(one.spec.containers[0].resources.requests["cpu"] for one in there)
            assert len(there) <= 6
            assert quantity.compare(asked, "1") <= 0
            await c.advance("10m")
            assert await used(c) == {"pods": str(len(there)), "requests.cpu": str(asked)}

    asyncio.run(story())
