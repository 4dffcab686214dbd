"""Which containers start again after they ended, by restart policy and rules. Pure."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import labels
from pybernetes.kubelet.pods import state
from pybernetes.runtime import protocol

ALWAYS, ON_FAILURE, NEVER = "Always", "OnFailure", "Never"


def is_sidecar(container: labels.AnyContainer) -> bool:
    """Whether an init container keeps running beside the others."""
    return container.restartPolicy == ALWAYS


def policy_of(spec: core_v1.PodSpec, container: labels.AnyContainer) -> str:
    return container.restartPolicy or spec.restartPolicy or ALWAYS


def after_exit(spec: core_v1.PodSpec, container: labels.AnyContainer, exit_code: int) -> bool:
    """Whether a container that ended with that code is to start again."""
    for rule in container.restartPolicyRules:
        if rule.exitCodes is None or rule.action not in ("Restart", "RestartAllContainers"):
            continue
        listed = exit_code in rule.exitCodes.values
        if listed if rule.exitCodes.operator == "In" else not listed:
            return True
    match policy_of(spec, container):
        case "Always":
            return True
        case "Never":
            return False
    return exit_code != 0


def should_run(pod: core_v1.Pod, container: labels.AnyContainer, found: protocol.ContainerStatus | None) -> bool:
    """Whether a container that is not running is to be started now."""
    if pod.metadata.deletionTimestamp:
        return False
    if found is None:
        return True
    match found.state:
        case protocol.ContainerState.RUNNING:
            return False
        case protocol.ContainerState.EXITED:
            return after_exit(pod.spec, container, found.exit_code)
    return True


def any_regular_created(pod: core_v1.Pod, seen: state.PodState) -> bool:
    """Whether the pod got past its init containers once: a regular container exists in the runtime."""
    return any(seen.latest(container.name) is not None for container in pod.spec.containers)
