"""A server brings addresses and services in line as soon as they part, and tells whose node ports are wrong."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes

LABELS = {"ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}


def service(name: str, **spec: Any) -> core_v1.Service:
    tree = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}
    return codecs.from_tree(core_v1.Service, tree)


def address(ip: str, *, of: str, **labels: str) -> networking_v1.IPAddress:
    parent = {"resource": "services", "namespace": "default", "name": of}
    tree = {"metadata": {"name": ip, "labels": LABELS | labels}, "spec": {"parentRef": parent}}
    return codecs.from_tree(networking_v1.IPAddress, tree)


async def told(server: fakes.FakeServer) -> set[tuple[str, str, str]]:
    await clocks.settle()
    events = (await server.client.list(core_v1.Event, "default")).items
    return {(one.source.component, one.reason, one.message) for one in events if one.source is not None}


IP, PORT = "ipallocator-repair-controller", "portallocator-repair-controller"


async def test_what_users_break() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        await server.client.create(service("a", clusterIP="10.9.0.5"))
        await server.client.delete(networking_v1.IPAddress, "10.9.0.5")
        # Whose labels are not the allocator's is somebody else's.
        await server.client.create(address("10.9.0.6", of="gone"))
        await server.client.create(address("10.9.0.7", of="gone", **{"ipaddress.kubernetes.io/managed-by": "me"}))
        missing = (IP, "ClusterIPNotAllocated", "Cluster IP [IPv4]: 10.9.0.5 is not allocated; repairing")
        assert await told(server) == {missing}
        await server.clock.advance(62)
        leaked = "IPAddress: 10.9.0.6 for Service default/gone appears to have leaked: cleaning up"
        assert await told(server) == {missing, (IP, "IPAddressNotAllocated", leaked)}
        known = {one.metadata.name for one in (await server.client.list(networking_v1.IPAddress)).items}
        assert known == {"10.9.0.1", "10.9.0.5", "10.9.0.7"}
        # All is well: nothing more is told.
        await server.clock.advance(600)
        assert len(await told(server)) == 2


async def test_labels_and_references_are_put_right() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        await server.client.create(service("a", clusterIP="10.9.0.5"))
        found = codecs.copy(await server.client.get(networking_v1.IPAddress, "10.9.0.5"))
        found.metadata.labels = {}
        await server.client.update(found)
        await clocks.settle()
        assert (await server.client.get(networking_v1.IPAddress, "10.9.0.5")).metadata.labels == LABELS


async def test_two_services_with_one_address_and_port_after_a_restart() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        for name, number in (("a", 5), ("b", 6)):
            port = {"port": 80, "nodePort": 30000 + number}
            await server.client.create(service(name, type="NodePort", clusterIP=f"10.9.0.{number}", ports=[port]))
    entry = (await server.store.range("/registry/services/specs/default/b")).entries[0]
    value = entry.value.replace(b"10.9.0.6", b"10.9.0.5").replace(b"30006", b"30005")
    await server.store.put(entry.key, value, expected=entry.modified)
    async with fakes.FakeServer(store=server.store, service_cidr="10.9.0.0/28", seed=8) as again:
        twice = "was assigned to multiple services; please recreate service"
        wrong = "IPAddress: 10.9.0.6 for Service default/b has a wrong reference; cleaning up"
        assert await told(again) == {
            (IP, "ClusterIPAlreadyAllocated", f"Cluster IP [IPv4]:10.9.0.5 {twice}"),
            (IP, "IPAddressWrongReference", wrong),
            (PORT, "PortAlreadyAllocated", f"Port 30005 {twice}"),
        }
        assert {one.metadata.name for one in (await again.client.list(networking_v1.IPAddress)).items} == {
            "10.9.0.1",
            "10.9.0.5",
        }


async def test_ports_out_of_a_range_that_has_become_smaller() -> None:
    async with fakes.FakeServer(node_ports=(30000, 30100)) as server:
        await server.client.create(service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30050}]))
    async with fakes.FakeServer(store=server.store, node_ports=(30000, 30009), seed=8) as again:
        words = "Port 30050 is not within the port range 30000-30009; please recreate service"
        assert await told(again) == {(PORT, "PortOutOfRange", words)}


async def test_a_range_that_is_gone() -> None:
    """Without a controller nothing keeps a ServiceCIDR."""
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        tree = {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.8.0.0/28"]}}
        await server.client.create(codecs.from_tree(networking_v1.ServiceCIDR, tree))
        await server.client.create(service("a", clusterIP="10.8.0.5"))
        assert await told(server) == set()
        await server.client.delete(networking_v1.ServiceCIDR, "more")
        words = "Cluster IP [IPv4]: 10.8.0.5 is not within any configured Service CIDR; please recreate service"
        assert await told(server) == {(IP, "ClusterIPOutOfRange", words)}
        await server.client.delete(core_v1.Service, "a", "default")
        assert {one.metadata.name for one in (await server.client.list(networking_v1.IPAddress)).items} == {"10.9.0.1"}
