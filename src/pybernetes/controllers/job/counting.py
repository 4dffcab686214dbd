"""Counts a Job's pods, each once, whatever fails in between.

A finished pod is counted in two steps: its uid is noted in `uncountedTerminatedPods`, then its finalizer is removed,
and when that is known the uid becomes a number. A pod that succeeded for an index needs no note: its index is one.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import pods
from pybernetes.controllers.job import backoff, indexes, policies

FINALIZER = "batch.kubernetes.io/job-tracking"
# What tells how a Job ends, before all of its pods have.
SUCCESS_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"
# As many may be noted at a time, so that the status stays small.
MOST_NOTED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A Job's pods at one look. `tracked` have the finalizer, `terminating` are deleted but still running.

    `succeeded` and `failed` count also pods seen for the first time; `done` and `failed_indexes` are indexes (the
    latter None where failures are not limited by index); `waiting` is, by index, the last failed pod that stays until
    its replacement has taken over its number of failures.
    """

    active: list[core_v1.Pod]
    terminating: list[core_v1.Pod]
    tracked: list[core_v1.Pod]
    succeeded: int
    failed: int
    done: indexes.Indexes
    failed_indexes: indexes.Indexes | None
    waiting: dict[int, core_v1.Pod]
    backoff: backoff.Backoff


def is_indexed(job: batch_v1.Job) -> bool:
    return job.spec.completionMode == "Indexed"


def is_limited_by_index(job: batch_v1.Job) -> bool:
    return is_indexed(job) and job.spec.backoffLimitPerIndex is not None


def is_ending(status: batch_v1.JobStatus) -> bool:
    """Whether the Job's end is decided. What its deletion of pods does to their indexes is no failure of these."""
    return any(c.type in (SUCCESS_MET, FAILURE_TARGET) and c.status == "True" for c in status.conditions)


def only_failed_are_replaced(job: batch_v1.Job) -> bool:
    """Whether a pod that is terminating counts, and is replaced, only when it has come to its end."""
    return job.spec.podReplacementPolicy == "Failed" or job.spec.podFailurePolicy is not None


