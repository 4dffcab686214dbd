"""Endpoints that somebody writes himself, as EndpointSlices."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.controllers.endpointslice import mirroring, planner
from tests.fakes.cluster import FakeCluster


def endpoints(*subsets: dict[str, Any], **meta: Any) -> core_v1.Endpoints:
    tree = {"metadata": {"name": "web", "namespace": "default", "uid": "u1"} | meta, "subsets": list(subsets)}
    return codecs.from_tree(core_v1.Endpoints, tree)


def subset(*ips: str, port: int = 80, down: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "addresses": [{"ip": ip} for ip in ips],
        "notReadyAddresses": [{"ip": ip} for ip in down],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def service(**spec: Any) -> core_v1.Service:
    return codecs.from_tree(core_v1.Service, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})


def test_one_slice_per_family_and_set_of_ports() -> None:
    found = mirroring.mirror(
        endpoints(
            subset("10.0.0.1", "fd00::1", down=("10.0.0.2",)),
            subset("10.0.0.3", port=81),
            labels={"app": "web"},
            annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "kept"},
        ),
        [],
    )
    assert [(one.addressType, one.ports[0].port, len(one.endpoints)) for one in found.plan.create] == [
        ("IPv4", 80, 2),
        ("IPv6", 80, 1),
        ("IPv4", 81, 1),
    ]
    first = found.plan.create[0]
    assert [(one.addresses, one.conditions.ready) for one in first.endpoints] == [
        (["10.0.0.1"], True),
        (["10.0.0.2"], False),
    ]
    assert first.metadata.labels == {
        "app": "web",
        planner.SERVICE_NAME: "web",
        planner.MANAGED_BY: "endpointslicemirroring-controller.k8s.io",
    }
    assert first.metadata.annotations == {"note": "kept"}
    assert (first.metadata.ownerReferences[0].kind, first.metadata.ownerReferences[0].uid) == ("Endpoints", "u1")


def test_what_is_right_is_left_alone_and_what_would_go_is_written_over() -> None:
    (existing,) = mirroring.mirror(endpoints(subset("10.0.0.1")), []).plan.create
    existing.metadata.name = "web-x"
    assert mirroring.mirror(endpoints(subset("10.0.0.1")), [existing]).plan == planner.Plan()
    plan = mirroring.mirror(endpoints(subset("10.0.0.1", port=81)), [existing]).plan
    assert ([one.metadata.name for one in plan.update], plan.create, plan.delete) == (["web-x"], [], [])
    assert plan.update[0].ports[0].port == 81
    assert mirroring.mirror(endpoints(), [existing]).plan.delete == [existing]


def test_too_many_and_senseless_addresses_are_counted() -> None:
    many = [f"10.1.{n // 250}.{n % 250 + 1}" for n in range(1003)]
    found = mirroring.mirror(endpoints(subset("nonsense", *many)), [])
    assert (found.invalid, found.skipped, len(found.plan.create[0].endpoints)) == (1, 3, 1000)


def test_only_somebodys_own_endpoints_are_mirrored() -> None:
    own = endpoints(subset("10.0.0.1"))
    assert mirroring.is_mirrored(own, service())
    assert not mirroring.is_mirrored(own, service(selector={"app": "web"}))
    assert not mirroring.is_mirrored(own, None)
    assert not mirroring.is_mirrored(endpoints(labels={mirroring.SKIP: "true"}), service())
    assert not mirroring.is_mirrored(endpoints(annotations={mirroring.LEADER: "{}"}), service())


async def test_slices_follow_the_endpoints() -> None:
    async with FakeCluster(only="endpointslice-mirroring-controller") as cluster:
        own = endpoints(subset("10.0.0.1"))
        cluster.api.seed(service(), own)
        await cluster.settled()
        (one,) = cluster.api.all(discovery_v1.EndpointSlice)
        assert one.endpoints[0].addresses == ["10.0.0.1"]
        fresh = cluster.api.find(core_v1.Endpoints, "web", "default")
        cluster.api.change(fresh, lambda copy: setattr(copy.subsets[0].addresses[0], "ip", "10.0.0.9"))
        await cluster.settled()
        (one,) = cluster.api.all(discovery_v1.EndpointSlice)
        assert one.endpoints[0].addresses == ["10.0.0.9"]
        cluster.api.remove(cluster.api.find(core_v1.Endpoints, "web", "default"))
        await cluster.settled()
        assert cluster.api.all(discovery_v1.EndpointSlice) == []
