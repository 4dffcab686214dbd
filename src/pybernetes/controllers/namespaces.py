"""Empties a namespace that is being deleted, then lets it go.

Pods first, because what they use should outlive them; then everything else that the server has. What is left, and
why, is told in the namespace's conditions.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Any

from pybernetes.api import codecs, errors, scheme, times
from pybernetes.api.types import core_v1
from pybernetes.controllers import conditions, discovery
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of

NAME = "namespace-controller"
FINALIZER = "kubernetes"
# How long what has finalizers is expected to take, in seconds.
ESTIMATE = 15.0
FIRST_LOOK, DOUBLINGS = 0.25, 8
# Between tries where the server fails us, in seconds.
LONGEST_WAIT = 60.0
PODS = scheme.by_type(core_v1.Pod)

DISCOVERY = "NamespaceDeletionDiscoveryFailure"
PARSING = "NamespaceDeletionGroupVersionParsingFailure"
CONTENT = "NamespaceDeletionContentFailure"
REMAINING = "NamespaceContentRemaining"
FINALIZERS = "NamespaceFinalizersRemaining"
_FINE = {
    DISCOVERY: ("ResourcesDiscovered", "All resources successfully discovered"),
    PARSING: ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    CONTENT: ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    REMAINING: ("ContentRemoved", "All content successfully removed"),
    FINALIZERS: ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


@dataclass(slots=True)
class Left:
    """What one pass over a namespace left behind. `seconds`: how long that may take to go."""

    objects: collections.Counter[str] = field(default_factory=collections.Counter)
    finalizers: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)
    undiscovered: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, resource: scheme.Resource, items: list[Any]) -> None:
        if not items:
            return
        self.objects[f"{resource.name}.{resource.group}"] += len(items)
        for item in items:
            finalizers = item.metadata.finalizers
            self.finalizers.update(finalizers)
            grace = ESTIMATE if finalizers else float(item.metadata.deletionGracePeriodSeconds or 0)
            self.seconds = max(self.seconds, grace)

    @property
    def done(self) -> bool:
        return not self.objects and not self.failures and not self.undiscovered


def status(namespace: core_v1.Namespace, left: Left, now: float) -> core_v1.NamespaceStatus:
    """The namespace's status after a pass that left that behind."""
    wrong: dict[str, tuple[str, str]] = {}
    if left.undiscovered:
        count, listed = len(left.undiscovered), ", ".join(left.undiscovered)
        wrong[DISCOVERY] = "DiscoveryFailed", f"Discovery failed for some groups, {count} failing: {listed}"
    if left.failures:
        count, listed = len(left.failures), ", ".join(sorted(left.failures))
        wrong[CONTENT] = "ContentDeletionFailed", f"Failed to delete all resource types, {count} remaining: {listed}"
    if left.objects:
        listed = ", ".join(sorted(f"{name} has {count} resource instances" for name, count in left.objects.items()))
        wrong[REMAINING] = "SomeResourcesRemain", f"Some resources are remaining: {listed}"
    if left.finalizers:
        listed = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in left.finalizers.items()))
        wrong[FINALIZERS] = (
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {listed}",
        )
    result = core_v1.NamespaceStatus(phase="Terminating", conditions=[*namespace.status.conditions])
    for kind, fine in _FINE.items():
        reason, message = wrong.get(kind, fine)
        state = "True" if kind in wrong else "False"
        known = conditions.find(result.conditions, kind)
        if known is not None and (known.status, known.reason, known.message) == (state, reason, message):
            continue
        since = known.lastTransitionTime if known is not None and known.status == state else times.to_time(now)
        fresh = core_v1.NamespaceCondition(
            type=kind, status=state, reason=reason, message=message, lastTransitionTime=since
        )
        result.conditions = [*conditions.without(result.conditions, kind), fresh]
    return result


class Namespaces:
    """The controller. Work items are namespaces."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._namespaces = context.informers.of(core_v1.Namespace)
        self._namespaces.on_change(self._changed)
        self._passes: collections.Counter[str] = collections.Counter()

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._namespaces,), workers=10)

    def _changed(self, old: core_v1.Namespace | None, new: core_v1.Namespace | None) -> None:
        if new is None:
            self._passes.pop(key_of(old), None)
        elif new.metadata.deletionTimestamp is not None:
            self._queue.add(new.metadata.name, "Namespace is being deleted")

    async def reconcile(self, key: str) -> float | None:
        found = self._namespaces.cache.get(key)
        if found is None or found.metadata.deletionTimestamp is None or FINALIZER not in found.spec.finalizers:
            return None
        namespace = await self._terminating(found)
        left = await self._empty(key)
        fresh = status(namespace, left, self._context.clock.time())
        if left.done:
            if fresh.conditions != namespace.status.conditions:
                namespace = await self._write(namespace, fresh)
            await self._finalize(namespace)
            return None
        if fresh.conditions != namespace.status.conditions:
            await self._write(namespace, fresh)
        # Most things go within a moment; only then is it worth waiting as long as they may take.
        self._passes[key] = min(self._passes[key] + 1, DOUBLINGS)
        longest = left.seconds / 2 + 1.0 if left.objects else LONGEST_WAIT
        return min(FIRST_LOOK * 2.0 ** self._passes[key], longest)

    async def _terminating(self, namespace: core_v1.Namespace) -> core_v1.Namespace:
        if namespace.status.phase == "Terminating":
            return namespace
        fresh = core_v1.NamespaceStatus(phase="Terminating", conditions=namespace.status.conditions)
        return await self._write(namespace, fresh)

    async def _write(self, namespace: core_v1.Namespace, fresh: core_v1.NamespaceStatus) -> core_v1.Namespace:
        copy = codecs.copy(namespace)
        copy.status = fresh
        return await self._client.update_status(copy)

    async def _finalize(self, namespace: core_v1.Namespace) -> None:
        copy = codecs.copy(namespace)
        copy.spec.finalizers = sorted(set(copy.spec.finalizers) - {FINALIZER})
        try:
            await self._client.update(copy, subresource="finalize")
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise

    async def _empty(self, namespace: str) -> Left:
        """One pass over all that is in the namespace."""
        left = Left()
        found, left.undiscovered = await discovery.resources(self._client)
        await self._empty_of(PODS, namespace, left)
        if left.objects:
            return left
        for resource in found:
            if resource.namespaced and "delete" in resource.verbs and resource != PODS:
                await self._empty_of(resource, namespace, left)
        return left

    async def _empty_of(self, resource: scheme.Resource, namespace: str, left: Left) -> None:
        metadata = resource.metadata_only()
        try:
            if "list" not in resource.verbs or not (await self._client.list(metadata, namespace)).items:
                return
            if "deletecollection" in resource.verbs:
                await self._client.delete_collection(resource, namespace, propagation="Background")
            else:
                await self._delete_each(resource, namespace)
            left.add(resource, (await self._client.list(metadata, namespace)).items)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "MethodNotAllowed"):
                left.failures.append(str(error))

    async def _delete_each(self, resource: scheme.Resource, namespace: str) -> None:
        for item in (await self._client.list(resource.metadata_only(), namespace)).items:
            try:
                await self._client.delete(resource, item.metadata.name, namespace, propagation="Background")
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
