"""NetworkPolicies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources import cells, checks, kind

_SPEC = fields.Path("spec")
_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def default(policy: networking_v1.NetworkPolicy) -> None:
    spec = policy.spec
    ports = [port for rule in spec.ingress for port in rule.ports]
    ports += [port for rule in spec.egress for port in rule.ports]
    for port in ports:
        if port.protocol is None:
            port.protocol = "TCP"
    if not spec.policyTypes:
        spec.policyTypes = ["Ingress", "Egress"] if spec.egress else ["Ingress"]


def validate(policy: networking_v1.NetworkPolicy) -> checks.Errors:
    spec = policy.spec
    problems = checks.selector(spec.podSelector, _SPEC["podSelector"])
    for index, ingress in enumerate(spec.ingress):
        problems += _rule(ingress.ports, ingress.from_, _SPEC["ingress"][index], "from")
    for index, egress in enumerate(spec.egress):
        problems += _rule(egress.ports, egress.to, _SPEC["egress"][index], "to")
    path = _SPEC["policyTypes"]
    if len(spec.policyTypes) > 2:
        return [*problems, fields.invalid(path, spec.policyTypes, "may not specify more than two policyTypes")]
    for index, policy_type in enumerate(spec.policyTypes):
        problems += checks.one_of(policy_type, ("Ingress", "Egress"), path[index], in_order=True)
    return problems


def _rule(
    ports: Sequence[networking_v1.NetworkPolicyPort],
    peers: Sequence[networking_v1.NetworkPolicyPeer],
    path: fields.Path,
    name: str,
) -> checks.Errors:
    problems: checks.Errors = []
    for index, port in enumerate(ports):
        problems += _port(port, path["ports"][index])
    for index, peer in enumerate(peers):
        problems += _peer(peer, path[name][index])
    return problems


def _port(port: networking_v1.NetworkPolicyPort, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if port.protocol is not None:
        problems += checks.one_of(port.protocol, ("TCP", "UDP", "SCTP"), path["protocol"], in_order=True)
    if port.port is not None:
        problems += checks.port_or_name(port.port, path["port"])
    if port.endPort is None:
        return problems
    at = path["endPort"]
    if port.port is None:
        problems.append(fields.invalid(at, port.endPort, "may not be specified when `port` is not specified"))
    elif isinstance(port.port, str):
        problems.append(fields.invalid(at, port.endPort, "may not be specified when `port` is non-numeric"))
    else:
        if port.endPort < port.port:
            problems.append(fields.invalid(at, port.port, "must be greater than or equal to `port`"))
        problems += checks.port(port.endPort, at)
    return problems


def _peer(peer: networking_v1.NetworkPolicyPeer, path: fields.Path) -> checks.Errors:
    problems = checks.selector(peer.podSelector, path["podSelector"])
    problems += checks.selector(peer.namespaceSelector, path["namespaceSelector"])
    selects = peer.podSelector is not None or peer.namespaceSelector is not None
    if peer.ipBlock is None:
        return problems if selects else [*problems, fields.required(path, "must specify a peer")]
    problems += _block(peer.ipBlock, path["ipBlock"])
    if selects:
        problems.append(fields.forbidden(path, "may not specify both ipBlock and another peer"))
    return problems


def _block(block: networking_v1.IPBlock, path: fields.Path) -> checks.Errors:
    if not block.cidr:
        return [fields.required(path["cidr"])]
    try:
        outer = ipaddress.ip_network(block.cidr, strict=False)
    except ValueError:
        return [fields.invalid(path["cidr"], block.cidr, _CIDR)]
    problems: checks.Errors = []
    for index, text in enumerate(block.except_):
        at = path["except"][index]
        try:
            inner = ipaddress.ip_network(text, strict=False)
        except ValueError:
            problems.append(fields.invalid(at, text, _CIDR))
            continue
        inside = inner.version == outer.version and inner.prefixlen > outer.prefixlen and inner.network_address in outer
        if not inside:
            problems.append(fields.invalid(at, text, "must be a strict subset of `cidr`"))
    return problems


def row(policy: networking_v1.NetworkPolicy, now: float) -> Sequence[kind.Cell]:
    return policy.metadata.name, cells.selector(policy.spec.podSelector), cells.age(policy.metadata, now)


KIND: kind.Kind[networking_v1.NetworkPolicy] = kind.Kind(
    resource=kind.resource("networking.k8s.io", "v1", "networkpolicies"),
    default=default,
    validate=validate,
    spec_of=lambda policy: policy.spec,
    columns=(kind.NAME, kind.Column("Pod-Selector"), kind.AGE),
    row=row,
)
