"""RuntimeClass: a pod's class exists; its overhead and its scheduling become the pod's."""

from __future__ import annotations

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, node_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections


class RuntimeClass(plugin.Plugin):
    name = "RuntimeClass"
    operations = (plugin.CREATE,)
    resources = ("pods",)

    def __init__(self, classes: collections.Collection) -> None:
        self._classes = classes

    async def admit(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        found = self._class_of(attributes, pod)
        if found is None:
            return
        if found.overhead is not None:
            if pod.spec.overhead and pod.spec.overhead != found.overhead.podFixed:
                raise _mismatch(attributes)
            pod.spec.overhead = dict(found.overhead.podFixed)
        if found.scheduling is not None:
            _schedule(attributes, pod, codecs.copy(found.scheduling))

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        found = self._class_of(attributes, pod)
        if found is not None and found.overhead is not None:
            if pod.spec.overhead != found.overhead.podFixed:
                raise _mismatch(attributes)
        elif pod.spec.overhead:
            why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise attributes.forbidden(why)

    def _class_of(self, attributes: plugin.Attributes, pod: core_v1.Pod) -> node_v1.RuntimeClass | None:
        name = pod.spec.runtimeClassName
        if name is None:
            return None
        item = self._classes.get("", name)
        if item is None:
            raise attributes.forbidden(f'pod rejected: RuntimeClass "{name}" not found')
        found: node_v1.RuntimeClass = item.decoded(node_v1.RuntimeClass)
        return found


def _schedule(attributes: plugin.Attributes, pod: core_v1.Pod, scheduling: node_v1.Scheduling) -> None:
    chosen = pod.spec.nodeSelector
    for key, value in scheduling.nodeSelector.items():
        if chosen.get(key, value) != value:
            why = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
            raise attributes.forbidden(f"{why}pod.spec.nodeSelector[{key}] = {chosen[key]}")
        chosen[key] = value
    pod.spec.tolerations = merge([*pod.spec.tolerations, *scheduling.tolerations])


def merge(tolerations: list[core_v1.Toleration]) -> list[core_v1.Toleration]:
    """Without those that others make redundant; of equal ones the first stays."""
    merged: list[core_v1.Toleration] = []
    for index, toleration in enumerate(tolerations):
        later = (other for other in tolerations[index + 1 :] if other != toleration)
        if not any(covers(other, toleration) for other in (*merged, *later)):
            merged.append(toleration)
    return merged


def covers(wide: core_v1.Toleration, narrow: core_v1.Toleration) -> bool:
    """Whether all that the one tolerates is tolerated by the other."""
    if wide == narrow:
        return True
    if wide.key != narrow.key and not (wide.key == "" and wide.operator == "Exists"):
        return False
    if wide.effect not in (narrow.effect, ""):
        return False
    longest, seconds = wide.tolerationSeconds, narrow.tolerationSeconds
    if wide.effect == "NoExecute" and longest is not None and (seconds is None or seconds > longest):
        return False
    if wide.operator in ("Equal", ""):
        return narrow.operator in ("Equal", "") and wide.value == narrow.value
    return wide.operator == "Exists"


def _mismatch(attributes: plugin.Attributes) -> errors.StatusError:
    return attributes.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
