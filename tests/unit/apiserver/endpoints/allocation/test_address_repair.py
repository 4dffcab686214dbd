"""Cluster IPs and their objects come together again, and somebody is told."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import address_repair
from pybernetes.apiserver.endpoints.allocation import addresses as addresses_

NETWORKS = [ipaddress.ip_network("10.9.0.0/24")]


def service(name: str, ip: str = "10.9.0.5", **spec: Any) -> core_v1.Service:
    tree = {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"clusterIPs": [ip], "ports": [{"port": 80}]} | spec,
    }
    return codecs.from_tree(core_v1.Service, tree)


def address(ip: str = "10.9.0.5", of: str = "a", resource: str = "services", **labels: str) -> networking_v1.IPAddress:
    known = {addresses_.FAMILY: "IPv4", addresses_.MANAGED_BY: "ipallocator.k8s.io"} | labels
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
        ("10.9.0.5", [address(**{addresses_.FAMILY: "IPv6"})], "", True, True),
    ],
)
def test_services(ip: str, known: list[networking_v1.IPAddress], reason: str | None, drop: bool, claim: bool) -> None:
    one, other = service("a", ip), service("b")
    services = {("default", "a"): one, ("default", "b"): other}
    by_name = {found.metadata.name: found for found in known}
    found = list(
        address_repair.of_service(one, lambda *names: services.get(names), lambda name: by_name.get(name), NETWORKS)
    )
    assert [(finding.reason, finding.drop, finding.claim_for is one) for finding in found] == (
        [] if reason is None else [(reason, drop, claim)]
    )


@pytest.mark.parametrize(
    ("one", "of", "age", "answer"),
    [
        (address(), service("a"), 999, None),
        (address(of="x"), service("a"), 59, 2),
        (address(of="x"), service("a"), 61, "IPAddressNotAllocated"),
        (address(resource="pods"), service("a"), 0, "IPAddressNotAllocated"),
        (address(), service("a", "10.9.0.6"), 4, 5),
        (address(), service("a", "10.9.0.6"), 6, "IPAddressWrongReference"),
        (address(), service("a", "10.9.0.6", type="ExternalName"), 6, 54),
        (address(), service("a", "10.9.0.6", type="ExternalName"), 60, "IPAddressWrongReference"),
        (address(of="x", **{addresses_.MANAGED_BY: "me"}), service("a"), 999, None),
    ],
)
def test_addresses(one: networking_v1.IPAddress, of: core_v1.Service, age: float, answer: str | float | None) -> None:
    services = {("default", "a"): of}
    found = address_repair.of_address(one, lambda *names: services.get(names), 1767225600.0 + age)
    assert (found.reason if isinstance(found, address_repair.Finding) else found) == answer


def test_upstreams_words_for_a_parent_that_is_no_service() -> None:
    found = address_repair.of_address(address(resource="pods"), lambda *names: None, 0)
    assert isinstance(found, address_repair.Finding)
    shown = "&ParentReference{Group:,Resource:pods,Namespace:default,Name:a,}"
    words = f"IPAddress 10.9.0.5 appears to have been modified, not referencing a Service {shown}: cleaning up"
    assert found.message == words
