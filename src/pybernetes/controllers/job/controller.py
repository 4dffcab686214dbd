"""Carries out what `decide` says about each Job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.client import transport
from pybernetes.controllers import owned, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.job import backoff, counting, counts, decide, indexes
from pybernetes.informers import key_of, split_key

NAME = "job-controller"
OURS = "kubernetes.io/job-controller"


class Jobs:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._counts = counts.Counts()
        context.counted.append(self._counts.families)
        self._backoffs: dict[str, backoff.Backoff] = {}
        # Pods (uids) whose finalizers are gone though the cache does not show it yet, and the revisions at which Jobs
        # were last written: what the cache has of a Job from before that must not be decided by.
        self._freed: set[str] = set()
        self._written: dict[str, int] = {}
        self._owned = owned.OwnedPods(
            context,
            batch_v1.Job,
            queue=self._queue,
            recorder=self._recorder,
            selector=lambda job: selectors.from_object(job.spec.selector),
        )
        self._expected, self._jobs, self._pods = self._owned.expected, self._owned.owners, self._owned.pods
        self._jobs.on_change(self._job_changed)
        self._pods.on_change(self._pod_changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._jobs, self._pods))

    def _job_changed(self, old: batch_v1.Job | None, new: batch_v1.Job | None) -> None:
        key = key_of(new or old)
        if old is None and new is not None and not _is_ours(new):
            self._counts.foreign(new.spec.managedBy or "")
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._forget(key)
        self._queue.add(key, "Job changed")

    def _forget(self, key: str) -> None:
        self._expected.forget(key)
        self._backoffs.pop(key, None)
        self._written.pop(key, None)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        self._counts.pod_changed(old, new)
        pod = new or old
        if pod is not None and (new is None or counting.FINALIZER not in new.metadata.finalizers):
            self._freed.discard(pod.metadata.uid)
            return
        if new is None or self._owned.owner_of(new) is not None:
            return
        reference = owners.controller_of(new)
        if reference is None or reference.kind == "Job":
            self._queue.add(f"orphan/{key_of(new)}", "its Job is gone")

    async def reconcile(self, key: str) -> float | None:
        if key.startswith("orphan/"):
            namespace, name = split_key(key.removeprefix("orphan/"))
            pod = self._pods.cache.get(name, namespace)
            if pod is not None:
                await self._free_orphan(pod)
            return None
        namespace, name = split_key(key)
        job = self._jobs.cache.get(name, namespace)
        if job is None:
            self._forget(key)
            for pod in self._pods.cache.list(namespace):
                reference = owners.controller_of(pod)
                if reference is not None and (reference.kind, reference.name) == ("Job", name):
                    await self._free_orphan(pod)
            return None
        if not _is_ours(job):
            return None
        if decide.is_finished(job):
            await self._free(p for p in self._owned.candidates(job) if owners.is_controlled_by(p, job))
            return None
        if int(job.metadata.resourceVersion) < self._written.get(key, 0):
            self._counts.stale()
            return None
        if not self._expected.satisfied(key):
            return None
        return await self._sync(key, job)

    async def _sync(self, key: str, job: batch_v1.Job) -> float | None:
        now = self._context.clock.monotonic
        began = now()
        decision, failed = None, True
        try:
            decision = await self._decide(key, job)
            await self._carry_out(key, job, *decision)
            failed = False
        finally:
            action = "reconciling" if decision is None else counts.action_of(decision[0])
            self._counts.synced(job, action, now() - began, failed=failed)
        return decision[0].again

    async def _decide(self, key: str, job: batch_v1.Job) -> tuple[decide.Decision, list[core_v1.Pod]]:
        """What to do, and the pods by which that was decided."""
        selector = selectors.from_object(job.spec.selector)
        candidates = self._owned.candidates(job)
        kept = await owners.claim(self._client, job, selector, candidates, finalizer=counting.FINALIZER)
        before = self._backoffs.get(key, backoff.Backoff())
        return decide.decide(job, kept, self._freed, before, self._context.clock.time()), kept

    async def _carry_out(self, key: str, job: batch_v1.Job, decision: decide.Decision, kept: list[core_v1.Pod]) -> None:
        await self._free(decision.drop)
        failure = await self._owned.delete(job, decision.drop + decision.delete)
        if failure is None and decision.create:
            failure = await self._create(job, decision)
        if decision.status != job.status:
            copy = codecs.copy(job)
            copy.status = decision.status
            written = await self._client.update_status(copy)
            self._written[key] = int(written.metadata.resourceVersion)
            self._counts.written(job, decision.status, kept)
        self._backoffs[key] = decision.backoff
        for kind, reason, message in decision.events:
            self._recorder.event(job, kind, reason, message)
        # Only now: a pod may go as soon as its finalizer does, and must have been noted before.
        await self._free(decision.free)
        if failure is not None:
            raise failure

    async def _create(self, job: batch_v1.Job, decision: decide.Decision) -> Exception | None:
        marks = iter(decision.marks)

        def make() -> core_v1.Pod:
            pod = pods.from_template(job.spec.template, job)
            if counting.FINALIZER not in pod.metadata.finalizers:
                pod.metadata.finalizers.append(counting.FINALIZER)
            if counting.is_indexed(job):
                indexes.mark(pod, next(marks), job.metadata.name)
            return pod

        succeeded, failure = await self._owned.create(job, decision.create, make)
        decision.status.active -= decision.create - succeeded
        self._counts.created(job, decision.status, succeeded, decision.create - succeeded)
        return failure

    async def _free(self, freed: Iterable[core_v1.Pod]) -> None:
        results = await asyncio.gather(*map(self._remove_finalizer, freed), return_exceptions=True)
        for failure in results:
            if failure is not None:
                raise failure

    async def _free_orphan(self, pod: core_v1.Pod) -> None:
        """A pod whose Job is gone, and that no other one will adopt, is counted by nobody."""
        if self._owned.owner_of(pod) is not None:
            return
        if owners.controller_of(pod) is None and any(map(_adopts, self._owned.matching(pod))):
            return
        await self._remove_finalizer(pod)

    async def _remove_finalizer(self, pod: core_v1.Pod) -> None:
        meta = pod.metadata
        if counting.FINALIZER not in meta.finalizers or meta.uid in self._freed:
            return
        left = [finalizer for finalizer in meta.finalizers if finalizer != counting.FINALIZER]
        patch = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resourceVersion, "finalizers": left}}
        try:
            await self._client.patch(core_v1.Pod, meta.name, meta.namespace, patch, kind=transport.MERGE_PATCH)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
        shown = self._pods.cache.get(meta.name, meta.namespace)
        if shown is not None and shown.metadata.uid == meta.uid and counting.FINALIZER in shown.metadata.finalizers:
            self._freed.add(meta.uid)


def _is_ours(job: batch_v1.Job) -> bool:
    return job.spec.managedBy in (None, "", OURS)


def _adopts(job: batch_v1.Job) -> bool:
    return job.metadata.deletionTimestamp is None and not decide.is_finished(job)
