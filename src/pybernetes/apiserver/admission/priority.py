"""Priority: resolves a pod's priority class to its number; keeps the global default unique."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1, scheduling_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following, selection


class Priority(plugin.Plugin):
    name = "Priority"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods", "priorityclasses.scheduling.k8s.io")

    def __init__(self, classes: collections.Collection) -> None:
        self._classes = classes
        # Every pod without a class asks for the default; it is looked for when a class has changed.
        self._found: list[scheduling_v1.PriorityClass | None] = []
        following.follow(classes, lambda event, item: self._found.clear())

    async def admit(self, attributes: plugin.Attributes) -> None:
        if attributes.resource != "pods" or attributes.operation != plugin.CREATE:
            return
        pod: core_v1.Pod = attributes.obj
        value, policy = 0, "PreemptLowerPriority"
        if pod.spec.priorityClassName:
            item = self._classes.get("", pod.spec.priorityClassName)
            if item is None:
                raise errors.forbidden(
                    "", "pods", attributes.name, f"no PriorityClass with name {pod.spec.priorityClassName} was found"
                )
            found = item.decoded(scheduling_v1.PriorityClass)
        else:
            found = self._default()
            if found is not None:
                pod.spec.priorityClassName = found.metadata.name
        if found is not None:
            value, policy = found.value, found.preemptionPolicy or policy
        if pod.spec.priority is not None and pod.spec.priority != value:
            raise errors.forbidden(
                "",
                "pods",
                attributes.name,
                f"the integer value of priority ({pod.spec.priority}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name",
            )
        if pod.spec.preemptionPolicy is not None and pod.spec.preemptionPolicy != policy:
            raise errors.forbidden(
                "",
                "pods",
                attributes.name,
                f"the string value of PreemptionPolicy ({pod.spec.preemptionPolicy}) must not be provided in pod "
                f"spec; priority admission controller computed {policy} from the given PriorityClass name",
            )
        pod.spec.priority = value
        pod.spec.preemptionPolicy = policy

    async def validate(self, attributes: plugin.Attributes) -> None:
        if attributes.resource == "pods" or not attributes.obj.globalDefault:
            return
        obj: scheduling_v1.PriorityClass = attributes.obj
        default = self._default()
        if default is not None and default.metadata.name != obj.metadata.name:
            raise errors.forbidden(
                "scheduling.k8s.io",
                "priorityclasses",
                attributes.name,
                f"PriorityClass {default.metadata.name} is already marked as default. Only one default can exist",
            )

    def _default(self) -> scheduling_v1.PriorityClass | None:
        """The global default of lowest value, should there be several after all."""
        if not self._found:
            items = self._classes.select(selection.EVERYTHING).items
            marked = [one for item in items if (one := item.decoded(scheduling_v1.PriorityClass)).globalDefault]
            self._found.append(min(marked, key=lambda one: one.value, default=None))
        return self._found[0]
