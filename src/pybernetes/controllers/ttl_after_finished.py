"""Deletes finished Jobs when their `ttlSecondsAfterFinished` have passed."""

from __future__ import annotations

from pybernetes.api import errors, times
from pybernetes.api.types import batch_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.job import ending
from pybernetes.informers import key_of, split_key
from pybernetes.kits import prometheus

NAME = "ttl-after-finished-controller"


# Of how long it takes from when a Job may go, in seconds.
DELETION = prometheus.exponential(0.1, 2, 14)


def left(job: batch_v1.Job, now: float) -> float | None:
    """Seconds until the Job is to be deleted, less than none if it should have been; None: it is not (yet)."""
    ttl = job.spec.ttlSecondsAfterFinished
    if ttl is None or job.metadata.deletionTimestamp is not None:
        return None
    for condition in job.status.conditions:
        if condition.type in (ending.COMPLETE, ending.FAILED) and condition.status == "True":
            if not condition.lastTransitionTime:
                return None
            return times.parse(condition.lastTransitionTime) + ttl - now
    return None


class TTLAfterFinished:
    """The controller. Work items are Jobs."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._deletions = prometheus.Timings(
            "ttl_after_finished_controller_job_deletion_duration_seconds",
            "The time it took to delete the job since it became eligible for deletion",
            DELETION,
        )
        context.counted.append(self._deletions.families)
        self._jobs = context.informers.of(batch_v1.Job)
        self._jobs.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._jobs,))

    def _changed(self, old: batch_v1.Job | None, new: batch_v1.Job | None) -> None:
        if new is not None and left(new, 0.0) is not None:
            self._queue.add(key_of(new), "Job finished")

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        job = self._jobs.cache.get(name, namespace)
        wait = left(job, self._context.clock.time()) if job is not None else None
        if job is None or wait is None:
            return None
        if wait > 0:
            return wait
        try:
            # Asked anew: the time to live may have been raised at the last moment.
            fresh = await self._client.get(batch_v1.Job, name, namespace)
            now = self._context.clock.time()
            wait = left(fresh, now)
            if wait is not None and wait <= 0 and fresh.metadata.uid == job.metadata.uid:
                await self._client.delete(
                    batch_v1.Job,
                    name,
                    namespace,
                    propagation="Foreground",
                    uid=fresh.metadata.uid,
                    revision=fresh.metadata.resourceVersion,
                )
                self._deletions.observe(self._context.clock.time() - (now + wait))
                return None
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None
        return None if wait is None else max(wait, 0.0)
