"""Resource requests and limits as the kernel's numbers, and the QoS class that follows from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels
from pybernetes.runtime import protocol

MIN_SHARES, MAX_SHARES = 2, 262144
PERIOD, MIN_QUOTA = 100_000, 1_000
GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
_COUNTED = ("cpu", "memory")


def qos_class(pod: core_v1.Pod) -> str:
    """Guaranteed: every container limits cpu and memory, and requests just that. BestEffort: none asks for any."""
    everyone = [*pod.spec.initContainers, *pod.spec.containers]
    asked = False
    guaranteed = True
    for container in everyone:
        limits = _counted(container.resources.limits)
        requests = {**limits, **_counted(container.resources.requests)}
        asked |= bool(requests)
        guaranteed &= set(limits) == set(_COUNTED) and requests == limits
    if not asked:
        return BEST_EFFORT
    return GUARANTEED if guaranteed else BURSTABLE


def _counted(given: Mapping[str, Quantity]) -> dict[str, Quantity]:
    return {name: given[name] for name in _COUNTED if name in given and not given[name].is_zero()}


def shares(milli_cpu: int) -> int:
    """cgroup v1 cpu.shares; runc turns them into weights on v2."""
    return min(max(milli_cpu * 1024 // 1000, MIN_SHARES), MAX_SHARES)


def quota(milli_cpu: int) -> int:
    """Microseconds per PERIOD; 0 for no limit."""
    return max(milli_cpu * PERIOD // 1000, MIN_QUOTA) if milli_cpu else 0


def oom_score_adj(pod: core_v1.Pod, container: labels.AnyContainer, memory_capacity: int) -> int:
    """Who is killed first when memory runs out: -997 (last) to 1000 (first)."""
    if pod.spec.priorityClassName == "system-node-critical":
        return -997
    match qos_class(pod):
        case "Guaranteed":
            return -997
        case "BestEffort":
            return 1000
    request = container.resources.requests.get("memory")
    asked = request.as_int() if request is not None else 0
    adjusted = 1000 - (1000 * asked) // max(memory_capacity, 1)
    return min(max(adjusted, 3), 999)


def of(pod: core_v1.Pod, container: labels.AnyContainer, memory_capacity: int) -> protocol.Resources:
    limits, requests = container.resources.limits, container.resources.requests
    cpu_limit = limits["cpu"].milli() if "cpu" in limits else 0
    cpu_request = requests["cpu"].milli() if "cpu" in requests else cpu_limit
    return protocol.Resources(
        cpu_shares=shares(cpu_request),
        cpu_quota=quota(cpu_limit),
        cpu_period=PERIOD,
        memory_limit=limits["memory"].as_int() if "memory" in limits else 0,
        oom_score_adj=oom_score_adj(pod, container, memory_capacity),
    )
