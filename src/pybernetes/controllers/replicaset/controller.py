"""Keeps as many pods as a ReplicaSet, or a ReplicationController, asks for.

Both kinds run through here: `Kind` says where they differ (names, and how a selector is written).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.replicaset import replicas
from pybernetes.informers import Informer, key_of, split_key


class Kind(NamedTuple):
    """`selector(obj)` reads the selector; `as_set(obj)` shows the object as a ReplicaSet; `status_of(obj, status)`
    puts a ReplicaSet's status into a copy of the object.
    """

    type: type
    name: str
    component: str
    selector: Callable[[Any], selectors.LabelSelector]
    as_set: Callable[[Any], apps_v1.ReplicaSet]
    status_of: Callable[[Any, apps_v1.ReplicaSetStatus], Any]
    counts_terminating: bool


def _with_status(replica_set: apps_v1.ReplicaSet, status: apps_v1.ReplicaSetStatus) -> apps_v1.ReplicaSet:
    copy = codecs.copy(replica_set)
    copy.status = status
    return copy


REPLICA_SET = Kind(
    type=apps_v1.ReplicaSet,
    name="ReplicaSet",
    component="replicaset-controller",
    selector=lambda replica_set: selectors.from_object(replica_set.spec.selector),
    as_set=lambda replica_set: replica_set,
    status_of=_with_status,
    counts_terminating=True,
)


class ReplicaSets:
    """The controller of one of the two kinds."""

    def __init__(self, context: Context, kind: Kind = REPLICA_SET) -> None:
        self._context, self._client, self._kind = context, context.client, kind
        self._recorder = context.recorder(kind.component)
        self._queue = context.queue(kind.component)
        self._expected = Expectations(context.clock)
        self._sets: Informer[Any] = context.informers.of(kind.type)
        self._pods = context.informers.of(core_v1.Pod)
        owners.index(self._pods)
        owners.index(self._sets)
        self._sets.on_change(self._set_changed)
        self._pods.on_change(self._pod_changed)

    async def run(self) -> None:
        after = (self._sets, self._pods)
        await self._context.reconcile(self._kind.component, self._queue, self.reconcile, after=after)

    def _set_changed(self, old: Any, new: Any) -> None:
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._expected.forget(key_of(old))
        self._queue.add(key_of(new or old), f"{self._kind.name} changed")

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None or new.metadata.deletionTimestamp is not None:
            self._pod_gone(new or old)
            return
        owner = self._owner_key(new)
        before = self._owner_key(old) if old is not None else None
        if before is not None and before != owner:
            self._queue.add(before, f"pod {key_of(new)} left")
        if owner is not None:
            if old is None:
                self._expected.creation_observed(owner)
            self._queue.add(owner, f"pod {key_of(new)} changed")
        elif owners.controller_of(new) is None and (
            old is None or old.metadata.labels != new.metadata.labels or owners.controller_of(old) is not None
        ):
            for replica_set in self._sets.cache.list(new.metadata.namespace):
                selector = self._kind.selector(replica_set)
                if not selector.empty and selector.matches(new.metadata.labels):
                    self._queue.add(key_of(replica_set), f"pod {key_of(new)} has no owner")

    def _pod_gone(self, pod: core_v1.Pod | None) -> None:
        owner = self._owner_key(pod)
        if pod is not None and owner is not None:
            self._expected.deletion_observed(owner, key_of(pod))
            self._queue.add(owner, f"pod {key_of(pod)} is going")

    def _owner_key(self, pod: core_v1.Pod | None) -> str | None:
        """The key of the set that controls the pod, where that very set is still known."""
        reference = owners.controller_of(pod) if pod is not None else None
        if pod is None or reference is None or reference.kind != self._kind.name:
            return None
        owner = self._sets.cache.get(reference.name, pod.metadata.namespace)
        return key_of(owner) if owner is not None and owner.metadata.uid == reference.uid else None

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        found = self._sets.cache.get(name, namespace)
        if found is None:
            self._expected.forget(key)
            return None
        may_act = self._expected.satisfied(key)
        try:
            selector = self._kind.selector(found)
        except selectors.SelectorError:
            return None
        candidates = owners.candidates(self._pods, found)
        active = await owners.claim(self._client, found, selector, filter(pods.is_active, candidates))
        replica_set = self._kind.as_set(found)
        failure = None
        if may_act and found.metadata.deletionTimestamp is None:
            failure = await self._manage(key, found, replica_set, active)
        terminating = None
        if self._kind.counts_terminating:
            terminating = sum(pods.is_terminating(p) and owners.is_controlled_by(p, found) for p in candidates)
        now = self._context.clock.time()
        status = replicas.status(replica_set, active, terminating, failure, now)
        await self._report(found, replica_set, status)
        if failure is not None:
            raise failure
        if replica_set.spec.minReadySeconds and status.readyReplicas != status.availableReplicas:
            return replicas.next_check(active, replica_set.spec.minReadySeconds, now) or float(
                replica_set.spec.minReadySeconds
            )
        return None

    async def _manage(
        self, key: str, owner: Any, replica_set: apps_v1.ReplicaSet, active: list[core_v1.Pod]
    ) -> Exception | None:
        """Create or delete the difference. Answers the first failure."""
        wanted = 1 if replica_set.spec.replicas is None else replica_set.spec.replicas
        difference = len(active) - wanted
        if difference < 0:
            return await self._create(key, owner, replica_set, min(-difference, replicas.BURST))
        if difference > 0:
            now = self._context.clock.time()
            chosen = replicas.choose(active, self._related(owner), min(difference, replicas.BURST), now)
            return await self._delete(key, owner, chosen)
        return None

    async def _create(self, key: str, owner: Any, replica_set: apps_v1.ReplicaSet, count: int) -> Exception | None:
        self._expected.expect_creations(key, count)

        async def attempt() -> None:
            pod = pods.from_template(replica_set.spec.template, owner)
            await pods.create(self._client, self._recorder, pod, owner)

        succeeded, failure = await pods.slow_start(count, attempt)
        for _ in range(count - succeeded):
            self._expected.creation_observed(key)
        return failure

    async def _delete(self, key: str, owner: Any, chosen: list[core_v1.Pod]) -> Exception | None:
        self._expected.expect_deletions(key, map(key_of, chosen))

        async def attempt(pod: core_v1.Pod) -> None:
            deleted = False
            try:
                deleted = await pods.delete(self._client, self._recorder, pod, owner)
            finally:
                if not deleted:
                    self._expected.deletion_observed(key, key_of(pod))

        results = await asyncio.gather(*map(attempt, chosen), return_exceptions=True)
        return next((result for result in results if isinstance(result, Exception)), None)

    def _related(self, owner: Any) -> list[core_v1.Pod]:
        """The pods of all sets that share the set's own controller, which is a Deployment's rollout."""
        above = owners.controller_of(owner)
        siblings = [owner] if above is None else self._sets.cache.index(owners.INDEX, above.uid)
        return [pod for one in siblings for pod in self._pods.cache.index(owners.INDEX, one.metadata.uid)]

    async def _report(self, owner: Any, replica_set: apps_v1.ReplicaSet, status: apps_v1.ReplicaSetStatus) -> None:
        if status == replica_set.status:
            return
        try:
            await self._client.update_status(self._kind.status_of(owner, status))
        except errors.StatusError as error:
            if error.reason != "Conflict":
                raise
            # The cache lags behind our own last write, or someone scaled: once more on what is there now.
            fresh: Any = await self._client.get(self._kind.type, owner.metadata.name, owner.metadata.namespace)
            await self._client.update_status(self._kind.status_of(fresh, status))
