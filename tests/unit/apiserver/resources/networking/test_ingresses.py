from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources.networking import ingresses, ipaddresses, networkpolicies, servicecidrs

BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def ingress(**spec: Any) -> networking_v1.Ingress:
    return codecs.from_tree(networking_v1.Ingress, {"metadata": {"name": "i"}, "spec": spec})


def rule(path: str = "/", path_type: str | None = "Prefix", **more: Any) -> dict[str, Any]:
    return {"http": {"paths": [{"path": path, "pathType": path_type, "backend": BACKEND}]}, **more}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"rules": [rule()]}, []),
        ({"defaultBackend": BACKEND}, []),
        ({}, ["spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"]),
        (
            {"rules": [rule("a")]},
            ['spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path'],
        ),
        (
            {"rules": [rule(path_type=None)]},
            ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
        ),
        (
            {"rules": [rule("/a//b")]},
            ["spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'"],
        ),
        (
            {"rules": [rule(host="10.0.0.1")]},
            ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
        ),
        ({"rules": [rule(host="*.example.com")]}, []),
        (
            {"defaultBackend": {"service": {"name": "web"}}},
            ["spec.defaultBackend: Required value: port name or number is required"],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert [str(problem) for problem in ingresses.validate(ingress(**spec))] == expected


def test_row() -> None:
    made = ingress(rules=[rule(host=f"{name}.example.com") for name in "abcd"], tls=[{}], ingressClassName="x")
    assert list(ingresses.row(made, 0))[:5] == [
        "i",
        "x",
        "a.example.com,b.example.com,c.example.com + 1 more...",
        "",
        "80, 443",
    ]


def test_network_policies() -> None:
    tree = {
        "spec": {
            "egress": [{"ports": [{"port": 80, "endPort": 70}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
            "ingress": [{"from": [{}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}],
        }
    }
    made = codecs.from_tree(networking_v1.NetworkPolicy, tree)
    networkpolicies.default(made)
    assert made.spec.policyTypes == ["Ingress", "Egress"]
    assert made.spec.egress[0].ports[0].protocol == "TCP"
    assert [str(p) for p in networkpolicies.validate(made)] == [
        "spec.ingress[0].from[0]: Required value: must specify a peer",
        'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        "spec.egress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
    ]


def test_addresses_and_ranges() -> None:
    assert ipaddresses.check_name("10.0.0.1") == []
    assert ipaddresses.check_name("x") == ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    assert ipaddresses.check_name("2001:DB8::1") == ['must be in canonical form ("2001:db8::1")']

    def cidrs(*listed: str) -> networking_v1.ServiceCIDR:
        return networking_v1.ServiceCIDR(spec=networking_v1.ServiceCIDRSpec(cidrs=list(listed)))

    assert servicecidrs.validate(cidrs("10.0.0.0/16", "2001:db8::/64")) == []
    assert servicecidrs.validate_update(cidrs("10.0.0.0/16", "2001:db8::/64"), cidrs("10.0.0.0/16")) == []
    assert servicecidrs.validate_update(cidrs("10.1.0.0/16"), cidrs("10.0.0.0/16")) != []
