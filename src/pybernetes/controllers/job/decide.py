"""What to do about a Job: pure, the Job and its pods in, a status and intents out.

A finished pod is counted in two steps, so that none is counted twice or missed whatever fails in between: its uid is
noted in `uncountedTerminatedPods`, then its finalizer is removed, and when that is seen the uid becomes a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pybernetes.api import codecs, times
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.job import indexes

FINALIZER = "batch.kubernetes.io/job-tracking"
COMPLETE, FAILED, SUSPENDED = "Complete", "Failed", "Suspended"
SUCCESS_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"
FIRST_BACKOFF, LAST_BACKOFF = 10.0, 600.0
# So many doublings are past the last back-off; more of them would in the end be more than a float can hold.
DOUBLINGS = 10


@dataclass(slots=True)
class Backoff:
    """How often pods failed in a row, and when the last one did (epoch seconds)."""

    failures: int = 0
    last: float = 0.0

    def left(self, now: float) -> float:
        if not self.failures:
            return 0.0
        delay = min(FIRST_BACKOFF * 2.0 ** min(self.failures - 1, DOUBLINGS), LAST_BACKOFF)
        return max(self.last + delay - now, 0.0)


@dataclass(slots=True)
class Decision:
    """What to do: `create` so many pods (those `indexes`, if Indexed), `delete` some, `free` some of the finalizer."""

    status: batch_v1.JobStatus
    create: int = 0
    indexes: list[int] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    free: list[core_v1.Pod] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    again: float | None = None


def is_finished(job: batch_v1.Job) -> bool:
    return any(c.type in (COMPLETE, FAILED) and c.status == "True" for c in job.status.conditions)


def is_indexed(job: batch_v1.Job) -> bool:
    return job.spec.completionMode == "Indexed"


def decide(job: batch_v1.Job, owned: list[core_v1.Pod], backoff: Backoff, now: float) -> Decision:
    """One step. Updates `backoff` in place by pods seen finished for the first time."""
    decision = Decision(codecs.copy(job.status))
    status = decision.status
    _count(job, decision, owned, backoff, now)
    active = [pod for pod in owned if pods.is_active(pod)]
    deleted = [pod for pod in owned if pods.is_terminating(pod)]
    status.ready = sum(map(pods.is_ready, active))
    status.terminating = len(deleted)
    if job.metadata.deletionTimestamp is not None:
        decision.free = [pod for pod in owned if FINALIZER in pod.metadata.finalizers]
        return decision
    failure = _failure(job, status, active, now)
    if failure is not None:
        decision.delete = active
        _finish(job, decision, FAILED, FAILURE_TARGET, failure, deleted + active, now)
        active = []
    elif job.spec.suspend:
        decision.delete = active
        active = []
        _suspend(job, decision, now)
    else:
        _resume(job, decision, now)
        if _succeeded(job, status, active):
            reached = ("CompletionsReached", "Reached expected number of succeeded pods")
            _finish(job, decision, COMPLETE, SUCCESS_MET, reached, deleted + active, now)
            decision.delete, active = active, []
        else:
            _size(job, decision, active, deleted, backoff, now)
            active = [pod for pod in active if pod not in decision.delete]
    status.active = len(active) + decision.create
    return decision


def total_succeeded(job: batch_v1.Job, status: batch_v1.JobStatus) -> int:
    """With those that are noted but not yet counted; of an Indexed Job, one for each index."""
    uncounted = status.uncountedTerminatedPods
    if is_indexed(job):
        return status.succeeded
    return status.succeeded + (len(uncounted.succeeded) if uncounted is not None else 0)


def total_failed(status: batch_v1.JobStatus) -> int:
    uncounted = status.uncountedTerminatedPods
    return status.failed + (len(uncounted.failed) if uncounted is not None else 0)


def _has_failed(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    if pod.status.phase == "Failed":
        return True
    if job.spec.podReplacementPolicy == "Failed":
        return False
    return pod.metadata.deletionTimestamp is not None and pod.status.phase != "Succeeded"


def _count(job: batch_v1.Job, decision: Decision, owned: list[core_v1.Pod], backoff: Backoff, now: float) -> None:
    status = decision.status
    uncounted = status.uncountedTerminatedPods or batch_v1.UncountedTerminatedPods()
    tracked = {pod.metadata.uid: pod for pod in owned if FINALIZER in pod.metadata.finalizers}
    completed = indexes.parse(status.completedIndexes, job.spec.completions or 0)
    for listed, counter in ((uncounted.succeeded, "succeeded"), (uncounted.failed, "failed")):
        released = [uid for uid in listed if uid not in tracked]
        if counter == "failed" or not is_indexed(job):
            setattr(status, counter, getattr(status, counter) + len(released))
        listed[:] = [uid for uid in listed if uid in tracked]
    noted = {*uncounted.succeeded, *uncounted.failed}
    for uid, pod in tracked.items():
        if uid in noted:
            decision.free.append(pod)
            continue
        if pod.status.phase == "Succeeded":
            backoff.failures = 0
            uncounted.succeeded.append(uid)
            index = indexes.index_of(pod)
            if index is not None and index < (job.spec.completions or 0):
                completed.add(index)
        elif _has_failed(job, pod):
            if pod.metadata.deletionTimestamp is None:
                backoff.failures += 1
                backoff.last = now
            uncounted.failed.append(uid)
        else:
            continue
        decision.free.append(pod)
    status.uncountedTerminatedPods = uncounted
    if is_indexed(job):
        status.completedIndexes = indexes.text_of(completed)
        status.succeeded = len(completed)


def _failure(
    job: batch_v1.Job, status: batch_v1.JobStatus, active: list[core_v1.Pod], now: float
) -> tuple[str, str] | None:
    """Why the Job has failed; None: it has not."""
    known = conditions.find(status.conditions, FAILURE_TARGET)
    if known is not None and known.status == "True":
        return known.reason, known.message
    limit = 6 if job.spec.backoffLimit is None else job.spec.backoffLimit
    if total_failed(status) > limit or _restarts_exceed(job, active, limit):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    deadline = job.spec.activeDeadlineSeconds
    started = status.startTime if deadline is not None and not job.spec.suspend else None
    if started and now >= times.parse(started) + (deadline or 0):
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _restarts_exceed(job: batch_v1.Job, active: list[core_v1.Pod], limit: int) -> bool:
    if job.spec.template.spec.restartPolicy != "OnFailure":
        return False
    restarts = sum(
        container.restartCount
        for pod in active
        for container in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _succeeded(job: batch_v1.Job, status: batch_v1.JobStatus, active: list[core_v1.Pod]) -> bool:
    known = conditions.find(status.conditions, SUCCESS_MET)
    if known is not None and known.status == "True":
        return True
    done = total_succeeded(job, status)
    if job.spec.completions is None:
        # Any success is enough, once the others have come to their end.
        return done > 0 and not active
    return done >= job.spec.completions


def _finish(
    job: batch_v1.Job,
    decision: Decision,
    kind: str,
    interim: str,
    why: tuple[str, str],
    still_there: list[core_v1.Pod],
    now: float,
) -> None:
    """Set the interim condition, and the final one when every pod has ended and is counted."""
    status = decision.status
    reason, message = why
    _condition(status, interim, "True", reason, message, now)
    uncounted = status.uncountedTerminatedPods
    if still_there or (uncounted is not None and (uncounted.succeeded or uncounted.failed)):
        return
    _condition(status, kind, "True", reason, message, now)
    if kind == COMPLETE:
        status.completionTime = times.to_time(now)
        decision.events.append(("Normal", "Completed", "Job completed"))
    else:
        decision.events.append(("Warning", reason, message))


def _suspend(job: batch_v1.Job, decision: Decision, now: float) -> None:
    status = decision.status
    known = conditions.find(status.conditions, SUSPENDED)
    if known is None or known.status != "True":
        _condition(status, SUSPENDED, "True", "JobSuspended", "Job suspended", now)
        decision.events.append(("Normal", "Suspended", "Job suspended"))
    status.startTime = None


def _resume(job: batch_v1.Job, decision: Decision, now: float) -> None:
    status = decision.status
    known = conditions.find(status.conditions, SUSPENDED)
    if known is not None and known.status == "True":
        _condition(status, SUSPENDED, "False", "JobResumed", "Job resumed", now)
        decision.events.append(("Normal", "Resumed", "Job resumed"))
        status.startTime = times.to_time(now)
    if not status.startTime:
        status.startTime = times.to_time(now)
    if job.spec.activeDeadlineSeconds is not None:
        decision.again = max(times.parse(status.startTime) + job.spec.activeDeadlineSeconds - now, 0.0)


def _size(
    job: batch_v1.Job,
    decision: Decision,
    active: list[core_v1.Pod],
    deleted: list[core_v1.Pod],
    backoff: Backoff,
    now: float,
) -> None:
    status = decision.status
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    done = total_succeeded(job, status)
    if job.spec.completions is None:
        wanted = len(active) if done else parallelism
        wanted = min(wanted, parallelism)
    else:
        wanted = min(job.spec.completions - done, parallelism)
    completed = indexes.parse(status.completedIndexes, job.spec.completions or 0)
    if is_indexed(job):
        decision.delete = _superfluous(active, completed, job.spec.completions or 0)
    left = [pod for pod in active if pod not in decision.delete]
    excess = len(left) - wanted
    if excess > 0:
        ordered = pods.deletion_order(left, {}, now)
        decision.delete = decision.delete + ordered[:excess]
        return
    if job.spec.podReplacementPolicy == "Failed":
        excess += len(deleted)
    missing = -excess
    if missing <= 0:
        return
    wait = backoff.left(now)
    if wait > 0:
        decision.again = wait if decision.again is None else min(wait, decision.again)
        return
    decision.create = missing
    if is_indexed(job):
        taken = completed | {index for pod in left if (index := indexes.index_of(pod)) is not None}
        if job.spec.podReplacementPolicy == "Failed":
            taken |= {index for pod in deleted if (index := indexes.index_of(pod)) is not None}
        decision.indexes = indexes.missing(taken, missing, job.spec.completions or 0)
        decision.create = len(decision.indexes)


def _superfluous(active: list[core_v1.Pod], completed: set[int], completions: int) -> list[core_v1.Pod]:
    """Pods whose index is done, taken by another, or beyond the completions."""
    seen = set(completed)
    found = []
    for pod in active:
        index = indexes.index_of(pod)
        if index is None or index in seen or index >= completions:
            found.append(pod)
        else:
            seen.add(index)
    return found


def _condition(status: batch_v1.JobStatus, kind: str, state: str, reason: str, message: str, now: float) -> None:
    known = conditions.find(status.conditions, kind)
    if known is not None and (known.status, known.reason) == (state, reason):
        return
    stamp = times.to_time(now)
    fresh = batch_v1.JobCondition(
        type=kind, status=state, reason=reason, message=message, lastProbeTime=stamp, lastTransitionTime=stamp
    )
    status.conditions = [*conditions.without(status.conditions, kind), fresh]
