"""What becomes of Jobs and their pods, counted under upstream's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import pods
from pybernetes.controllers.job import counting, decide, ending, indexes, policies
from pybernetes.kits import prometheus

SYNC = prometheus.exponential(0.004, 2, 15)
SUCCEEDED, FAILED = "succeeded", "failed"
_PREFIX = "job_controller_"
_MODE = ("completion_mode", "result")


class Counts:
    """Durations are in seconds."""

    def __init__(self) -> None:
        self._syncs = prometheus.Timings(
            f"{_PREFIX}job_sync_duration_seconds", "The time it took to sync a job", SYNC, *_MODE, "action"
        )
        self._finished = prometheus.Counts(
            f"{_PREFIX}jobs_finished_total", "The number of finished jobs", *_MODE, "reason"
        )
        self._pods = prometheus.Counts(
            f"{_PREFIX}job_pods_finished_total", "The number of finished Pods that are fully tracked", *_MODE
        )
        self._indexes = prometheus.Counts(
            f"{_PREFIX}job_finished_indexes_total",
            'The number of finished indexes. Possible values for the status label are: "succeeded", "failed". Possible '
            'values for the backoffLimit label are: "perIndex" and "global"',
            "status",
            "backoffLimit",
        )
        self._handled = prometheus.Counts(
            f"{_PREFIX}pod_failures_handled_by_failure_policy_total",
            "The number of failed Pods handled by failure policy with respect to the failure policy action applied "
            "based on the matched rule. Possible values of the action label correspond to the possible values for the "
            'failure policy rule action, which are: "FailJob", "Ignore" and "Count".',
            "action",
        )
        self._terminated = prometheus.Counts(
            f"{_PREFIX}terminated_pods_tracking_finalizer_total",
            "The number of terminated pods (phase=Failed|Succeeded) that have the finalizer "
            'batch.kubernetes.io/job-tracking. The event label can be "add" or "delete".',
            "event",
        )
        self._created = prometheus.Counts(
            f"{_PREFIX}job_pods_creation_total",
            "The number of Pods created by the Job controller labelled with a reason for the Pod creation. This metric "
            "also distinguishes between Pods created using different PodReplacementPolicy settings. Possible values of "
            'the "reason" label are: "new", "recreate_terminating_or_failed", "recreate_failed". Possible values of '
            'the "status" label are: "succeeded", "failed".',
            "reason",
            "status",
        )
        self._foreign = prometheus.Counts(
            f"{_PREFIX}jobs_by_external_controller_total",
            "The number of Jobs managed by an external controller",
            "controller_name",
        )
        self._stale = prometheus.Counts(
            f"{_PREFIX}stale_sync_skips_total",
            "Total number of Job syncs skipped due to a stale watch cache.",
            "group",
            "resource",
        )

    def synced(self, job: batch_v1.Job, action: str, seconds: float, *, failed: bool) -> None:
        self._syncs.observe(seconds, _mode(job), "error" if failed else "success", action)

    def written(self, job: batch_v1.Job, status: batch_v1.JobStatus, known: Iterable[core_v1.Pod]) -> None:
        """A Job's status has come to be this one; `known` are its pods."""
        mode, before = _mode(job), job.status
        succeeded = status.succeeded - before.succeeded
        if counting.is_indexed(job):
            completions = job.spec.completions or 0
            per_index = "perIndex" if counting.is_limited_by_index(job) else "global"
            succeeded = _more(status.completedIndexes, before.completedIndexes, completions)
            self._indexes.add(SUCCEEDED, per_index, by=succeeded)
            failed = max(_more(status.failedIndexes or "", before.failedIndexes or "", completions), 0)
            if failed:
                self._indexes.add(FAILED, per_index, by=failed)
        self._pods.add(mode, SUCCEEDED, by=succeeded)
        self._pods.add(mode, FAILED, by=status.failed - before.failed)
        if job.spec.podFailurePolicy is not None:
            noted = _noted(status) - _noted(before)
            for pod in known:
                action = policies.on_failure(job.spec.podFailurePolicy, pod).action if pod.metadata.uid in noted else ""
                if action:
                    self._handled.add(action)
        if decide.is_finished(job):
            return
        for condition in status.conditions:
            if condition.type in (ending.COMPLETE, ending.FAILED) and condition.status == "True":
                result = SUCCEEDED if condition.type == ending.COMPLETE else FAILED
                self._finished.add(mode, result, condition.reason)

    def created(self, job: batch_v1.Job, status: batch_v1.JobStatus, succeeded: int, failed: int) -> None:
        """So many pods were created, or could not be."""
        reason = "new"
        if job.spec.podReplacementPolicy == "Failed" and status.failed:
            reason = "recreate_failed"
        elif status.failed or status.terminating:
            reason = "recreate_terminating_or_failed"
        for result, number in ((SUCCEEDED, succeeded), (FAILED, failed)):
            if number:
                self._created.add(reason, result, by=number)

    def pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        was, is_ = _is_tracked(old), _is_tracked(new)
        if was is not is_:
            self._terminated.add("add" if is_ else "delete")

    def foreign(self, controller: str) -> None:
        """A Job came that somebody else manages."""
        self._foreign.add(controller)

    def stale(self) -> None:
        """A Job was not looked at, as the cache does not show yet what was written."""
        self._stale.add("batch", "jobs")

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        yield from self._syncs.families()
        yield self._syncs.totals(f"{_PREFIX}job_syncs_total", "The number of job syncs")
        for counted in (self._finished, self._pods, self._indexes, self._handled, self._terminated):
            yield from counted.families()
        for counted in (self._created, self._foreign, self._stale):
            yield from counted.families()


def action_of(decision: decide.Decision) -> str:
    """What a sync is called that does this."""
    if decision.create:
        return "pods_created"
    if decision.drop:
        return "pods_deleted"
    return "reconciling" if decision.delete else "tracking"


def _mode(job: batch_v1.Job) -> str:
    return "Indexed" if counting.is_indexed(job) else "NonIndexed"


def _more(after: str, before: str, completions: int) -> int:
    return len(indexes.parse(after, completions)) - len(indexes.parse(before, completions))


def _noted(status: batch_v1.JobStatus) -> set[str]:
    uncounted = status.uncountedTerminatedPods
    return set(uncounted.failed) if uncounted is not None else set()


def _is_tracked(pod: core_v1.Pod | None) -> bool:
    return pod is not None and pods.is_terminal(pod) and counting.FINALIZER in pod.metadata.finalizers
