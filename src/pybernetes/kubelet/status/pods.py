"""A pod's whole status, put together from its parts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import resources
from pybernetes.kubelet.pods import actions
from pybernetes.kubelet.status import conditions, containers
from pybernetes.kubelet.status import phase as phases


def of(
    pod: core_v1.Pod,
    facts: containers.Facts,
    *,
    before: core_v1.PodStatus,
    host_ips: Sequence[str],
    now: str,
    terminal: bool = False,
    failed: tuple[str, str] | None = None,
) -> core_v1.PodStatus:
    """The status to show; `before` is the one shown last. `failed` is (reason, message) of a pod given up on."""
    init = containers.statuses(pod, pod.spec.initContainers, facts, init=True)
    regular = containers.statuses(pod, pod.spec.containers, facts)
    ephemeral = [
        status
        for status in containers.statuses(pod, pod.spec.ephemeralContainers, facts)
        if facts.seen.latest(status.name) is not None or status.name in facts.waiting
    ]
    by_name = {status.name: status for status in [*init, *regular]}
    created = any(status.containerID or status.lastState.terminated for status in regular)
    phase = phases.of(pod.spec, by_name, terminal=terminal, initialized=created)
    reason, message = "", ""
    if failed is not None:
        phase, (reason, message) = phases.FAILED, failed
    elif phases.is_terminal(before.phase):
        # A pod never comes back from the end, whatever the runtime has forgotten since.
        phase, reason, message = before.phase, before.reason, before.message
    needs_sandbox, _, _ = actions.sandbox_changed(pod, facts.seen)
    fresh = conditions.of(pod, by_name, phase, sandbox_ready=not needs_sandbox)
    ips = list(facts.seen.ips()) or [found.ip for found in before.podIPs]
    if pod.spec.hostNetwork and (facts.seen.sandboxes or before.podIPs):
        ips = list(host_ips)
    return core_v1.PodStatus(
        phase=phase,
        reason=reason,
        message=message,
        conditions=conditions.timed(fresh, before.conditions, now=now, generation=pod.metadata.generation),
        hostIP=host_ips[0] if host_ips else "",
        hostIPs=[core_v1.HostIP(ip=ip) for ip in host_ips],
        podIP=ips[0] if ips else "",
        podIPs=[core_v1.PodIP(ip=ip) for ip in ips],
        startTime=before.startTime or now,
        qosClass=before.qosClass or resources.qos_class(pod),
        initContainerStatuses=init,
        containerStatuses=regular,
        ephemeralContainerStatuses=ephemeral,
        observedGeneration=pod.metadata.generation,
    )
