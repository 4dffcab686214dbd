"""Pods whose devices must be made ready before the binding: scheduler, claims controller and API server together."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.kits import prometheus
from pybernetes.scheduler import metrics
from pybernetes.testing import Cluster

DRIVER = "gpu.example.com"
CLASS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: "device.driver == 'gpu.example.com'"}}], extendedResourceName: example.com/gpu}
"""
SLICE = """
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: %(node)s}
spec:
  driver: gpu.example.com
  nodeName: %(node)s
  pool: {name: %(node)s, generation: 1, resourceSliceCount: 1}
  devices:
  - name: g0
    bindsToNode: true
    bindingConditions: [Attached, Flashed]
    bindingFailureConditions: [Broken]
"""
CLAIM = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: c, namespace: default}
spec: {devices: {requests: [{name: r, exactly: {deviceClassName: gpu}}]}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default}
spec:
  containers: [{name: c, image: app, resources: {claims: [{name: gpu}]}}]
  resourceClaims: [{name: gpu, resourceClaimName: c}]
"""
EXTENDED = """
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: default}
spec: {containers: [{name: c, image: app, resources: {limits: {example.com/gpu: 1}}}]}
"""


class Rack:
    """A cluster with a device on each node, and what their driver says of them."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.client = cluster, cluster.client("driver")

    async def claim(self, name: str = "c") -> resource_v1.ResourceClaim:
        return await self.client.get(resource_v1.ResourceClaim, name, "default")

    async def device(self) -> resource_v1.DeviceRequestAllocationResult | None:
        allocation = (await self.claim()).status.allocation
        return allocation.devices.results[0] if allocation is not None else None

    async def pod(self, name: str = "a") -> core_v1.Pod:
        return await self.client.get(core_v1.Pod, name, "default")

    async def told(self, reason: str) -> list[str]:
        events = (await self.client.list(core_v1.Event, "default")).items
        return [event.message for event in events if event.reason == reason]

    async def tell(self, *kinds: str, about: str = "c", reason: str = "Told", message: str = "") -> None:
        """Have the driver set these conditions on the claim's device."""
        claim = codecs.copy(await self.claim(about))
        assert claim.status.allocation is not None
        given = claim.status.allocation.devices.results[0]
        conditions = [
            {"type": kind, "status": "True", "reason": reason, "message": message,
             "lastTransitionTime": "2026-01-01T00:00:00Z"} for kind in kinds
        ]  # fmt: skip
        told = {"driver": given.driver, "pool": given.pool, "device": given.device, "conditions": conditions}
        claim.status.devices = [codecs.from_tree(resource_v1.AllocatedDeviceStatus, told)]
        await self.client.update_status(claim)
        await self.cluster.settled()

    async def withdraw(self, node: str) -> None:
        """Nobody else is to get the device of that node."""
        known = codecs.copy(await self.client.get(resource_v1.ResourceSlice, node))
        known.spec.devices[0].taints = [resource_v1.DeviceTaint(key="broken", effect="NoSchedule")]
        await self.client.update(known)


async def rack(*, nodes: int) -> Any:
    async with Cluster(nodes=nodes, virtual=True, seed=1) as cluster:
        await cluster.apply(CLASS)
        for number in range(nodes):
            await cluster.apply(SLICE % {"node": f"node-{number + 1}"})
        await cluster.apply(CLAIM)
        await cluster.apply(POD % "a")
        await cluster.settled()
        yield Rack(cluster)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[metrics.Metrics]:
    """What the scheduler counts that is started next."""
    made: list[metrics.Metrics] = []

    class Kept(metrics.Metrics):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(metrics, "Metrics", Kept)
    return made


def told_of_devices(counted: list[metrics.Metrics]) -> dict[str, tuple[float, int]]:
    """By outcome: the seconds waited altogether, and how many devices with conditions."""
    families = {family.name: family for family in counted[0].families({})}
    waited = families["scheduler_dra_bindingconditions_wait_duration_seconds"].samples
    numbers = {
        labels["status"]: number
        for labels, number in families["scheduler_dra_bindingconditions_allocations_total"].samples
    }
    found = {}
    for labels, timed in waited:
        assert isinstance(timed, prometheus.Histogram)
        assert (labels["profile"], labels["driver"]) == ("default-scheduler", DRIVER)
        number = numbers[labels["status"]]
        assert isinstance(number, int)
        found[labels["status"]] = round(timed.sum), number
    return found


@pytest.fixture
async def one() -> Any:
    async for made in rack(nodes=1):
        yield made


@pytest.fixture
async def two() -> Any:
    async for made in rack(nodes=2):
        yield made


