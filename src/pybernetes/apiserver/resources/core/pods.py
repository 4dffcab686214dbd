"""Pods: their defaults, what an update may change, and the row that everybody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import codecs, fields, pod_qos
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import pod_parts, pod_spec, pod_updates, pod_validation, pod_warnings


def default(pod: core_v1.Pod) -> None:
    spec = pod.spec
    pod_spec.default(spec)
    for container in (*spec.containers, *spec.initContainers):
        pod_spec.default_requests(container)
    if spec.enableServiceLinks is None:
        spec.enableServiceLinks = True
    if spec.hostNetwork:
        pod_spec.default_host_ports(spec)
    if spec.resources is not None:
        pod_qos.default_pod_level(spec)


def prepare_create(pod: core_v1.Pod) -> None:
    pod.metadata.generation = 1
    pod.status = core_v1.PodStatus(phase="Pending", qosClass=pod_qos.qos_class(pod))
    _narrow_selectors(pod)
    if pod.spec.schedulingGates:
        pod.status.conditions = [
            core_v1.PodCondition(
                type="PodScheduled",
                status="False",
                reason="SchedulingGated",
                message="Scheduling is blocked due to non-empty scheduling gates",
            )
        ]


def _narrow_selectors(pod: core_v1.Pod) -> None:
    """Put the pod's own values of matchLabelKeys and mismatchLabelKeys into the selectors beside them, for good."""
    labels = pod.metadata.labels
    for constraint in pod.spec.topologySpreadConstraints:
        _narrow(constraint.labelSelector, constraint.matchLabelKeys, "In", labels)
    affinity = pod.spec.affinity or core_v1.Affinity()
    for half in (affinity.podAffinity, affinity.podAntiAffinity):
        if half is not None:
            wishes = (wish.podAffinityTerm for wish in half.preferredDuringSchedulingIgnoredDuringExecution)
            for term in (*wishes, *half.requiredDuringSchedulingIgnoredDuringExecution):
                _narrow(term.labelSelector, term.matchLabelKeys, "In", labels)
                _narrow(term.labelSelector, term.mismatchLabelKeys, "NotIn", labels)


def _narrow(
    selector: meta_v1.LabelSelector | None, keys: Sequence[str], operator: str, labels: Mapping[str, str]
) -> None:
    if selector is not None:
        selector.matchExpressions.extend(
            meta_v1.LabelSelectorRequirement(key=key, operator=operator, values=[labels[key]])
            for key in keys
            if key in labels
        )


def prepare_update(new: core_v1.Pod, old: core_v1.Pod) -> None:
    # Ephemeral containers have their own subresource.
    new.spec.ephemeralContainers = old.spec.ephemeralContainers
    if old.spec.schedulingGates and not new.spec.schedulingGates:
        # The status is still the stored object's, which is not ours to change.
        new.status = codecs.copy(new.status)
        new.status.conditions = [c for c in new.status.conditions if c.reason != "SchedulingGated"]


def prepare_status(new: core_v1.Pod, old: core_v1.Pod) -> None:
    new.metadata.deletionTimestamp = old.metadata.deletionTimestamp
    # The class is decided once; kubelets that do not report it do not clear it.
    new.status.qosClass = new.status.qosClass or old.status.qosClass
    new.metadata.ownerReferences = old.metadata.ownerReferences


def validate(pod: core_v1.Pod) -> checks.Errors:
    problems = pod_validation.pod_spec(pod.spec, fields.Path("spec"))
    return problems + pod_validation.pod_annotations(pod)


def row(pod: core_v1.Pod, now: float) -> Sequence[kind.Cell]:
    ready, total, restarts, status = _summary(pod, now)
    gates = "<none>"
    if pod.spec.readinessGates:
        states = {condition.type: condition.status for condition in pod.status.conditions}
        passed = sum(states.get(gate.conditionType) == "True" for gate in pod.spec.readinessGates)
        gates = f"{passed}/{len(pod.spec.readinessGates)}"
    address = pod.status.podIPs[0].ip if pod.status.podIPs else ""
    return (
        pod.metadata.name,
        f"{ready}/{total}",
        status,
        restarts,
        cells.age(pod.metadata, now),
        address or "<none>",
        pod.spec.nodeName or "<none>",
        pod.status.nominatedNodeName or "<none>",
        gates,
    )


def _last_end(status: core_v1.ContainerStatus) -> str:
    ended = status.lastState.terminated
    return (ended.finishedAt or "") if ended is not None else ""


