from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources.core import services

NOW = 1_767_225_660.0


def service(**spec: Any) -> core_v1.Service:
    meta = {"name": "web", "namespace": "d", "creationTimestamp": "2026-01-01T00:00:00Z"}
    made = codecs.from_tree(core_v1.Service, {"metadata": meta, "spec": spec})
    services.default(made)
    services.prepare_create(made)
    return made


def problems(**spec: Any) -> list[str]:
    return [str(problem) for problem in services.KIND.validate(service(**spec))]


PORTS = [{"port": 80}]


def test_defaults() -> None:
    assert codecs.to_tree(service(ports=PORTS).spec) == {
        "type": "ClusterIP",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    balanced = service(ports=PORTS, type="LoadBalancer", sessionAffinity="ClientIP").spec
    assert balanced.allocateLoadBalancerNodePorts is True
    assert balanced.externalTrafficPolicy == "Cluster"
    assert balanced.sessionAffinityConfig is not None
    assert balanced.sessionAffinityConfig.clientIP is not None
    assert balanced.sessionAffinityConfig.clientIP.timeoutSeconds == 10800


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": PORTS}, []),
        ({}, ["spec.ports: Required value"]),
        ({"clusterIP": "None"}, []),
        ({"type": "ExternalName", "externalName": "a.b"}, []),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
        (
            {"type": "NodePort", "clusterIP": "None", "ports": PORTS},
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        (
            {"ports": [{"port": 80}, {"port": 81}]},
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            {"ports": [{"port": 0}]},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"ports": PORTS, "type": "Weird", "internalTrafficPolicy": "Cluster"},
            [
                (
                    'spec.type: Unsupported value: "Weird": supported values: '
                    '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
                )
            ],
        ),
        (
            {"ports": PORTS, "clusterIP": "1.2.3"},
            [
                (
                    'spec.clusterIPs[0]: Invalid value: "1.2.3": must be a valid IP address, '
                    "(e.g. 10.9.8.7 or 2001:db8::ffff)"
                )
            ],
        ),
        (
            {"ports": PORTS, "clusterIP": "1.2.3.4", "clusterIPs": ["1.2.3.5"]},
            ['spec.clusterIPs: Invalid value: ["1.2.3.5"]: first value must match `clusterIP`'],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert problems(**spec) == expected


def test_what_was_allocated_stays() -> None:
    old = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}], clusterIP="10.0.0.5")
    old.spec.ipFamilies, old.spec.ipFamilyPolicy = ["IPv4"], "SingleStack"
    new = service(type="NodePort", ports=[{"port": 80}])
    services.prepare_update(new, old)
    assert (new.spec.clusterIP, new.spec.clusterIPs) == ("10.0.0.5", ["10.0.0.5"])
    assert new.spec.ports[0].nodePort == 30080
    assert new.spec.ipFamilies == ["IPv4"]
    assert services.KIND.validate_update(new, old) == []


def test_a_change_of_type_takes_its_fields_along() -> None:
    old = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}], clusterIP="10.0.0.5")
    new = codecs.copy(old)
    new.spec.type = "ClusterIP"
    services.prepare_update(new, old)
    assert new.spec.ports[0].nodePort == 0
    assert new.spec.externalTrafficPolicy == ""
    assert services.KIND.validate(new) == []
    balanced = service(type="LoadBalancer", ports=PORTS)
    balanced.status.loadBalancer.ingress = [core_v1.LoadBalancerIngress(ip="1.2.3.4")]
    plain = codecs.copy(balanced)
    plain.spec.type, plain.status = "ClusterIP", balanced.status
    services.prepare_update(plain, balanced)
    assert (len(plain.status.loadBalancer.ingress), len(balanced.status.loadBalancer.ingress)) == (0, 1)
    new.spec.type, new.spec.externalName = "ExternalName", "a.b"
    services.prepare_update(new, old)
    assert (new.spec.clusterIP, new.spec.clusterIPs) == ("", [])


def test_the_address_is_immutable() -> None:
    old, new = service(ports=PORTS, clusterIP="10.0.0.5"), service(ports=PORTS, clusterIP="10.0.0.6")
    (problem,) = services.KIND.validate_update(new, old)
    assert str(problem) == 'spec.clusterIPs[0]: Invalid value: ["10.0.0.6"]: may not change once set'


def test_row() -> None:
    made = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}], clusterIP="10.0.0.5", selector={"a": "b"})
    assert services.row(made, NOW) == ("web", "NodePort", "10.0.0.5", "<none>", "80:30080/TCP", "60s", "a=b")
    assert list(services.row(service(type="LoadBalancer", ports=PORTS), NOW))[3] == "<pending>"
    assert list(services.row(service(clusterIP="None"), NOW))[2:5] == ["None", "<none>", "<none>"]
    assert list(services.row(service(type="ExternalName", externalName="a.b"), NOW))[3] == "a.b"
