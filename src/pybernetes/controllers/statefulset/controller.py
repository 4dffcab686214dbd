"""Carries out what `planner` says about each StatefulSet."""

from __future__ import annotations

import asyncio

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import history, owned, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.statefulset import claims, identity, planner
from pybernetes.informers import key_of, split_key

NAME = "statefulset-controller"
REVISIONS_KEPT = 10


class StatefulSets:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._owned = owned.OwnedPods(
            context,
            apps_v1.StatefulSet,
            queue=self._queue,
            recorder=self._recorder,
            selector=lambda stateful_set: selectors.from_object(stateful_set.spec.selector),
        )
        self._sets, self._pods = self._owned.owners, self._owned.pods
        self._claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self._revisions = context.informers.of(apps_v1.ControllerRevision)
        self._history = history.History(context.client, self._revisions)
        self._sets.on_change(lambda old, new: self._queue.add(key_of(new or old), "StatefulSet changed"))

    async def run(self) -> None:
        after = (self._sets, self._pods, self._claims, self._revisions)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        found = self._sets.cache.get(name, namespace)
        if found is None:
            return None
        selector = selectors.from_object(found.spec.selector)
        candidates = [
            pod
            for pod in self._owned.candidates(found)
            if identity.is_member(found, pod) or owners.controller_of(pod) is not None
        ]
        kept = await owners.claim(self._client, found, selector, candidates)
        known = await self._history.of(found, selector)
        update, collisions = await self._history.current(found, found.spec.template, known, found.status.collisionCount)
        current = next((one for one in known if one.metadata.name == found.status.currentRevision), update)
        now = self._context.clock.time()
        there = {claim.metadata.name: claim for claim in self._claims.cache.list(namespace)}
        plan = planner.plan(found, kept, there, planner.Revisions(current, update), collisions, now)
        try:
            for phase in plan.phases:
                await self._carry_out(found, phase)
        finally:
            await self._report(found, plan.status)
        used = {identity.revision_of(pod) for pod in kept} | {current.metadata.name, update.metadata.name}
        limit = found.spec.revisionHistoryLimit
        digests = {revision.rpartition("-")[2] for revision in used}
        await self._history.prune(known, digests, REVISIONS_KEPT if limit is None else limit)
        return _look_again(found, kept, now)

    async def _carry_out(self, stateful_set: apps_v1.StatefulSet, steps: list[planner.Step]) -> None:
        if not planner.is_parallel(stateful_set):
            for step in steps:
                await self._take(stateful_set, step)
            return
        results = await asyncio.gather(*(self._take(stateful_set, step) for step in steps), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _take(self, stateful_set: apps_v1.StatefulSet, step: planner.Step) -> None:
        if step.claims is not None:
            await self._settle_claims(stateful_set, step.pod, step.claims)
        match step.verb:
            case "create":
                await self._create(stateful_set, step.pod)
            case "update":
                await self._client.update(step.pod)
                self._tell(stateful_set, "Normal", "update", step.pod)
            case "delete":
                await self._delete(stateful_set, step.pod)

    async def _create(self, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        try:
            await self._client.create(pod)
        except errors.StatusError as error:
            if error.reason == "AlreadyExists" or pods.has_cause(error, pods.NAMESPACE_TERMINATING):
                return
            self._tell(stateful_set, "Warning", "create", pod, error)
            raise
        self._tell(stateful_set, "Normal", "create", pod)

    async def _delete(self, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        if pod.status.phase in ("Failed", "Succeeded"):
            word, severity = ("Failed", "Warning") if pod.status.phase == "Failed" else ("Succeeded", "Normal")
            message = f"StatefulSet {key_of(stateful_set)} is recreating {word.lower()} Pod {pod.metadata.name}"
            self._recorder.event(stateful_set, severity, f"Recreating{word}Pod", message)
        try:
            await self._client.delete(core_v1.Pod, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid)
        except errors.StatusError as error:
            if error.reason == "NotFound":
                return
            self._tell(stateful_set, "Warning", "delete", pod, error)
            raise
        self._tell(stateful_set, "Normal", "delete", pod)

    async def _settle_claims(self, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod, work: claims.Work) -> None:
        if work.disputed:
            message = f"PersistentVolumeClaim(s) {', '.join(work.disputed)} have another controller"
            self._recorder.event(stateful_set, "Warning", "ConflictingController", message)
        for claim in work.create:
            about = f"Claim {claim.metadata.name} Pod {pod.metadata.name} in StatefulSet {stateful_set.metadata.name}"
            try:
                await self._client.create(claim)
            except errors.StatusError as error:
                if error.reason == "AlreadyExists":
                    continue
                self._recorder.event(stateful_set, "Warning", "FailedCreate", f"create {about} failed error: {error}")
                raise
            self._recorder.event(stateful_set, "Normal", "SuccessfulCreate", f"create {about} success")
        for claim in work.update:
            await self._client.update(claim)
        if work.going:
            raise errors.error(409, "Conflict", f"pvc {', '.join(work.going)} is being deleted")

    def _tell(
        self,
        stateful_set: apps_v1.StatefulSet,
        severity: str,
        verb: str,
        pod: core_v1.Pod,
        error: errors.StatusError | None = None,
    ) -> None:
        outcome = "Successful" if error is None else "Failed"
        ended = "successful" if error is None else f"failed error: {error}"
        message = f"{verb} Pod {pod.metadata.name} in StatefulSet {stateful_set.metadata.name} {ended}"
        self._recorder.event(stateful_set, severity, f"{outcome}{verb.capitalize()}", message)

    async def _report(self, stateful_set: apps_v1.StatefulSet, status: apps_v1.StatefulSetStatus) -> None:
        planner.complete(stateful_set, status)
        if status != stateful_set.status:
            copy = codecs.copy(stateful_set)
            copy.status = status
            await self._client.update_status(copy)


def _look_again(stateful_set: apps_v1.StatefulSet, kept: list[core_v1.Pod], now: float) -> float | None:
    """When the next ready pod comes to count as available."""
    least = stateful_set.spec.minReadySeconds
    if not least:
        return None
    waits = [pods.available_in(pod, min_ready=least, now=now) for pod in kept]
    return min((wait for wait in waits if wait), default=None)
