"""The ServiceCIDR `kubernetes` follows the ranges of the start."""

from __future__ import annotations

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import default_cidr
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes


async def told(server: fakes.FakeServer) -> list[tuple[str, str]]:
    await clocks.settle()
    events = (await server.client.list(core_v1.Event, "default")).items
    return [(one.reason, one.message) for one in events if one.involvedObject.kind == "ServiceCIDR"]


async def test_it_is_ready_before_any_controller_runs_and_made_anew() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        await clocks.settle()
        (ready,) = (await server.client.get(networking_v1.ServiceCIDR, "kubernetes")).status.conditions
        assert (ready.type, ready.status, ready.message) == ("Ready", "True", default_cidr.READY)
        await server.client.delete(networking_v1.ServiceCIDR, "kubernetes")
        await clocks.settle()
        assert (await server.client.get(networking_v1.ServiceCIDR, "kubernetes")).spec.cidrs == ["10.9.0.0/28"]
        assert await told(server) == []


async def test_a_second_family_is_added() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        pass
    async with fakes.FakeServer(store=server.store, service_cidr="10.9.0.0/28,fd00::/124", seed=8) as again:
        assert (await again.client.get(networking_v1.ServiceCIDR, "kubernetes")).spec.cidrs == [
            "10.9.0.0/28",
            "fd00::/124",
        ]
        assert await told(again) == []


async def test_other_ranges_than_at_the_last_start_are_told_of_once() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        pass
    async with fakes.FakeServer(store=server.store, service_cidr="10.8.0.0/28", seed=8) as again:
        await again.client.patch(networking_v1.ServiceCIDR, "kubernetes", "", {"metadata": {"labels": {"a": "b"}}})
        words = "The default ServiceCIDR [10.9.0.0/28] does not match the controller flag configurations [10.8.0.0/28]"
        assert await told(again) == [("KubernetesDefaultServiceCIDRInconsistent", words)]


async def test_who_says_that_it_is_not_ready_is_believed() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        await clocks.settle()
        found = codecs.copy(await server.client.get(networking_v1.ServiceCIDR, "kubernetes"))
        ready = found.status.conditions[0]
        ready.status, ready.reason, ready.message = "False", "Broken", "it is broken"
        await server.client.update_status(found)
        assert await told(server) == [("Broken", "Configuration matches, but it is broken")]
