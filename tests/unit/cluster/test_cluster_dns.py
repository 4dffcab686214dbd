from __future__ import annotations

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.cluster import cluster_dns, layout
from tests.fakes.api import FakeApi

OPTIONS = layout.Options()


async def test_the_service_leads_to_the_gateway_of_the_nodes_pods() -> None:
    api = FakeApi()
    for options in (OPTIONS, layout.Options(pod_cidr="10.244.7.0/24")):
        await cluster_dns.announce(api.client(), options)
    assert api.find(core_v1.Service, "kube-dns", "kube-system").spec.clusterIP == "10.96.0.10"
    (found,) = api.all(discovery_v1.EndpointSlice)
    assert found.endpoints[0].addresses == ["10.244.7.1"]
    assert [(port.name, port.protocol, port.port) for port in found.ports] == [
        ("dns", "UDP", 10053),
        ("dns-tcp", "TCP", 10053),
    ]


async def test_a_dns_in_pods_is_left_alone() -> None:
    api = FakeApi()
    brought = codecs.copy(cluster_dns.service(OPTIONS))
    brought.spec.selector = {"k8s-app": "kube-dns"}
    api.seed(brought)
    await cluster_dns.announce(api.client(), OPTIONS)
    assert api.all(discovery_v1.EndpointSlice) == []
