"""Parts of a running pod that have subresources of their own: containers added for debugging, and resources."""

from __future__ import annotations

from pybernetes.api import codecs, fields, pod_qos
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.core import pod_updates, pod_validation

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
_SPEC = fields.Path("spec")
_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
_RESIZABLE = ("cpu", "memory")
_PARTS = ("containers", "initContainers")


def _keep(new: core_v1.Pod, old: core_v1.Pod) -> core_v1.PodSpec:
    """Take everything back; answers with a specification to put the part into."""
    for name in _METADATA:
        setattr(new.metadata, name, getattr(old.metadata, name))
    new.status = old.status
    new.spec = codecs.copy(old.spec)
    return new.spec


def prepare_ephemeral(new: core_v1.Pod, old: core_v1.Pod) -> None:
    wanted = new.spec.ephemeralContainers
    _keep(new, old).ephemeralContainers = wanted


def validate_ephemeral(new: core_v1.Pod, old: core_v1.Pod) -> checks.Errors:
    """Containers come, and never change or go."""
    if MIRROR_ANNOTATION in old.metadata.annotations:
        return [fields.forbidden(fields.Path(""), "static pods do not support ephemeral containers")]
    problems = pod_validation.pod_spec(new.spec, _SPEC)
    after = {container.name: container for container in new.spec.ephemeralContainers}
    for container in old.spec.ephemeralContainers:
        changed = after.get(container.name)
        words = f'existing ephemeral containers "{container.name}" may not be '
        if changed is None:
            problems.append(fields.forbidden(_SPEC["ephemeralContainers"], words + "removed\n"))
        elif not checks.same(changed, container):
            words += f"changed\n{pod_updates.spec_diff(container, changed)}"
            problems.append(fields.forbidden(_SPEC["ephemeralContainers"], words))
    return problems


def prepare_resize(new: core_v1.Pod, old: core_v1.Pod) -> None:
    """Resources and how to change them; where containers came, went or moved, validation says so."""
    wanted = new.spec
    if any(len(getattr(wanted, part)) != len(getattr(old.spec, part)) for part in _PARTS):
        return
    spec = _keep(new, old)
    spec.resources = wanted.resources
    for part in _PARTS:
        asked, kept = getattr(wanted, part), getattr(spec, part)
        if any(container.name != before.name for container, before in zip(asked, kept, strict=True)):
            setattr(spec, part, asked)
            continue
        for container, before in zip(asked, kept, strict=True):
            before.resources, before.resizePolicy = container.resources, container.resizePolicy


def validate_resize(new: core_v1.Pod, old: core_v1.Pod) -> checks.Errors:
    """CPU and memory may become more or less, but not come, go, or change the class of the pod."""
    if MIRROR_ANNOTATION in old.metadata.annotations:
        return [fields.forbidden(fields.Path(""), "static pods cannot be resized")]
    if old.spec.os is not None and old.spec.os.name == "windows":
        return [fields.forbidden(fields.Path(""), "windows pods cannot be resized")]
    problems = pod_validation.pod_spec(new.spec, _SPEC)
    if (old.status.qosClass or pod_qos.qos_class(old)) != pod_qos.qos_class(new):
        words = "Pod QOS Class may not change as a result of resizing"
        problems.append(fields.invalid(_SPEC, new.status.qosClass, words))
    if not _node_resizes(old):
        problems.append(fields.forbidden(_SPEC, "Pod running on node without support for resize"))
    munged = codecs.copy(new.spec)
    problems += _pod_level(munged, old.spec)
    moved = _moved(new.spec, old.spec)
    if moved:
        return problems + moved
    for part in reversed(_PARTS):
        for index, before in enumerate(getattr(old.spec, part)):
            after = getattr(new.spec, part)[index].resources
            problems += _removed(after, before.resources, _SPEC[part][index]["resources"], "resource")
    problems += _others_changed(munged, old.spec)
    if not problems and not checks.same(munged, old.spec):
        problems.append(fields.forbidden(_SPEC, "only cpu and memory resources are mutable"))
    return problems


def _node_resizes(pod: core_v1.Pod) -> bool:
    """A node that can resize tells what resources containers have."""
    running = (status for status in pod.status.containerStatuses if status.state.running is not None)
    first = next(running, None)
    return first is None or first.resources is not None


def _pod_level(munged: core_v1.PodSpec, old: core_v1.PodSpec) -> checks.Errors:
    after, before = munged.resources, old.resources
    if before is None:
        if after is not None:
            _take_back(after, core_v1.ResourceRequirements())
            if after == core_v1.ResourceRequirements():
                munged.resources = None
    elif after is None:
        return [fields.forbidden(_SPEC["resources"], "pod-level resources cannot be removed")]
    else:
        problems = _removed(after, before, _SPEC["resources"], "pod-level resource")
        _take_back(after, before)
        if problems:
            return problems
    if not checks.same(munged.resources, before):
        return [fields.forbidden(_SPEC, "only cpu and memory resources are mutable at pod-level")]
    return []


def _moved(new: core_v1.PodSpec, old: core_v1.PodSpec) -> checks.Errors:
    problems: checks.Errors = []
    for part in _PARTS:
        after, before = getattr(new, part), getattr(old, part)
        if len(after) != len(before):
            problems.append(fields.forbidden(_SPEC[part], f"{part} may not be added or removed on resize"))
            continue
        for index, (container, was) in enumerate(zip(after, before, strict=True)):
            if container.name != was.name:
                words = f"{part} may not be renamed or reordered on resize"
                problems.append(fields.forbidden(_SPEC[part][index]["name"], words))
    return problems


def _removed(
    new: core_v1.ResourceRequirements, old: core_v1.ResourceRequirements, path: fields.Path, what: str
) -> checks.Errors:
    return [
        fields.forbidden(path[part], f"{what} {part} cannot be removed")
        for part in ("requests", "limits")
        if set(getattr(old, part)) - set(getattr(new, part))
    ]


def _others_changed(munged: core_v1.PodSpec, old: core_v1.PodSpec) -> checks.Errors:
    """What changed beside CPU and memory, which are taken back on the way."""
    problems: checks.Errors = []
    for container, before in zip(munged.containers, old.containers, strict=True):
        _take_back(container.resources, before.resources)
        if not checks.same(container, before):
            problems.append(fields.forbidden(_SPEC, "only cpu and memory resources are mutable"))
    for index, (container, before) in enumerate(zip(munged.initContainers, old.initContainers, strict=True)):
        path = _SPEC["initContainers"][index]
        modified = not checks.same(container, before)
        _take_back(container.resources, before.resources)
        if not checks.same(container, before):
            words = "only cpu and memory resources for init or sidecar containers are mutable"
            problems.append(fields.forbidden(path, words))
        restarts = any(policy.restartPolicy == "RestartContainer" for policy in container.resizePolicy)
        if modified and restarts and container.restartPolicy != "Always":
            words = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
            problems.append(fields.forbidden(path, words))
    return problems


def _take_back(resources: core_v1.ResourceRequirements, before: core_v1.ResourceRequirements) -> None:
    resources.claims = before.claims
    for part in ("requests", "limits"):
        amounts, was = getattr(resources, part), getattr(before, part)
        for name in _RESIZABLE:
            amounts.pop(name, None)
            if name in was:
                amounts[name] = was[name]


PARTS = {
    "ephemeralcontainers": kind.Part(prepare=prepare_ephemeral, validate=validate_ephemeral),
    "resize": kind.Part(prepare=prepare_resize, validate=validate_resize),
}
