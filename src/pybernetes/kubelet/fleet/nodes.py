"""Simulated nodes as the API shows them. Pure.

A node is simulated when the fleet made it, or when it is annotated:

    simulated.pybernetes.io/node: "true"
    simulated.pybernetes.io/capacity: "cpu=8,memory=64Gi,example.com/gpu=2"     (where its status has none)

kwok's `kwok.x-k8s.io/node: fake` is understood as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.api import codecs, version
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import coordination_v1, core_v1, meta_v1
from pybernetes.kubelet.node import status as statuses
from pybernetes.runtime import protocol

ANNOTATION = "simulated.pybernetes.io/node"
CAPACITY = "simulated.pybernetes.io/capacity"
KWOK = "kwok.x-k8s.io/node"
LEASES = "kube-node-lease"
LEASE_SECONDS = 40
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
# As large as kwok's, so that pods fit until somebody says otherwise.
DEFAULT_CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}

_FINE = [protocol.Condition(type=kind, status=True) for kind in ("RuntimeReady", "NetworkReady")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A node to be made. `taints` are (key, value, effect); `capacity` adds to the default one, or overrides it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[tuple[str, str, str]] = ()
    capacity: Mapping[str, str] = field(default_factory=dict)


def specs(
    names: Sequence[str],
    *,
    zones: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    taints: Sequence[tuple[str, str, str]] = (),
    capacity: Mapping[str, str] | None = None,
) -> Iterator[Spec]:
    """Equal nodes, dealt out to the zones in turn."""
    for at, name in enumerate(names):
        zone = {ZONE: zones[at % len(zones)]} if zones else {}
        yield Spec(name=name, labels=zone | dict(labels or {}), taints=taints, capacity=capacity or {})


def is_simulated(node: core_v1.Node) -> bool:
    notes = node.metadata.annotations
    return notes.get(ANNOTATION) == "true" or notes.get(KWOK) == "fake"


def parse_capacity(text: str) -> dict[str, str]:
    """`cpu=8,memory=64Gi`; raises ValueError for what is no quantity."""
    found = {}
    for entry in filter(None, text.split(",")):
        name, separator, amount = entry.partition("=")
        if not separator:
            raise ValueError(f"{entry!r} is not of the form RESOURCE=QUANTITY")
        Quantity.parse(amount.strip())
        found[name.strip()] = amount.strip()
    return found


def wanted(spec: Spec, *, address: str, port: int, now: str) -> core_v1.Node:
    """The object to create."""
    node = core_v1.Node(
        metadata=meta_v1.ObjectMeta(
            name=spec.name,
            labels={
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                HOSTNAME: spec.name,
                **spec.labels,
            },
            annotations={ANNOTATION: "true", "volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        ),
        spec=core_v1.NodeSpec(taints=[core_v1.Taint(key=k, value=v, effect=e) for k, v, e in spec.taints]),
    )
    node.status = status(node, capacity=DEFAULT_CAPACITY | dict(spec.capacity), address=address, port=port, now=now)
    return node


def adopted(node: core_v1.Node, *, address: str, port: int, now: str) -> core_v1.NodeStatus:
    """The status of a node that somebody else made: what it says about its size stays."""
    text = node.metadata.annotations.get(CAPACITY, "")
    try:
        said = parse_capacity(text)
    except ValueError:
        said = {}
    known = {name: str(amount) for name, amount in node.status.capacity.items()}
    known |= {name: str(amount) for name, amount in node.status.allocatable.items() if name not in known}
    return status(node, capacity=known or DEFAULT_CAPACITY | said, address=address, port=port, now=now)


def status(node: core_v1.Node, *, capacity: Mapping[str, str], address: str, port: int, now: str) -> core_v1.NodeStatus:
    """Ready, from what it was."""
    fresh = codecs.copy(node.status)
    fresh.capacity = {name: Quantity.parse(amount) for name, amount in capacity.items()}
    fresh.allocatable = fresh.allocatable or dict(fresh.capacity)
    fresh.addresses = fresh.addresses or [
        core_v1.NodeAddress(type="InternalIP", address=address),
        core_v1.NodeAddress(type="Hostname", address=node.metadata.name),
    ]
    fresh.daemonEndpoints = core_v1.NodeDaemonEndpoints(kubeletEndpoint=core_v1.DaemonEndpoint(Port=port))
    fresh.nodeInfo = core_v1.NodeSystemInfo(
        architecture="amd64",
        operatingSystem="linux",
        osImage="simulated",
        kernelVersion="simulated",
        containerRuntimeVersion="simulated://1.0.0",
        kubeletVersion=version.GIT_VERSION,
        machineID=node.metadata.name,
        systemUUID=node.metadata.name,
        bootID=node.metadata.name,
        kubeProxyVersion="",
    )
    fresh.conditions = statuses.conditions(node.status.conditions, runtime=_FINE, now=now)
    return fresh


def is_complete(node: core_v1.Node) -> bool:
    """Whether its status is one that we gave it, and nobody has taken back since."""
    ready = any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)
    return ready and bool(node.status.capacity) and bool(node.status.nodeInfo.kubeletVersion)


def address_of(node: core_v1.Node) -> str:
    return next((found.address for found in node.status.addresses if found.type == "InternalIP"), "")


def lease(node: core_v1.Node, *, now: str) -> coordination_v1.Lease:
    name = node.metadata.name
    owner = meta_v1.OwnerReference(apiVersion="v1", kind="Node", name=name, uid=node.metadata.uid)
    return coordination_v1.Lease(
        metadata=meta_v1.ObjectMeta(name=name, namespace=LEASES, ownerReferences=[owner]),
        spec=coordination_v1.LeaseSpec(holderIdentity=name, leaseDurationSeconds=LEASE_SECONDS, renewTime=now),
    )
