"""Keeps the status of every PodDisruptionBudget, which evictions are allowed by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pybernetes.api import codecs, errors, scheme, selectors, times
from pybernetes.api.types import apps_v1, core_v1, policy_v1
from pybernetes.client import STRATEGIC_PATCH
from pybernetes.controllers import discovery, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.disruption import decide
from pybernetes.informers import Informer, key_of, split_key

NAME = "disruption-controller"
# A pod's DisruptionTarget that nothing came of within so many seconds is taken back.
STALE_SECONDS = 120.0
TARGET = "DisruptionTarget"
UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of "
    "the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please "
    'set ".spec.minAvailable" field of the PDB to an integer value.'
)
_KINDS = {
    ("ReplicaSet", "apps"): apps_v1.ReplicaSet,
    ("StatefulSet", "apps"): apps_v1.StatefulSet,
    ("ReplicationController", ""): core_v1.ReplicationController,
}


class Disruption:
    """The controller. Work items are budgets, and `pod/<key>` for pods whose disruption may be stale."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("controllermanager")
        self._queue = context.queue(NAME)
        self._budgets = context.informers.of(policy_v1.PodDisruptionBudget)
        self._pods = context.informers.of(core_v1.Pod)
        self._owners: dict[Any, Informer[Any]] = {
            kind: context.informers.of(cast("Any", kind)) for kind in (*_KINDS.values(), apps_v1.Deployment)
        }
        self._scalable: dict[tuple[str, str], scheme.Resource] = {}
        self._budgets.on_change(lambda old, new: self._queue.add(key_of(new or old), "PodDisruptionBudget changed"))
        self._pods.on_change(self._pod_changed)
        for informer in self._owners.values():
            informer.on_change(self._owner_changed)

    async def run(self) -> None:
        after: tuple[Informer[Any], ...] = (self._budgets, self._pods, *self._owners.values())
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        for pod in (old, new):
            if pod is not None:
                for budget in self._covering(pod):
                    self._queue.add(key_of(budget), f"pod {key_of(pod)} changed")
        if new is not None and _stale_in(new, self._context.clock.time()) is not None:
            self._queue.add(f"pod/{key_of(new)}")

    def _owner_changed(self, old: Any, new: Any) -> None:
        """Its size counts for every budget of its namespace that goes by sizes."""
        if old is not None and new is not None and _size(old) == _size(new):
            return
        for budget in self._budgets.cache.list((new or old).metadata.namespace):
            if decide.needs_sizes(budget):
                self._queue.add(key_of(budget), "an owner of pods changed its size")

    def _covering(self, pod: core_v1.Pod) -> Iterator[policy_v1.PodDisruptionBudget]:
        for budget in self._budgets.cache.list(pod.metadata.namespace):
            if selectors.from_object(budget.spec.selector).matches(pod.metadata.labels):
                yield budget

    async def reconcile(self, key: str) -> float | None:
        if key.startswith("pod/"):
            return await self._take_back(key.removeprefix("pod/"))
        namespace, name = split_key(key)
        budget = self._budgets.cache.get(name, namespace)
        if budget is None:
            return None
        selector = selectors.from_object(budget.spec.selector)
        own = [pod for pod in self._pods.cache.list(namespace) if selector.matches(pod.metadata.labels)]
        if not own:
            self._recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        now = self._context.clock.time()
        going, stayed, again = decide.disrupted(budget, own, now)
        for pod in stayed:
            message = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
            self._recorder.event(pod, "Warning", "NotDeleted", message)
        try:
            size = await self._size_of_owners(budget, own) if decide.needs_sizes(budget) else 0
            status = decide.status(budget, own, decide.expected(budget, len(own), size), going, now)
        except (LookupError, ValueError) as error:
            message = f"Failed to calculate the number of expected pods: {error.args[0]}"
            self._recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", message)
            status = decide.failed(budget, str(error.args[0]), now)
            await self._write(budget, status)
            raise errors.internal(message) from None
        await self._write(budget, status)
        return again

    async def _write(self, budget: policy_v1.PodDisruptionBudget, status: policy_v1.PodDisruptionBudgetStatus) -> None:
        if status == budget.status:
            return
        copy = codecs.copy(budget)
        copy.status = status
        await self._client.update_status(copy)

    async def _size_of_owners(self, budget: policy_v1.PodDisruptionBudget, own: list[core_v1.Pod]) -> int:
        """What the owners of the pods add up to. Raises LookupError for an owner without a size."""
        sizes: dict[str, int] = {}
        unmanaged = False
        for pod in own:
            reference = owners.controller_of(pod)
            if reference is None:
                unmanaged = True
            elif reference.uid not in sizes:
                found = await self._size_of(reference.kind, reference.apiVersion, reference.name, reference.uid, pod)
                sizes[found[0]] = found[1]
        if unmanaged:
            shown = codecs.to_tree(budget.spec.selector) if budget.spec.selector is not None else {}
            self._recorder.event(budget, "Warning", "UnmanagedPods", UNMANAGED.format(shown))
        return sum(sizes.values())

    async def _size_of(self, kind: str, version: str, name: str, uid: str, pod: core_v1.Pod) -> tuple[str, int]:
        """(uid, size) of the topmost owner that has one: of a ReplicaSet of a Deployment, the Deployment."""
        namespace = pod.metadata.namespace
        known = _KINDS.get((kind, version.rpartition("/")[0]))
        if known is None:
            return uid, await self._scale_of(kind, version, name, namespace, pod)
        found = self._owners[known].cache.get(name, namespace)
        if found is None or found.metadata.uid != uid:
            raise LookupError(f'found no controllers for pod "{pod.metadata.name}"')
        above = owners.controller_of(found)
        if above is not None and above.kind == "Deployment":
            deployment = self._owners[apps_v1.Deployment].cache.get(above.name, namespace)
            if deployment is not None and deployment.metadata.uid == above.uid:
                return above.uid, _size(deployment)
        return uid, _size(found)

    async def _scale_of(self, kind: str, version: str, name: str, namespace: str, pod: core_v1.Pod) -> int:
        """By the `scale` subresource of whatever it is."""
        resource = self._scalable.get((version, kind))
        if resource is None:
            listed, _ = await discovery.resources(self._client)
            self._scalable = {(one.api_version, one.kind): one for one in listed}
            resource = self._scalable.get((version, kind))
        if resource is not None:
            try:
                scale = await self._client.raw(resource.path(namespace, name, "scale"))
                return int(scale.get("spec", {}).get("replicas", 0))
            except errors.StatusError as error:
                if error.reason not in ("NotFound", "MethodNotAllowed"):
                    raise
        raise LookupError(f'found no controllers for pod "{pod.metadata.name}"')

    async def _take_back(self, key: str) -> float | None:
        """Say that a pod is not a target of disruption any more, when nothing came of it."""
        namespace, name = split_key(key)
        pod = self._pods.cache.get(name, namespace)
        if pod is None:
            return None
        now = self._context.clock.time()
        left = _stale_in(pod, now)
        if left is None or left > 0:
            return left
        taken_back = {"type": TARGET, "status": "False", "lastTransitionTime": times.to_time(now)}
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [taken_back]}}
        await self._client.patch(core_v1.Pod, name, namespace, patch, kind=STRATEGIC_PATCH, subresource="status")
        return None


def _size(obj: Any) -> int:
    replicas = obj.spec.replicas
    return 1 if replicas is None else int(replicas)


def _stale_in(pod: core_v1.Pod, now: float) -> float | None:
    """Seconds until a DisruptionTarget of the pod is stale; None where it has none, or is going."""
    found = pods.condition(pod, TARGET)
    if found is None or found.status != "True" or pod.metadata.deletionTimestamp is not None:
        return None
    if pods.is_terminal(pod) or not found.lastTransitionTime:
        return None
    return max(times.parse(found.lastTransitionTime) + STALE_SECONDS - now, 0.0)