def has_failed(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    if pod.status.phase == "Failed":
        return True
    return not only_failed_are_replaced(job) and pods.is_terminating(pod)


def take(
    job: batch_v1.Job,
    status: batch_v1.JobStatus,
    owned: list[core_v1.Pod],
    freed: Container[str],
    before: backoff.Backoff,
) -> Tally:
    """Look at the pods; turns notes about pods that have lost their finalizers into numbers, in `status`.

    `freed`: uids of pods that have lost it for certain, whatever the cache shows.
    """
    completions = job.spec.completions or 0
    tracked = [p for p in owned if FINALIZER in p.metadata.finalizers and p.metadata.uid not in freed]
    uncounted = _settle(status, {pod.metadata.uid for pod in tracked})
    valid = tracked
    if is_indexed(job):
        valid = [pod for pod in tracked if indexes.index_of(pod, completions) is not None]
    succeeded = [p for p in valid if p.status.phase == "Succeeded" and p.metadata.uid not in uncounted.succeeded]
    failed = [p for p in valid if has_failed(job, p)]
    new = [p for p in failed if p.metadata.uid not in uncounted.failed]
    done, failed_indexes = indexes.Indexes(), None
    waiting: dict[int, core_v1.Pod] = {}
    active = [pod for pod in owned if pods.is_active(pod)]
    if is_indexed(job):
        done = indexes.parse(status.completedIndexes, completions).plus(indexes.of_pods(succeeded, completions))
    if is_limited_by_index(job):
        failed_indexes = indexes.parse(status.failedIndexes or "", completions)
        if not is_ending(status):
            failures = indexes.of_pods([pod for pod in failed if _fails_index(job, pod)], completions)
            failed_indexes = failed_indexes.plus(index for index in failures if index not in done)
        settled = done.union(failed_indexes).plus(indexes.of_pods(active, completions))
        waiting = _last_failed(failed, settled, completions)
    counted = sum(policies.on_failure(job.spec.podFailurePolicy, pod).counts for pod in new)
    return Tally(
        active=active,
        terminating=[pod for pod in owned if pods.is_terminating(pod)],
        tracked=tracked,
        succeeded=len(done) if is_indexed(job) else status.succeeded + len(uncounted.succeeded) + len(succeeded),
        failed=status.failed + len(uncounted.failed) + counted,
        done=done,
        failed_indexes=failed_indexes,
        waiting=waiting,
        backoff=before.after(succeeded, new),
    )


def note(job: batch_v1.Job, status: batch_v1.JobStatus, tally: Tally, *, ending: str = "") -> list[core_v1.Pod]:
    """Note the finished pods in `status`; answers those that can lose their finalizers then.

    `ending`, the condition that the Job is to end by, tells what becomes of pods that are terminating: those of a Job
    that is failing are failures, those of one that has succeeded are not, and none need be waited for.
    """
    completions = job.spec.completions or 0
    uncounted = status.uncountedTerminatedPods or batch_v1.UncountedTerminatedPods()
    status.uncountedTerminatedPods = uncounted
    free: list[core_v1.Pod] = []
    for pod in tally.tracked:
        if len(uncounted.succeeded) + len(uncounted.failed) >= MOST_NOTED:
            break
        uid, index = pod.metadata.uid, indexes.index_of(pod, completions)
        failed = has_failed(job, pod) if not ending or pods.is_terminal(pod) else ending == "Failed"
        if pods.is_active(pod) or (pods.is_terminating(pod) and not failed and not ending):
            continue
        if not ending and index is not None and tally.waiting.get(index) is pod:
            continue
        free.append(pod)
        if pod.status.phase == "Succeeded" and uid not in uncounted.failed:
            if not is_indexed(job) and uid not in uncounted.succeeded:
                uncounted.succeeded.append(uid)
        elif failed and uid not in uncounted.failed and _counts_as_failure(job, pod, index):
            uncounted.failed.append(uid)
    if is_indexed(job):
        status.completedIndexes, status.succeeded = str(tally.done), len(tally.done)
        status.failedIndexes = None if tally.failed_indexes is None else str(tally.failed_indexes)
    return free


def _settle(status: batch_v1.JobStatus, tracked: set[str]) -> batch_v1.UncountedTerminatedPods:
    uncounted = status.uncountedTerminatedPods or batch_v1.UncountedTerminatedPods()
    status.succeeded += sum(uid not in tracked for uid in uncounted.succeeded)
    status.failed += sum(uid not in tracked for uid in uncounted.failed)
    uncounted.succeeded = [uid for uid in uncounted.succeeded if uid in tracked]
    uncounted.failed = [uid for uid in uncounted.failed if uid in tracked]
    return uncounted


def _counts_as_failure(job: batch_v1.Job, pod: core_v1.Pod, index: int | None) -> bool:
    return (index is not None or not is_indexed(job)) and policies.on_failure(job.spec.podFailurePolicy, pod).counts


def _fails_index(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    verdict = policies.on_failure(job.spec.podFailurePolicy, pod)
    if verdict.action == policies.FAIL_INDEX:
        return True
    return verdict.counts and indexes.failures_of(pod) >= (job.spec.backoffLimitPerIndex or 0)


def _last_failed(failed: list[core_v1.Pod], settled: indexes.Indexes, completions: int) -> dict[int, core_v1.Pod]:
    """By index that is neither done, nor failed, nor running: the pod that carries its most failures."""
    last: dict[int, core_v1.Pod] = {}
    for pod in failed:
        index = indexes.index_of(pod, completions)
        if index is None or index in settled:
            continue
        known = last.get(index)
        if known is None or _weight(known) <= _weight(pod):
            last[index] = pod
    return last


def _weight(pod: core_v1.Pod) -> tuple[int, float]:
    return backoff.absolute_failures(pod), backoff.finished_at(pod)
