"""Cluster IPs and their objects come together again, and somebody is told."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints import address_repair
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes

NETWORKS = [ipaddress.ip_network("10.9.0.0/24")]


def service(name: str, ip: str = "10.9.0.5", **spec: Any) -> core_v1.Service:
    tree = {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"clusterIPs": [ip], "ports": [{"port": 80}]} | spec,
    }
    return codecs.from_tree(core_v1.Service, tree)


def address(ip: str = "10.9.0.5", of: str = "a", resource: str = "services", **labels: str) -> networking_v1.IPAddress:
    known = {address_repair.FAMILY: "IPv4", address_repair.MANAGED_BY: "ipallocator.k8s.io"} | labels
    tree = {
        "metadata": {"name": ip, "labels": known, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"parentRef": {"resource": resource, "namespace": "default", "name": of}},
    }
    return codecs.from_tree(networking_v1.IPAddress, tree)


@pytest.mark.parametrize(
    ("ip", "known", "reason", "drop", "claim"),
    [
        ("10.9.0.5", [address()], None, False, False),
        ("None", [], None, False, False),
        ("10.9.0.5", [], "ClusterIPNotAllocated", False, True),
        ("10.9.1.5", [], "ClusterIPOutOfRange", False, False),
        ("10.9", [], "ClusterIPNotValid", False, False),
        ("10.9.0.5", [address(resource="pods")], "ClusterIPNotAllocated", True, True),
        ("10.9.0.5", [address(of="gone")], "ClusterIPNotAllocated", True, True),
        ("10.9.0.5", [address(of="b")], "ClusterIPAlreadyAllocated", False, False),
        ("10.9.0.5", [address(**{address_repair.FAMILY: "IPv6"})], "", True, True),
    ],
)
def test_services(ip: str, known: list[networking_v1.IPAddress], reason: str | None, drop: bool, claim: bool) -> None:
    one, other = service("a", ip), service("b")
    services = {"default/a": one, "default/b": other}
    by_name = {found.metadata.name: found for found in known}
    found = list(address_repair.of_service(one, services, by_name, NETWORKS))
    assert [(finding.reason, finding.drop, finding.claim_for is one) for finding in found] == (
        [] if reason is None else [(reason, drop, claim)]
    )


@pytest.mark.parametrize(
    ("one", "of", "age", "reason"),
    [
        (address(), service("a"), 999, None),
        (address(of="x"), service("a"), 59, None),
        (address(of="x"), service("a"), 61, "IPAddressNotAllocated"),
        (address(resource="pods"), service("a"), 0, "IPAddressNotAllocated"),
        (address(), service("a", "10.9.0.6"), 4, None),
        (address(), service("a", "10.9.0.6"), 6, "IPAddressWrongReference"),
        (address(), service("a", "10.9.0.6", type="ExternalName"), 6, None),
        (address(of="x", **{address_repair.MANAGED_BY: "me"}), service("a"), 999, None),
    ],
)
def test_addresses(one: networking_v1.IPAddress, of: core_v1.Service, age: float, reason: str | None) -> None:
    found = address_repair.of_address(one, {"default/a": of}, 1767225600.0 + age)
    assert (found.reason if found is not None else None) == reason


async def test_a_server_repairs_what_users_break() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        made = await server.client.create(service("a", "10.9.0.5", clusterIP="10.9.0.5"))
        await server.client.delete(networking_v1.IPAddress, "10.9.0.5")
        await server.client.create(address("10.9.0.6", of="gone"))
        await server.clock.advance(address_repair.PERIOD + 1)
        await clocks.settle()
        known = {one.metadata.name for one in (await server.client.list(networking_v1.IPAddress)).items}
        assert known == {"10.9.0.1", made.spec.clusterIP}
        events = (await server.client.list(core_v1.Event, "default")).items
        assert {one.message for one in events} == {
            "Cluster IP [IPv4]: 10.9.0.5 is not allocated; repairing",
            "IPAddress: 10.9.0.6 for Service default/gone appears to have leaked: cleaning up",
        }
        # All is well: nothing more is told.
        await server.clock.advance(3 * address_repair.PERIOD)
        assert len((await server.client.list(core_v1.Event, "default")).items) == 2
