from __future__ import annotations

from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.controllers.endpointslice import planner, topology
from tests.fakes.cluster import FakeCluster

ONLY = "endpoints-controller,endpointslice-controller"


def service(**spec: object) -> core_v1.Service:
    port = core_v1.ServicePort(name="http", port=80, targetPort="web", protocol="TCP")
    defaults = {"selector": {"app": "web"}, "ports": [port], "clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"]}
    meta = meta_v1.ObjectMeta(name="web", namespace="default", uid="s1", labels={"team": "shop"})
    return core_v1.Service(metadata=meta, spec=core_v1.ServiceSpec(**(defaults | spec)))  # type: ignore[arg-type]


def pod(number: int, *, ready: bool = True, port: int = 8080, deleted: bool = False) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(name=f"web-{number}", namespace="default", uid=f"p{number}", labels={"app": "web"})
    if deleted:
        meta.deletionTimestamp = "2026-01-01T00:00:00Z"
    container = core_v1.Container(name="c", ports=[core_v1.ContainerPort(name="web", containerPort=port)])
    condition = core_v1.PodCondition(type="Ready", status="True" if ready else "False")
    ip = f"10.0.{number // 200}.{number % 200 + 1}"
    return core_v1.Pod(
        metadata=meta,
        spec=core_v1.PodSpec(nodeName="n1", containers=[container]),
        status=core_v1.PodStatus(phase="Running", podIP=ip, podIPs=[core_v1.PodIP(ip=ip)], conditions=[condition]),
    )


NODES = {"n1": core_v1.Node(metadata=meta_v1.ObjectMeta(name="n1", labels={topology.ZONE: "z1"}))}


def conditions(endpoint: discovery_v1.Endpoint) -> tuple[bool | None, ...]:
    found = endpoint.conditions
    return found.ready, found.serving, found.terminating


def test_the_first_slice() -> None:
    plan = planner.plan(service(), [pod(1), pod(2, ready=False), pod(3, deleted=True)], [], NODES, topology.Topology())
    (one,) = plan.create
    assert (one.metadata.generateName, one.addressType) == ("web-", "IPv4")
    assert one.metadata.labels == {
        "team": "shop",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert one.ports == [discovery_v1.EndpointPort(name="http", port=8080, protocol="TCP")]
    assert [conditions(e) for e in one.endpoints] == [
        (True, True, False),
        (False, False, False),
        (False, True, True),
    ]
    assert (one.endpoints[0].addresses, one.endpoints[0].nodeName, one.endpoints[0].zone) == (["10.0.0.2"], "n1", "z1")


def test_a_service_without_pods_keeps_a_placeholder() -> None:
    plan = planner.plan(service(), [], [], NODES, topology.Topology())
    assert [(len(one.endpoints), len(one.ports)) for one in plan.create] == [(0, 0)]
    plan.create[0].metadata.name = "web-a"
    assert planner.plan(service(), [], plan.create, NODES, topology.Topology()) == planner.Plan()


def test_slices_hold_a_hundred_and_change_one_at_a_time() -> None:
    everyone = [pod(number) for number in range(250)]
    first = planner.plan(service(), everyone, [], NODES, topology.Topology()).create
    assert [len(one.endpoints) for one in first] == [100, 100, 50]
    assert planner.plan(service(), everyone, first, NODES, topology.Topology()) == planner.Plan()
    fewer = planner.plan(service(), everyone[1:], first, NODES, topology.Topology())
    assert [len(one.endpoints) for one in fewer.update] == [99]
    more = planner.plan(service(), [*everyone, pod(250)], first, NODES, topology.Topology())
    assert [len(one.endpoints) for one in more.update] == [51]
    assert not more.create


def test_pods_with_other_port_numbers_have_slices_of_their_own() -> None:
    plan = planner.plan(service(), [pod(1), pod(2, port=9090)], [], NODES, topology.Topology())
    assert sorted(one.ports[0].port or 0 for one in plan.create) == [8080, 9090]


def test_slices_of_a_family_the_service_no_longer_has_go() -> None:
    existing = planner.plan(service(ipFamilies=["IPv4", "IPv6"]), [pod(1)], [], NODES, topology.Topology()).create
    assert {one.addressType for one in existing} == {"IPv4", "IPv6"}
    plan = planner.plan(service(), [pod(1)], existing, NODES, topology.Topology())
    assert [one.addressType for one in plan.delete] == ["IPv6"]


async def test_endpoints_and_slices_follow_pods() -> None:
    async with FakeCluster(only=ONLY, kubelet=False) as cluster:
        cluster.api.seed(service())
        await cluster.settled()
        stored = cluster.api.seed(pod(1))
        await cluster.settled()
        (one,) = cluster.api.all(discovery_v1.EndpointSlice)
        assert [e.addresses for e in one.endpoints] == [["10.0.0.2"]]
        ends = cluster.api.find(core_v1.Endpoints, "web", "default")
        assert [a.ip for a in ends.subsets[0].addresses] == ["10.0.0.2"]
        assert ends.subsets[0].ports == [core_v1.EndpointPort(name="http", port=8080, protocol="TCP")]
        cluster.api.change(stored, lambda copy: setattr(copy.status.conditions[0], "status", "False"))
        await cluster.settled()
        ends = cluster.api.find(core_v1.Endpoints, "web", "default")
        assert (ends.subsets[0].addresses, len(ends.subsets[0].notReadyAddresses)) == ([], 1)
        cluster.api.remove(stored)
        await cluster.settled()
        assert cluster.api.find(core_v1.Endpoints, "web", "default").subsets == []
        assert [s.endpoints for s in cluster.api.all(discovery_v1.EndpointSlice)] == [[]]
