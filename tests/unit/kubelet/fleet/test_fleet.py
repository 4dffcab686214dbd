from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import times
from pybernetes.api.types import coordination_v1, core_v1
from pybernetes.kubelet.fleet import fleet, nodes
from pybernetes.testing import Cluster


def node(name: str, **annotations: str) -> dict[str, Any]:
    notes = {nodes.ANNOTATION: "true"} | {f"simulated.pybernetes.io/{key}": value for key, value in annotations.items()}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "annotations": notes}}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    whole = {"containers": [{"name": "c", "image": "x"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


def ready(found: core_v1.Node | core_v1.Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in found.status.conditions)


async def test_an_annotated_node_is_taken_on_and_runs_pods() -> None:
    async with Cluster(nodes=0, virtual=True, seed=1) as c:
        await c.apply([node("extra", capacity="cpu=2,pods=3"), pod("a", nodeName="extra")])
        await c.advance("5s")
        found = await c.client().get(core_v1.Node, "extra")
        assert ready(found)
        assert str(found.status.allocatable["pods"]) == "3"
        assert (await c.client().get(core_v1.Pod, "a", "default")).status.phase == "Running"


async def test_other_nodes_are_left_alone() -> None:
    async with Cluster(nodes=0, virtual=True, seed=1) as c:
        await c.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "real"}}, pod("a", nodeName="real")])
        await c.advance("5s")
        assert not ready(await c.client().get(core_v1.Node, "real"))
        assert (await c.client().get(core_v1.Pod, "a", "default")).status.phase == "Pending"


@pytest.mark.parametrize(("count", "told"), [(2, {"Started", "Failed"}), (fleet.TALKATIVE + 1, {"Failed"})])
async def test_many_nodes_tell_only_what_goes_wrong(count: int, told: set[str]) -> None:
    async with Cluster(nodes=count, virtual=True, seed=1) as c:
        broken = pod("b", containers=[{"name": "c", "image": "unpullable"}])
        await c.apply([pod("a"), broken])
        await c.advance("5s")
        found = (await c.client().list(core_v1.Event, "default")).items
        reasons = {event.reason for event in found if event.source.component == "kubelet"}
        assert reasons & {"Started", "Failed"} == told


async def test_nodes_stay_ready_because_their_leases_are_renewed() -> None:
    async with Cluster(nodes=30, virtual=True, seed=1) as c:
        await c.advance("1h")
        assert all(ready(found) for found in (await c.client().list(core_v1.Node)).items)
        leases = (await c.client().list(coordination_v1.Lease, nodes.LEASES)).items
        assert len(leases) == 30
        seen = c.calls.seen
        await c.advance("100s")
        renewed = [call for call in c.calls.since(seen) if call.agent == "kubelet" and call.is_write]
        assert {call.resource for call in renewed} == {"leases"}
        assert len(renewed) == 30 * 4


async def test_addresses_are_of_the_node_s_range_and_differ() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply([pod(f"p{number}") for number in range(20)])
        await c.settled()
        found = (await c.client().list(core_v1.Pod, "default")).items
        ranges = {n.metadata.name: n.spec.podCIDR for n in (await c.client().list(core_v1.Node)).items}
        assert len({p.status.podIP for p in found}) == 20
        for p in found:
            assert p.status.podIP.rpartition(".")[0] == ranges[p.spec.nodeName].rpartition(".")[0]


async def test_a_deleted_node_takes_its_pods_along() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply([pod("a", nodeName="node-1"), pod("b", nodeName="node-2")])
        await c.settled()
        await c.client().delete(core_v1.Node, "node-1")
        await c.advance("2m")
        assert [p.metadata.name for p in (await c.client().list(core_v1.Pod, "default")).items] == ["b"]


async def test_finalizers_keep_an_ended_pod_with_its_last_status() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        held = pod("a")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await c.apply(held)
        await c.settled()
        await c.client().delete(core_v1.Pod, "a", "default")
        await c.advance("1m")
        found = await c.client().get(core_v1.Pod, "a", "default")
        assert found.metadata.deletionTimestamp
        assert found.status.containerStatuses[0].state.terminated is not None
        await c.client().patch(core_v1.Pod, "a", "default", {"metadata": {"finalizers": None}})
        await c.settled()
        assert (await c.client().list(core_v1.Pod, "default")).items == []


async def test_a_failed_renewal_is_tried_again_at_once() -> None:
    async with Cluster(nodes=1, virtual=True, seed=1) as c:
        with c.fault(agent="kubelet", resource="leases", code=503, times=1) as fault:
            await c.advance("40s")
            assert fault.struck == 1
        lease = await c.client().get(coordination_v1.Lease, "node-1", nodes.LEASES)
        assert c.clock.time() - times.parse(lease.spec.renewTime or "") < 30


async def test_a_pod_is_ready_again_after_its_node_was_taken_for_lost() -> None:
    async with Cluster(nodes=1, virtual=True, seed=1) as c:
        await c.apply(pod("a"))
        await c.advance("5s")
        with c.fault(agent="kubelet", code=503):
            await c.advance("2m")
            assert not ready(await c.client().get(core_v1.Pod, "a", "default"))
        await c.advance("2m")
        assert ready(await c.client().get(core_v1.Pod, "a", "default"))


async def test_refusals_of_a_status_and_of_the_end_are_not_the_last_word() -> None:
    async with Cluster(nodes=1, virtual=True, seed=1) as c:
        with c.fault(agent="kubelet", verb="patch", resource="pods", code=409, times=2) as fault:
            await c.apply(pod("a"))
            await c.advance("10s")
            assert fault.struck == 2
        assert ready(await c.client().get(core_v1.Pod, "a", "default"))
        with c.fault(agent="kubelet", verb="delete", resource="pods", code=409, times=2) as fault:
            await c.client().delete(core_v1.Pod, "a", "default")
            await c.advance("1m")
            assert fault.struck == 2
        assert (await c.client().list(core_v1.Pod, "default")).items == []
