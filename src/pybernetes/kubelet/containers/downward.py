"""What the downward API tells a container about its pod: field and resource references. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels


class Unsupported(ValueError):
    """The reference names nothing that the downward API has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is not in the pod's own spec: addresses, and the node's allocatable resources."""

    pod_ips: tuple[str, ...] = ()
    host_ips: tuple[str, ...] = ()
    allocatable: Mapping[str, Quantity] = field(default_factory=dict)


def _quoted(pairs: Mapping[str, str]) -> str:
    """`key="escaped value"` lines, sorted, as upstream writes label maps."""
    return "\n".join(f"{key}={_go_quote(pairs[key])}" for key in sorted(pairs))


def _go_quote(text: str) -> str:
    plain = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(plain.get(char, char if char.isprintable() else f"\\x{ord(char):02x}") for char in text) + '"'


_FIELDS: dict[str, Callable[[core_v1.Pod, Facts], str]] = {
    "metadata.name": lambda pod, _: pod.metadata.name,
    "metadata.namespace": lambda pod, _: pod.metadata.namespace,
    "metadata.uid": lambda pod, _: pod.metadata.uid,
    "metadata.labels": lambda pod, _: _quoted(pod.metadata.labels),
    "metadata.annotations": lambda pod, _: _quoted(pod.metadata.annotations),
    "spec.nodeName": lambda pod, _: pod.spec.nodeName,
    "spec.serviceAccountName": lambda pod, _: pod.spec.serviceAccountName,
    "status.hostIP": lambda _, facts: facts.host_ips[0] if facts.host_ips else "",
    "status.hostIPs": lambda _, facts: ",".join(facts.host_ips),
    "status.podIP": lambda _, facts: facts.pod_ips[0] if facts.pod_ips else "",
    "status.podIPs": lambda _, facts: ",".join(facts.pod_ips),
}


def field_value(pod: core_v1.Pod, path: str, facts: Facts) -> str:
    """The value at a field path, such as `metadata.labels['app']`. Raises Unsupported."""
    for kind, pairs in (("labels", pod.metadata.labels), ("annotations", pod.metadata.annotations)):
        start = f"metadata.{kind}['"
        if path.startswith(start) and path.endswith("']"):
            return pairs.get(path[len(start) : -2], "")
    found = _FIELDS.get(path)
    if found is None:
        raise Unsupported(f"unsupported fieldPath: {path}")
    return found(pod, facts)


def resource_value(
    pod: core_v1.Pod, selector: core_v1.ResourceFieldSelector, facts: Facts, container: labels.AnyContainer | None
) -> str:
    """Limits that are not set are the node's allocatable; amounts are rounded up to the divisor."""
    if selector.containerName:
        everyone: list[labels.AnyContainer] = [*pod.spec.containers, *pod.spec.initContainers]
        container = next((c for c in everyone if c.name == selector.containerName), None)
    if container is None:
        raise Unsupported(f"container {selector.containerName} not found")
    kind, _, name = selector.resource.partition(".")
    if kind == "limits":
        amount = container.resources.limits.get(name) or facts.allocatable.get(name)
    elif kind == "requests":
        amount = container.resources.requests.get(name)
    else:
        raise Unsupported(f"unsupported container resource: {selector.resource}")
    if amount is None:
        return "0"
    divisor = Quantity.parse(selector.divisor) if selector.divisor else Quantity("1")
    by = divisor.value() or Quantity("1").value()
    ratio = amount.value() / by
    return str(-(-ratio.numerator // ratio.denominator))
