"""What an update of a pod may change, and what a status may become."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs, fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import pod_validation

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_UPDATABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)


def validate(new: core_v1.Pod, old: core_v1.Pod) -> checks.Errors:
    """Images, deadlines, more tolerations and fewer scheduling gates; nothing else."""
    problems: checks.Errors = []
    for part in ("containers", "initContainers"):
        listed = getattr(new.spec, part)
        if len(listed) != len(getattr(old.spec, part)):
            words = "pod updates may not add or remove containers"
            return [*problems, fields.forbidden(_SPEC[part], words)]
        for index, container in enumerate(listed):
            if container.image.strip() != container.image:
                words = "must not have leading or trailing whitespace"
                problems.append(fields.invalid(_SPEC[part][index]["image"], container.image, words))
    problems += _deadline(new.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds)
    problems += _tolerations(new.spec.tolerations, old.spec.tolerations)
    gates = {gate.name for gate in old.spec.schedulingGates}
    for index, gate in enumerate(new.spec.schedulingGates):
        if gate.name not in gates:
            words = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            problems.append(fields.forbidden(_SPEC["schedulingGates"][index], words))
    if checks.same(new.spec, old.spec):
        return problems
    munged = _munged(new.spec, old.spec)
    if old.spec.schedulingGates:
        problems += _gated(munged, old.spec)
    if not checks.same(munged, old.spec):
        words = f"pod updates may not change fields other than {','.join(_UPDATABLE)}\n{spec_diff(old.spec, munged)}"
        problems.append(fields.forbidden(_SPEC, words))
    return problems


def _deadline(new: int | None, old: int | None) -> checks.Errors:
    path = _SPEC["activeDeadlineSeconds"]
    if new is None:
        words = "must not update from a positive integer to nil value"
        return [fields.invalid(path, None, words)] if old is not None else []
    if old is not None and old < new:
        return [fields.invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations(new: list[core_v1.Toleration], old: list[core_v1.Toleration]) -> checks.Errors:
    for toleration in old:
        kept = any(
            (t.key, t.operator, t.value, t.effect)
            == (toleration.key, toleration.operator, toleration.value, toleration.effect)
            for t in new
        )
        if not kept:
            words = "existing toleration can not be modified except its tolerationSeconds"
            return [fields.forbidden(_SPEC["tolerations"], words)]
    return []


def _munged(new: core_v1.PodSpec, old: core_v1.PodSpec) -> core_v1.PodSpec:
    """The new specification with everything taken back that may change."""
    munged = codecs.copy(new)
    for part in ("containers", "initContainers"):
        for container, before in zip(getattr(munged, part), getattr(old, part), strict=True):
            container.image = before.image
    munged.activeDeadlineSeconds = old.activeDeadlineSeconds
    munged.schedulingGates = old.schedulingGates
    munged.tolerations = old.tolerations
    grace = old.terminationGracePeriodSeconds
    if grace is not None and grace < 0 and munged.terminationGracePeriodSeconds == 1:
        munged.terminationGracePeriodSeconds = grace
    return munged


def _gated(munged: core_v1.PodSpec, old: core_v1.PodSpec) -> checks.Errors:
    """A pod that is not scheduled yet may be narrowed down further."""
    problems: checks.Errors = []
    if munged.nodeSelector != old.nodeSelector:
        if any(munged.nodeSelector.get(key) != value for key, value in old.nodeSelector.items()):
            words = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            problems.append(fields.invalid(_SPEC["nodeSelector"], munged.nodeSelector, words))
        munged.nodeSelector = old.nodeSelector
    before = old.affinity.nodeAffinity if old.affinity is not None else None
    after = munged.affinity.nodeAffinity if munged.affinity is not None else None
    if checks.same(before, after):
        return problems
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    path = _SPEC["affinity"]["nodeAffinity"]
    was = before.requiredDuringSchedulingIgnoredDuringExecution if before is not None else None
    now = after.requiredDuringSchedulingIgnoredDuringExecution if after is not None else None
    if was is not None and not _narrowed(now, was):
        words = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        problems.append(fields.invalid(path[required]["nodeSelectorTerms"], now, words))
    others = munged.affinity is not None and (munged.affinity.podAffinity or munged.affinity.podAntiAffinity)
    if old.affinity is None and not others:
        munged.affinity = None
    else:
        munged.affinity = munged.affinity or core_v1.Affinity()
        munged.affinity.nodeAffinity = before
    return problems


def _narrowed(now: core_v1.NodeSelector | None, was: core_v1.NodeSelector) -> bool:
    if now is None or len(now.nodeSelectorTerms) != len(was.nodeSelectorTerms):
        return False
    return all(
        after.matchExpressions[: len(before.matchExpressions)] == before.matchExpressions
        and after.matchFields[: len(before.matchFields)] == before.matchFields
        for after, before in zip(now.nodeSelectorTerms, was.nodeSelectorTerms, strict=True)
    )


def spec_diff(old: Any, new: Any) -> str:
    """What changed between two specifications, line by line, as messages show it."""
    import difflib
    import json

    def lines(spec: Any) -> list[str]:
        return json.dumps(codecs.to_tree(spec), indent=2).splitlines()

    changed = list(difflib.unified_diff(lines(old), lines(new), lineterm="", n=3))[2:]
    return "\n".join(changed) + "\n"


def validate_status(new: core_v1.Pod, old: core_v1.Pod) -> checks.Errors:
    """A status reports; it neither binds a pod nor brings finished containers back."""
    problems: checks.Errors = []
    status, was = new.status, old.status
    nominated = status.nominatedNodeName
    if nominated and nominated != was.nominatedNodeName and old.spec.nodeName:
        words = "may not be set on pods that are already bound to a node"
        problems.append(fields.forbidden(_STATUS["nominatedNodeName"], words))
    if status.observedGeneration < 0:
        words = "must be a non-negative integer"
        problems.append(fields.invalid(_STATUS["observedGeneration"], status.observedGeneration, words))
    problems += checks.immutable(status.qosClass, was.qosClass, _STATUS["qosClass"])
    if old.spec.restartPolicy != "Always":
        problems += _transitions(new, old)
    for index, address in enumerate(status.podIPs):
        problems += pod_validation.ip(address.ip, _STATUS["podIPs"][index])
    families = {":" in address.ip for address in status.podIPs}
    if len(status.podIPs) > len(families):
        words = "may specify no more than one IP for each IP family"
        problems.append(fields.invalid(_STATUS["podIPs"], status.podIPs, words))
    return problems


def _transitions(new: core_v1.Pod, old: core_v1.Pod) -> checks.Errors:
    problems: checks.Errors = []
    rules = {
        container.name
        for container in (*old.spec.containers, *old.spec.initContainers)
        if container.restartPolicy or container.restartPolicyRules
    }
    for part in ("containerStatuses", "initContainerStatuses"):
        after = {status.name: status for status in getattr(new.status, part)}
        for index, before in enumerate(getattr(old.status, part)):
            ended = before.state.terminated
            if ended is None or before.name in rules or before.name not in after:
                continue
            if ended.exitCode != 0 and old.spec.restartPolicy == "OnFailure":
                continue
            if after[before.name].state.terminated is None:
                words = "may not be transitioned to non-terminated state"
                problems.append(fields.forbidden(_STATUS[part][index]["state"], words))
    return problems
