"""Keeps as many pods as a ReplicaSet, or a ReplicationController, asks for.

Both kinds run through here: `Kind` says where they differ (names, and how a selector is written).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import owned, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.replicaset import replicas
from pybernetes.informers import key_of, split_key


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
        self._owned = owned.OwnedPods(
            context,
            kind.type,
            queue=self._queue,
            recorder=self._recorder,
            selector=kind.selector,
            size=lambda owner: owner.spec.replicas or 0,
        )
        self._expected, self._sets, self._pods = self._owned.expected, self._owned.owners, self._owned.pods
        # The revisions of our last reports.
        self._reported: dict[str, str] = {}
        owners.index(self._sets)
        self._sets.on_change(self._set_changed)

    async def run(self) -> None:
        after = (self._sets, self._pods)
        await self._context.reconcile(self._kind.component, self._queue, self.reconcile, after=after)

    def _set_changed(self, old: Any, new: Any) -> None:
        key = key_of(new or old)
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._expected.forget(key)
            self._reported.pop(key, None)
        elif old is not None and self._reported.get(key) == new.metadata.resourceVersion and _same(old, new):
            # What we have reported ourselves tells us nothing.
            return
        self._queue.add(key, f"{self._kind.name} changed")

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
        candidates = self._owned.candidates(found)
        active = await owners.claim(self._client, found, selector, filter(pods.is_active, candidates))
        replica_set = self._kind.as_set(found)
        failure = None
        if may_act and found.metadata.deletionTimestamp is None:
            failure = await self._manage(found, replica_set, active)
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

    async def _manage(self, owner: Any, replica_set: apps_v1.ReplicaSet, active: list[core_v1.Pod]) -> Exception | None:
        """Create or delete the difference. Answers the first failure."""
        template = replica_set.spec.template
        wanted = 1 if replica_set.spec.replicas is None else replica_set.spec.replicas
        difference = len(active) - wanted
        if difference < 0:
            count = min(-difference, replicas.BURST)
            return (await self._owned.create(owner, count, lambda: pods.from_template(template, owner)))[1]
        if difference > 0:
            now = self._context.clock.time()
            chosen = replicas.choose(active, self._related(owner), min(difference, replicas.BURST), now)
            return await self._owned.delete(owner, chosen)
        return None

    def _related(self, owner: Any) -> list[core_v1.Pod]:
        """The pods of all sets that share the set's own controller, which is a Deployment's rollout."""
        above = owners.controller_of(owner)
        siblings = [owner] if above is None else self._sets.cache.index(owners.INDEX, above.uid)
        return [pod for one in siblings for pod in self._pods.cache.index(owners.INDEX, one.metadata.uid)]

    async def _report(self, owner: Any, replica_set: apps_v1.ReplicaSet, status: apps_v1.ReplicaSetStatus) -> None:
        if status == replica_set.status:
            return
        try:
            written = await self._client.update_status(self._kind.status_of(owner, status))
        except errors.StatusError as error:
            if error.reason != "Conflict":
                raise
            # The cache lags behind our own last write, or someone scaled: once more on what is there now.
            fresh: Any = await self._client.get(self._kind.type, owner.metadata.name, owner.metadata.namespace)
            written = await self._client.update_status(self._kind.status_of(fresh, status))
        self._reported[key_of(owner)] = written.metadata.resourceVersion


def _same(old: Any, new: Any) -> bool:
    """But for what is reported."""
    before, after = old.metadata, new.metadata
    return (before.generation, before.deletionTimestamp) == (after.generation, after.deletionTimestamp)
