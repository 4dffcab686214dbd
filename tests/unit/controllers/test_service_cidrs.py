"""A range of Service addresses stays while one of them would be left without any."""

from __future__ import annotations

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.controllers import service_cidrs
from pybernetes.testing import Cluster
from tests.fakes.cluster import FakeCluster


def cidr(name: str, *texts: str) -> networking_v1.ServiceCIDR:
    return codecs.from_tree(networking_v1.ServiceCIDR, {"metadata": {"name": name}, "spec": {"cidrs": list(texts)}})


def address(text: str) -> networking_v1.IPAddress:
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    parent = {"resource": "services", "namespace": "default", "name": "s"}
    tree = {"metadata": {"name": text, "labels": labels}, "spec": {"parentRef": parent}}
    return codecs.from_tree(networking_v1.IPAddress, tree)


@pytest.mark.parametrize(
    ("others", "used", "answer"),
    [
        ([], [], True),
        ([], ["10.1.0.1"], False),
        ([], ["10.2.0.1"], True),
        (["10.0.0.0/8"], ["10.1.0.1"], True),
        (["10.1.0.0/24"], ["10.1.0.1"], True),
        (["10.1.0.0/24"], ["10.1.0.1", "10.1.1.1"], False),
        (["10.1.0.0/16"], ["10.1.1.1"], True),
        # Nobody is given the address of a network, nor its broadcast address.
        (["10.1.1.0/24"], ["10.1.1.0"], False),
        (["10.1.1.0/24"], ["10.1.1.255"], False),
        (["fd00::/64"], ["10.1.1.1"], False),
    ],
)
def test_when_a_range_may_go(others: list[str], used: list[str], answer: bool) -> None:
    all_of_them = [cidr("a", "10.1.0.0/16"), *(cidr(f"o{number}", text) for number, text in enumerate(others))]
    assert service_cidrs.may_go(all_of_them[0], all_of_them, used) is answer


async def test_ready_then_kept_by_an_address_and_gone_with_it() -> None:
    async with FakeCluster(only=service_cidrs.NAME) as cluster:
        cluster.api.seed(cidr("more", "10.1.0.0/24"), address("10.1.0.7"))
        await cluster.settled()
        found = cluster.api.find(networking_v1.ServiceCIDR, "more")
        assert found.metadata.finalizers == ["networking.k8s.io/service-cidr-finalizer"]
        (ready,) = found.status.conditions
        assert (ready.type, ready.status, ready.message) == ("Ready", "True", "Kubernetes Service CIDR is ready")
        await cluster.client.delete(networking_v1.ServiceCIDR, "more")
        await cluster.settled()
        (ready,) = cluster.api.find(networking_v1.ServiceCIDR, "more").status.conditions
        assert (ready.status, ready.reason) == ("False", "Terminating")
        assert ready.message.startswith("There are still IPAddresses referencing the ServiceCIDR")
        cluster.api.remove(address("10.1.0.7"))
        await cluster.clock.advance(9)
        assert cluster.api.find(networking_v1.ServiceCIDR, "more") is not None
        await cluster.clock.advance(2)
        assert cluster.api.find(networking_v1.ServiceCIDR, "more") is None


async def test_another_range_sets_free() -> None:
    async with FakeCluster(only=service_cidrs.NAME) as cluster:
        cluster.api.seed(cidr("more", "10.1.0.0/24"), address("10.1.0.7"))
        await cluster.settled()
        await cluster.client.delete(networking_v1.ServiceCIDR, "more")
        await cluster.clock.advance(20)
        cluster.api.seed(cidr("wide", "10.0.0.0/8"))
        await cluster.settled()
        assert cluster.api.find(networking_v1.ServiceCIDR, "more") is None


async def test_the_clusters_own_range() -> None:
    async with Cluster(controllers=service_cidrs.NAME, scheduler=False, nodes=0, virtual=True) as cluster:
        client = cluster.client()
        found = await client.get(networking_v1.ServiceCIDR, "kubernetes")
        assert found.metadata.finalizers == [service_cidrs.FINALIZER]
        assert [(one.type, one.status) for one in found.status.conditions] == [("Ready", "True")]
        # The address of the service `kubernetes` is in it.
        await client.delete(networking_v1.ServiceCIDR, "kubernetes")
        await cluster.advance("1m")
        found = await client.get(networking_v1.ServiceCIDR, "kubernetes")
        assert [(one.status, one.reason) for one in found.status.conditions] == [("False", "Terminating")]


async def test_a_second_range_is_used_and_goes_with_the_last_service() -> None:
    async with Cluster(controllers=service_cidrs.NAME, scheduler=False, nodes=0, virtual=True) as cluster:
        client = cluster.client()
        await client.create(cidr("more", "10.1.0.0/28"))
        spec = {"clusterIP": "10.1.0.7", "ports": [{"port": 80}]}
        tree = {"metadata": {"name": "a", "namespace": "default"}, "spec": spec}
        service = codecs.from_tree(core_v1.Service, tree)
        await client.create(service)
        await cluster.advance("1s")
        await client.delete(networking_v1.ServiceCIDR, "more")
        await cluster.advance("1m")
        (ready,) = (await client.get(networking_v1.ServiceCIDR, "more")).status.conditions
        assert (ready.status, ready.reason) == ("False", "Terminating")
        another = codecs.copy(service)
        another.metadata.name, another.spec.clusterIP, another.spec.clusterIPs = "b", "10.1.0.8", []
        with pytest.raises(errors.StatusError, match="does not match the current range"):
            await client.create(another)
        await client.delete(core_v1.Service, "a", "default")
        await cluster.advance("11s")
        with pytest.raises(errors.StatusError, match="not found"):
            await client.get(networking_v1.ServiceCIDR, "more")
