"""Services of type LoadBalancer get addresses, keep them, and give them back."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.controllers import Settings
from pybernetes.controllers.loadbalancer import controller
from pybernetes.kits import chance
from pybernetes.testing import Cluster
from tests.fakes.cluster import FakeCluster

ONE = Settings(load_balancer_pool=("10.9.0.1",))


def service(name: str = "s", *, meta: dict[str, Any] | None = None, **spec: Any) -> core_v1.Service:
    tree = {
        "metadata": {"name": name, "namespace": "default"} | (meta or {}),
        "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], "clusterIP": "10.96.0.9"} | spec,
    }
    return codecs.from_tree(core_v1.Service, tree)


def ip(cluster: FakeCluster, name: str = "s") -> list[str]:
    found = cluster.api.find(core_v1.Service, name, "default")
    return controller.addresses(found)


async def test_an_address_and_back() -> None:
    async with FakeCluster(only=controller.NAME, settings=ONE) as cluster:
        made = cluster.api.seed(service())
        await cluster.settled()
        found = cluster.api.find(core_v1.Service, "s", "default")
        assert found.metadata.finalizers == ["service.kubernetes.io/load-balancer-cleanup"]
        assert codecs.to_tree(found.status)["loadBalancer"] == {"ingress": [{"ip": "10.9.0.1", "ipMode": "VIP"}]}
        assert cluster.events() == ["Ensuring load balancer", "Ensured load balancer"]
        cluster.api.change(made, lambda copy: setattr(copy.spec, "type", "ClusterIP"))
        await cluster.settled()
        assert ip(cluster) == []
        assert cluster.api.find(core_v1.Service, "s", "default").metadata.finalizers == []
        assert cluster.events()[2:] == ["Deleting load balancer", "Deleted load balancer"]


async def test_who_waits_gets_what_comes_free() -> None:
    async with FakeCluster(only=controller.NAME, settings=ONE) as cluster:
        cluster.api.seed(service("a"), service("b"))
        await cluster.settled()
        assert (ip(cluster, "a"), ip(cluster, "b")) == (["10.9.0.1"], [])
        assert cluster.events("SyncLoadBalancerFailed") == [
            "Error syncing load balancer: failed to ensure load balancer: no IPv4 address of the pool is free"
        ]
        await cluster.client.delete(core_v1.Service, "a", "default")
        await cluster.settled()
        assert cluster.api.find(core_v1.Service, "a", "default") is None
        assert ip(cluster, "b") == ["10.9.0.1"]


async def test_what_is_not_ours() -> None:
    async with FakeCluster(only=controller.NAME, settings=ONE) as cluster:
        cluster.api.seed(service("class", loadBalancerClass="example.com/lb"), service("plain", type="ClusterIP"))
        await cluster.settled()
        assert cluster.api.calls == []
    async with FakeCluster(only=controller.NAME) as cluster:
        cluster.api.seed(service())
        await cluster.settled()
        assert cluster.api.calls == []


async def test_an_address_outlives_a_restart_and_a_wish_is_honoured() -> None:
    wide = Settings(load_balancer_pool=("10.9.0.0/28",))
    async with FakeCluster(only=controller.NAME, settings=wide) as cluster:
        had = controller.served(service("old"), ["10.9.0.1"])
        cluster.api.seed(service("new"), had, service("picky", loadBalancerIP="10.9.0.7"))
        await cluster.settled()
        assert {name: ip(cluster, name) for name in ("new", "old", "picky")} == {
            "new": ["10.9.0.2"], "old": ["10.9.0.1"], "picky": ["10.9.0.7"],
        }  # fmt: skip
        cluster.api.change(had, lambda copy: setattr(copy.spec, "loadBalancerIP", "10.9.0.5"))
        await cluster.settled()
        assert ip(cluster, "old") == ["10.9.0.5"]


async def test_no_two_services_have_one_address_whatever_happens() -> None:
    dice = chance.Chance(7)
    async with FakeCluster(only=controller.NAME, settings=Settings(load_balancer_pool=("10.9.0.1-10.9.0.4",))) as it:
        for _ in range(150):
            name = f"s{dice.below(8)}"
            known = it.api.find(core_v1.Service, name, "default")
            if known is None:
                it.api.seed(service(name, loadBalancerIP=dice.choice(["", "", "10.9.0.2"])))
            elif dice.below(2):
                await it.client.delete(core_v1.Service, name, "default")
            else:
                kind = dice.choice(["LoadBalancer", "ClusterIP"])
                it.api.change(known, lambda copy, kind=kind: setattr(copy.spec, "type", kind))
            if dice.below(3):
                await it.settled()
            given = [one for found in it.api.all(core_v1.Service) for one in controller.addresses(found)]
            assert len(given) == len(set(given))
        await it.settled()
        served = [found for found in it.api.all(core_v1.Service) if controller.addresses(found)]
        assert all(found.spec.type == "LoadBalancer" for found in served)


async def test_against_the_api_server() -> None:
    async with Cluster(
        controllers=controller.NAME, scheduler=False, nodes=0, load_balancer_pool=["10.9.0.0/29"], virtual=True
    ) as cluster:
        client = cluster.client()
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        tree = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
        await cluster.apply(tree | {"spec": spec})
        await cluster.settled()
        found = await client.get(core_v1.Service, "web", "default")
        assert controller.addresses(found) == ["10.9.0.1"]
        assert found.metadata.finalizers == [controller.FINALIZER]
        await cluster.apply(tree | {"spec": spec | {"type": "ClusterIP"}})
        await cluster.settled()
        found = await client.get(core_v1.Service, "web", "default")
        assert (controller.addresses(found), found.metadata.finalizers) == ([], [])
        await cluster.apply(tree | {"spec": spec})
        await cluster.settled()
        await client.delete(core_v1.Service, "web", "default")
        await cluster.settled()
        assert (await client.list(core_v1.Service, "default", fields="metadata.name=web")).items == []