def _exit_reason(ended: core_v1.ContainerStateTerminated, prefix: str) -> str:
    if ended.reason:
        return prefix + ended.reason
    return f"{prefix}Signal:{ended.signal}" if ended.signal else f"{prefix}ExitCode:{ended.exitCode}"


def _summary(pod: core_v1.Pod, now: float) -> tuple[int, int, str, str]:
    """(ready containers, containers, restarts as text, status)."""
    spec, status = pod.spec, pod.status
    sidecars = {container.name for container in spec.initContainers if container.restartPolicy == "Always"}
    total = len(spec.containers) + len(sidecars)
    ready = restarts = sidecar_restarts = 0
    last = sidecar_last = ""
    reason = status.reason or status.phase
    if any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in status.conditions):
        reason = "SchedulingGated"

    initializing = False
    for index, container in enumerate(status.initContainerStatuses):
        restarts += container.restartCount
        last = max(last, _last_end(container))
        is_sidecar = container.name in sidecars
        if is_sidecar:
            sidecar_restarts += container.restartCount
            sidecar_last = max(sidecar_last, _last_end(container))
        ended, waiting = container.state.terminated, container.state.waiting
        if ended is not None and ended.exitCode == 0:
            continue
        if is_sidecar and container.started:
            ready += container.ready
            continue
        if ended is not None:
            reason = _exit_reason(ended, "Init:")
        elif waiting is not None and waiting.reason and waiting.reason != "PodInitializing":
            reason = f"Init:{waiting.reason}"
        else:
            reason = f"Init:{index}/{len(spec.initContainers)}"
        initializing = True
        break

    if not initializing or _has(status, "Initialized"):
        restarts, last = sidecar_restarts, sidecar_last
        running = False
        failure = ""
        for container in reversed(status.containerStatuses):
            restarts += container.restartCount
            last = max(last, _last_end(container))
            ended, waiting = container.state.terminated, container.state.waiting
            if waiting is not None and waiting.reason:
                reason = waiting.reason
            elif ended is not None:
                reason = _exit_reason(ended, "")
                if ended.exitCode != 0:
                    failure = reason
            elif container.ready and container.state.running is not None:
                running = True
                ready += 1
        if reason == "Completed":
            if running and _has(status, "Ready"):
                reason = "Running"
            elif failure:
                reason = failure
            elif running:
                reason = "NotReady"

    if pod.metadata.deletionTimestamp is not None:
        if status.reason == "NodeLost":
            reason = "Unknown"
        elif status.phase not in ("Succeeded", "Failed"):
            reason = "Terminating"
    text = f"{restarts} ({cells.since(last, now)} ago)" if restarts and last else str(restarts)
    return ready, total, text, reason


def _has(status: core_v1.PodStatus, condition: str) -> bool:
    return any(c.type == condition and c.status == "True" for c in status.conditions)


FIELD_LABELS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)


def selectable(pod: core_v1.Pod) -> Mapping[str, str]:
    spec, status = pod.spec, pod.status
    return {
        "spec.nodeName": spec.nodeName,
        "spec.restartPolicy": spec.restartPolicy,
        "spec.schedulerName": spec.schedulerName,
        "spec.serviceAccountName": spec.serviceAccountName,
        "spec.hostNetwork": "true" if spec.hostNetwork else "false",
        "status.phase": status.phase,
        "status.podIP": status.podIPs[0].ip if status.podIPs else status.podIP,
        "status.nominatedNodeName": status.nominatedNodeName,
    }


KIND: kind.Kind[core_v1.Pod] = kind.Kind(
    resource=kind.resource("", "v1", "pods"),
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    validate=validate,
    validate_update=pod_updates.validate,
    validate_status=pod_updates.validate_status,
    parts=pod_parts.PARTS,
    warnings=pod_warnings.warnings,
    has_status=True,
    spec_of=lambda pod: pod.spec,
    graceful=True,
    columns=(
        kind.NAME,
        kind.Column("Ready"),
        kind.Column("Status"),
        kind.Column("Restarts"),
        kind.AGE,
        kind.Column("IP", priority=1),
        kind.Column("Node", priority=1),
        kind.Column("Nominated Node", priority=1),
        kind.Column("Readiness Gates", priority=1),
    ),
    row=row,
    field_labels=FIELD_LABELS,
    selectable=selectable,
)
