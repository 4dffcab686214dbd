"""DeviceTaintRules over a real API server and scheduler: kept from devices, evicted, and told how far that has come."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, resource_v1, resource_v1beta2
from pybernetes.controllers import device_taints
from pybernetes.kits.clock import settle
from tests.fakes.plane import Plane

Rule = resource_v1beta2.DeviceTaintRule
ON = {"resource.k8s.io/v1beta2": True, "resource.k8s.io/v1alpha3": True}


def node() -> core_v1.Node:
    room = {"cpu": "4", "memory": "8Gi", "pods": "10"}
    tree = {"metadata": {"name": "n"}, "status": {"allocatable": room, "capacity": room}}
    return codecs.from_tree(core_v1.Node, tree)


def objects() -> list[Any]:
    kind = {"metadata": {"name": "gpu"}, "spec": {}}
    devices = {
        "driver": "d.example.com", "nodeName": "n", "devices": [{"name": "g0"}],
        "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
    }  # fmt: skip
    request = {"name": "r", "exactly": {"deviceClassName": "gpu"}}
    claim = {"metadata": {"name": "c", "namespace": "default"}, "spec": {"devices": {"requests": [request]}}}
    return [
        codecs.from_tree(resource_v1.DeviceClass, kind),
        codecs.from_tree(resource_v1.ResourceSlice, {"metadata": {"name": "s"}, "spec": devices}),
        codecs.from_tree(resource_v1.ResourceClaim, claim),
    ]


def pod(name: str = "p") -> core_v1.Pod:
    spec = {
        "containers": [{"name": "c", "image": "app"}], "serviceAccountName": "default",
        "resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}],
        # Nobody says that the node is ready.
        "tolerations": [{"operator": "Exists"}],
    }  # fmt: skip
    return codecs.from_tree(core_v1.Pod, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def rule(effect: str = "NoSchedule") -> Rule:
    spec = {"deviceSelector": {"driver": "d.example.com"}, "taint": {"key": "broken", "effect": effect}}
    return codecs.from_tree(Rule, {"metadata": {"name": "r"}, "spec": spec})


async def make(plane: Plane) -> None:
    await plane.client.create(node())
    account = {"metadata": {"name": "default", "namespace": "default"}}
    await plane.client.create(codecs.from_tree(core_v1.ServiceAccount, account))
    for one in objects():
        await plane.client.create(one)


async def said(plane: Plane) -> tuple[str, str, str]:
    await settle()
    (one,) = (await plane.client.get(Rule, "r")).status.conditions
    return one.status, one.reason, one.message


async def placed(plane: Plane, name: str = "p") -> str:
    await plane.clock.advance(15)
    return (await plane.client.get(core_v1.Pod, name, "default")).spec.nodeName


async def test_from_a_warning_to_an_eviction() -> None:
    async with Plane(device_taints.NAME, ON, scheduler=True) as plane:
        await make(plane)
        await plane.client.create(rule())
        assert await said(plane) == ("False", "OtherEffect", "Eviction only happens for the NoExecute effect.")
        await plane.client.create(pod())
        assert await placed(plane) == ""
        known = codecs.copy(await plane.client.get(Rule, "r"))
        added = known.spec.taint.timeAdded
        known.spec.taint.effect = "None"
        known = codecs.copy(await plane.client.update(known))
        # The effect is what counts as added.
        assert known.spec.taint.timeAdded != added
        assert known.metadata.generation == 2
        assert await placed(plane) == "n"
        assert (await said(plane))[1] == "NoEffect"
        known.metadata.resourceVersion = ""
        known.spec.taint.effect = "NoExecute"
        await plane.client.update(known)
        pending = ("True", "PodsPendingEviction", "1 pod needs to be evicted in 1 namespace.")
        assert await said(plane) == pending
        assert (await plane.client.get(core_v1.Pod, "p", "default")).metadata.deletionTimestamp is not None
        await plane.clock.advance(11)
        assert await said(plane) == ("False", "Completed", "1 pod evicted since starting the controller.")


async def test_a_trial() -> None:
    async with Plane(device_taints.NAME, ON, scheduler=True) as plane:
        await make(plane)
        await plane.client.create(pod())
        assert await placed(plane) == "n"
        await plane.client.create(rule("None"))
        status, reason, message = await said(plane)
        assert (status, reason) == ("False", "NoEffect")
        assert message.startswith(
            "1 published device selected. 1 allocated device selected. 1 pod would be evicted in 1 namespace if"
        )


async def test_upstreams_rights_are_enough() -> None:
    async with Plane("ttl-controller", ON) as plane:
        await make(plane)
        given = pod()
        given.spec.nodeName = "n"
        made = await plane.client.create(given)
        claim = codecs.copy(await plane.client.get(resource_v1.ResourceClaim, "c", "default"))
        result = {"request": "r", "driver": "d.example.com", "pool": "n", "device": "g0"}
        status = {
            "allocation": {"devices": {"results": [result]}},
            "reservedFor": [{"resource": "pods", "name": "p", "uid": made.metadata.uid}],
        }
        claim.status = codecs.from_tree(resource_v1.ResourceClaimStatus, status)
        await plane.client.update_status(claim)
        await plane.client.create(rule("NoExecute"))
        async with plane.as_service_accounts(device_taints.NAME):
            await settle()
            assert (await said(plane))[1] == "PodsPendingEviction"
            found = await plane.client.list(core_v1.Pod)
            assert all(one.metadata.deletionTimestamp is not None for one in found.items)


@pytest.mark.parametrize("on", [{}, {"resource.k8s.io/v1alpha3": True}])
async def test_rules_that_are_not_served_are_not_asked_for(on: dict[str, bool]) -> None:
    async with Plane(device_taints.NAME, on, scheduler=True) as plane:
        await make(plane)
        await plane.client.create(pod())
        assert await placed(plane) == "n"