async def test_the_pod_waits_until_all_conditions_hold(counted: list[metrics.Metrics], one: Rack) -> None:
    given = await one.device()
    assert given is not None
    assert (given.bindingConditions, given.bindingFailureConditions) == (["Attached", "Flashed"], ["Broken"])
    assert (await one.pod()).spec.nodeName == ""
    assert await one.told("BindingConditionsPending") == ["waiting for binding conditions for device on node node-1"]
    await one.cluster.advance("5m")
    await one.tell("Attached")
    assert (await one.pod()).spec.nodeName == ""
    await one.tell("Attached", "Flashed")
    found = await one.pod()
    assert (found.spec.nodeName, found.status.phase) == ("node-1", "Running")
    assert [user.name for user in (await one.claim()).status.reservedFor] == ["a"]
    assert told_of_devices(counted) == {"success": (300, 1)}


async def test_a_device_that_fails_is_taken_back_and_another_found(counted: list[metrics.Metrics], two: Rack) -> None:
    given = await two.device()
    assert given is not None
    await two.withdraw(given.pool)
    await two.tell("Broken", reason="Fire", message="it burns")
    assert (await two.told("FailedScheduling"))[0] == (
        'running PreBind plugin "DynamicResources": device binding failed: claim=c, reason=Fire, message="it burns"'
    )
    await two.cluster.advance("10s")
    other = await two.device()
    assert other is not None
    assert {given.pool, other.pool} == {"node-1", "node-2"}
    assert (await two.claim()).status.devices == []
    await two.tell("Attached", "Flashed")
    assert (await two.pod()).spec.nodeName == other.pool
    assert {outcome: number for outcome, (_, number) in told_of_devices(counted).items()} == {
        "failure": 1,
        "success": 1,
    }


async def test_a_device_that_is_not_ready_in_time_is_taken_back_and_another_found(
    counted: list[metrics.Metrics], two: Rack
) -> None:
    given = await two.device()
    assert given is not None
    await two.withdraw(given.pool)
    await two.cluster.advance("599s")
    assert await two.told("FailedScheduling") == []
    await two.cluster.advance("15s")
    assert (await two.told("FailedScheduling"))[0] == (
        'running PreBind plugin "DynamicResources": device binding timeout: context deadline exceeded'
    )
    assert told_of_devices(counted) == {"timeout": (600, 1)}
    other = await two.device()
    assert other is not None
    assert {given.pool, other.pool} == {"node-1", "node-2"}
    await two.tell("Attached", "Flashed")
    assert (await two.pod()).spec.nodeName == other.pool


async def test_pods_that_share_a_claim_have_the_time_that_is_left_of_its(one: Rack) -> None:
    await one.cluster.advance("8m")
    await one.cluster.apply(POD % "b")
    await one.cluster.settled()
    assert len(await one.told("BindingConditionsPending")) == 2
    await one.cluster.advance("119s")
    assert await one.told("FailedScheduling") == []
    await one.cluster.advance("2s")
    assert {
        'running PreBind plugin "DynamicResources": device binding timeout: claim=c',
        'running PreBind plugin "DynamicResources": device binding timeout: context deadline exceeded',
    } <= set(await one.told("FailedScheduling"))
    await one.cluster.advance("1m")
    await one.tell("Attached", "Flashed")
    assert [(await one.pod(name)).spec.nodeName for name in "ab"] == ["node-1", "node-1"]


async def test_a_pod_that_is_deleted_while_it_waits_leaves_the_device_to_others(one: Rack) -> None:
    await one.client.delete(core_v1.Pod, "a", "default")
    await one.cluster.settled()
    await one.cluster.apply(POD % "b")
    await one.cluster.settled()
    await one.tell("Attached", "Flashed")
    await one.cluster.advance("1m")
    assert (await one.pod("b")).spec.nodeName == "node-1"
    assert [user.name for user in (await one.claim()).status.reservedFor] == ["b"]


async def test_the_claim_made_for_an_extended_resource_waits_as_well_and_goes_when_it_fails(
    counted: list[metrics.Metrics], two: Rack
) -> None:
    await two.cluster.apply(EXTENDED)
    await two.cluster.settled()
    [made] = [one for one in (await two.client.list(resource_v1.ResourceClaim)).items if one.metadata.name != "c"]
    assert (await two.pod("plain")).spec.nodeName == ""
    await two.tell("Broken", about=made.metadata.name)
    await two.cluster.advance("30s")
    [other] = [one for one in (await two.client.list(resource_v1.ResourceClaim)).items if one.metadata.name != "c"]
    assert other.metadata.uid != made.metadata.uid
    await two.tell("Attached", "Flashed", about=other.metadata.name)
    found = await two.pod("plain")
    assert found.spec.nodeName
    assert found.status.extendedResourceClaimStatus is not None
    assert found.status.extendedResourceClaimStatus.resourceClaimName == other.metadata.name
    families = {family.name: family for family in counted[0].families({})}
    assert families["scheduler_resourceclaim_creates_total"].samples == [({"status": "success"}, 2)]
