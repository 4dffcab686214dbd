"""Nodes."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping, Sequence

from pybernetes.api import fields, quantity
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import resource_validation, scheduling_validation

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_ROLE = "node-role.kubernetes.io/"
_OLD_ROLE = "kubernetes.io/role"

Amounts = tuple[tuple[str, quantity.Quantity], ...]


def default(node: core_v1.Node) -> None:
    if not node.status.allocatable and node.status.capacity:
        node.status.allocatable = dict(node.status.capacity)


def validate(node: core_v1.Node) -> checks.Errors:
    problems = scheduling_validation.taints(node.spec.taints, fields.Path("metadata")["taints"])
    families: list[bool] = []
    for index, cidr in enumerate(node.spec.podCIDRs):
        try:
            families.append(ipaddress.ip_network(cidr, strict=False).version == 4)
        except ValueError:
            words = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            problems.append(fields.invalid(_SPEC["podCIDRs"][index], cidr, words))
    if len(families) > len(set(families)):
        words = "may specify no more than one CIDR for each IP family"
        problems.append(fields.invalid(_SPEC["podCIDRs"], node.spec.podCIDRs, words))
    return problems + _resources(node)


def _resources(node: core_v1.Node) -> checks.Errors:
    """Nodes come in series, and their amounts seldom change: what was found good, is known."""
    status = node.status
    if _are_known_good(tuple(status.capacity.items()), tuple(status.allocatable.items())):
        return []
    return _problems(node)


@functools.lru_cache(maxsize=512)
def _are_known_good(capacity: Amounts, allocatable: Amounts) -> bool:
    return not _problems(
        core_v1.Node(status=core_v1.NodeStatus(capacity=dict(capacity), allocatable=dict(allocatable)))
    )


def _problems(node: core_v1.Node) -> checks.Errors:
    problems: checks.Errors = []
    for part in ("capacity", "allocatable"):
        for name, value in getattr(node.status, part).items():
            path = _STATUS[part].key(name)
            problems += resource_validation.resource_name(name, path)
            problems += resource_validation.amount(name, value, path)
    return problems


def validate_update(new: core_v1.Node, old: core_v1.Node) -> checks.Errors:
    problems: checks.Errors = []
    if old.spec.podCIDRs and old.spec.podCIDRs != new.spec.podCIDRs:
        words = 'node updates may not change podCIDR except from "" to valid'
        problems.append(fields.forbidden(_SPEC["podCIDRs"], words))
    if old.spec.providerID and old.spec.providerID != new.spec.providerID:
        words = 'node updates may not change providerID except from "" to valid'
        problems.append(fields.forbidden(_SPEC["providerID"], words))
    if old.spec.externalID != new.spec.externalID:
        problems.append(fields.forbidden(_SPEC["externalID"], "may not be updated"))
    return problems


def validate_status(new: core_v1.Node, _: core_v1.Node) -> checks.Errors:
    problems = _resources(new)
    seen: set[tuple[str, str]] = set()
    for index, address in enumerate(new.status.addresses):
        key = (address.type, address.address)
        if key in seen:
            problems.append(fields.duplicate(_STATUS["addresses"][index], address))
        seen.add(key)
    return problems


def prepare_update(new: core_v1.Node, _: core_v1.Node) -> None:
    _normalize(new)


def _normalize(node: core_v1.Node) -> None:
    """podCIDR is the first of podCIDRs, whichever of them the writer stated."""
    if node.spec.podCIDR and not node.spec.podCIDRs:
        node.spec.podCIDRs = [node.spec.podCIDR]
    if node.spec.podCIDRs and not node.spec.podCIDR:
        node.spec.podCIDR = node.spec.podCIDRs[0]


def roles(node: core_v1.Node) -> list[str]:
    """From labels, sorted."""
    found: set[str] = set()
    for key, value in node.metadata.labels.items():
        if key.startswith(_ROLE) and len(key) > len(_ROLE):
            found.add(key.removeprefix(_ROLE))
        elif key == _OLD_ROLE and value:
            found.add(value)
    return sorted(found)


def row(node: core_v1.Node, now: float) -> Sequence[kind.Cell]:
    info = node.status.nodeInfo
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    status = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    if node.spec.unschedulable:
        status += ",SchedulingDisabled"
    kernel = info.kernelVersion or "<unknown>"
    if info.architecture:
        kernel += f" ({info.architecture})"
    return (
        node.metadata.name,
        status,
        ",".join(roles(node)) or "<none>",
        cells.age(node.metadata, now),
        info.kubeletVersion,
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        info.osImage or "<unknown>",
        kernel,
        info.containerRuntimeVersion or "<unknown>",
    )


def _address(node: core_v1.Node, kind_of: str) -> str:
    return next((a.address for a in node.status.addresses if a.type == kind_of), "<none>")


def selectable(node: core_v1.Node) -> Mapping[str, str]:
    return {"spec.unschedulable": "true" if node.spec.unschedulable else "false"}


KIND: kind.Kind[core_v1.Node] = kind.Kind(
    resource=kind.resource("", "v1", "nodes"),
    default=default,
    prepare_create=_normalize,
    prepare_update=prepare_update,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    has_status=True,
    takes_status=True,
    columns=(
        kind.NAME,
        kind.Column("Status"),
        kind.Column("Roles"),
        kind.AGE,
        kind.Column("Version"),
        kind.Column("Internal-IP", priority=1),
        kind.Column("External-IP", priority=1),
        kind.Column("OS-Image", priority=1),
        kind.Column("Kernel-Version", priority=1),
        kind.Column("Container-Runtime", priority=1),
    ),
    row=row,
    field_labels=("spec.unschedulable",),
    selectable=selectable,
)
